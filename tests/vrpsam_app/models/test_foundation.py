"""Frozen weights: read without running code, told apart, found by content."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vrpsam_app.config import SAM_TINY, FoundationFile, ModelConfig, paper_config
from vrpsam_app.errors import ConfigError, WeightsError, WeightsMismatchError
from vrpsam_app.models.foundation import (
    PATHS_NAME,
    describe,
    find_files,
    load_foundation,
    note_paths,
    read_weights,
    sam_config_of,
    weight_file,
)
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.paper_vrp_sam import PaperVRPSAM


@pytest.fixture(scope="module")
def small() -> ModelConfig:
    config = paper_config("small_vgg", SAM_TINY)
    encoder = dataclasses.replace(config.vrp_encoder, image_size=64, hidden_dim=32, num_queries=4)
    return dataclasses.replace(config, vrp_encoder=encoder)


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of one's own for frozen weights."""
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.setenv("VRPSAM_FOUNDATION", str(folder))
    return folder


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_checkpoints_are_read_with_or_without_a_wrapper(
    wrapper: str | None, tmp_path: Path
) -> None:
    weights = {"module.a": torch.ones(2), "module.b": torch.zeros(3)}
    torch.save(weights if wrapper is None else {wrapper: weights, "epoch": 3}, tmp_path / "w.pth")
    assert {k: v.shape[0] for k, v in read_weights(tmp_path / "w.pth").items()} == {"a": 2, "b": 3}
    old = tmp_path / "old.pth"
    torch.save(weights, old, _use_new_zipfile_serialization=False)
    assert set(read_weights(old)) == {"a", "b"}


class Runs:
    """Does something when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("code ran",))


def test_a_file_with_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"a": torch.ones(1), "b": Runs()}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="more than weights"):
        read_weights(tmp_path / "w.pth")
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_damaged_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"not weights at all")
    with pytest.raises(WeightsError, match=name):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_missing_file_is_called_missing(name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=rf"{name} does not exist: expected a file of weights"):
        read_weights(tmp_path / name)


def test_a_file_without_names_is_refused(tmp_path: Path) -> None:
    torch.save([torch.ones(1)], tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="holds no weights by name"):
        read_weights(tmp_path / "w.pth")


def test_a_folder_stands_for_its_only_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        weight_file(tmp_path / "nothing")
    with pytest.raises(WeightsError, match="0 files of weights"):
        weight_file(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "one.pth").write_bytes(b"1")
    assert weight_file(tmp_path) == tmp_path / "one.pth"
    (tmp_path / "two.safetensors").write_bytes(b"2")
    with pytest.raises(WeightsError, match=r"2 files of weights \(one.pth, two.safetensors\)"):
        weight_file(tmp_path)


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_which_sam_it_is_stands_in_the_file(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"sam{ending}"
    weights = FrozenSAM(SAM_TINY).state_dict()
    torch.save(weights, file) if ending == ".pth" else save_file(weights, file)
    assert sam_config_of(file) is SAM_TINY
    del weights["image_encoder.pos_embed"]
    save_file(weights, tmp_path / "other.safetensors")
    with pytest.raises(WeightsMismatchError, match="none of the SAMs vit_b, vit_l, vit_h"):
        sam_config_of(tmp_path / "other.safetensors")


def test_both_parts_are_filled_and_stay_frozen(small: ModelConfig, tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = PaperVRPSAM(small)
    torch.save(theirs.sam.state_dict(), tmp_path / "sam.pth")
    backbone = theirs.vrp_encoder.semantic_encoder.state_dict()
    save_file({**backbone, "fc.weight": torch.ones(2)}, tmp_path / "backbone.safetensors")
    torch.manual_seed(2)
    ours = PaperVRPSAM(small)
    files = {"sam": tmp_path / "sam.pth", "backbone": tmp_path / "backbone.safetensors"}
    load_foundation(ours, files)
    for part in (lambda m: m.sam, lambda m: m.vrp_encoder.semantic_encoder):
        for key, value in part(theirs).state_dict().items():
            assert torch.equal(part(ours).state_dict()[key], value), key
        assert not any(p.requires_grad for p in part(ours).parameters())
    with pytest.raises(WeightsMismatchError, match=r"sam\.pth does not fit .*Missing: layer0"):
        load_foundation(ours, {"backbone": tmp_path / "sam.pth"})


def test_files_without_batch_counters_fit(tmp_path: Path) -> None:
    config = dataclasses.replace(paper_config("resnet50_v2", SAM_TINY))
    encoder = dataclasses.replace(config.vrp_encoder, hidden_dim=32)
    model = PaperVRPSAM(dataclasses.replace(config, vrp_encoder=encoder))
    stages = model.vrp_encoder.semantic_encoder.state_dict()
    stem = {"layer0.0": "conv1", "layer0.1": "bn1", "layer0.3": "conv2", "layer0.4": "bn2"}
    stem |= {"layer0.6": "conv3", "layer0.7": "bn3"}
    published = {}
    for key, value in stages.items():
        if not key.endswith("num_batches_tracked"):
            head, _, rest = key.rpartition(".")
            published[f"{stem.get(head, head)}.{rest}"] = torch.full_like(value, 0.5)
    published["fc.weight"] = torch.zeros(3)
    torch.save(published, tmp_path / "resnet50_v2.pth")
    load_foundation(model, {"backbone": tmp_path / "resnet50_v2.pth"})
    filled = model.vrp_encoder.semantic_encoder.state_dict()
    assert all((v == 0.5).all() for k, v in filled.items() if not k.endswith("tracked"))


def test_files_are_found_in_three_places(
    small: ModelConfig, own_folder: Path, tmp_path: Path
) -> None:
    lay, model = tmp_path / "lay", tmp_path / "model"
    for folder in (lay, model):
        folder.mkdir()
    (lay / "sam.pth").write_bytes(b"sam")
    config = dataclasses.replace(small, foundation={"sam": describe(lay / "sam.pth")})
    with pytest.raises(WeightsError, match=r"sam\.pth \(SHA-256 .*mine.*VRPSAM_FOUNDATION"):
        find_files(config, model)
    note_paths(model, {"sam": lay / "sam.pth"})
    assert find_files(config, model) == {"sam": lay / "sam.pth"}
    (lay / "sam.pth").rename(own_folder / "sam.pth")
    assert find_files(config, model) == {"sam": own_folder / "sam.pth"}
    (model / "sam.pth").write_bytes(b"sam")
    (model / PATHS_NAME).write_text("[]")
    assert find_files(config, model) == {"sam": model / "sam.pth"}
    (model / "sam.pth").write_bytes(b"another")
    assert find_files(config, model) == {"sam": own_folder / "sam.pth"}


def test_a_configuration_names_its_foundation(small: ModelConfig) -> None:
    named = dataclasses.replace(small, foundation={"sam": FoundationFile(file="a", sha256="0")})
    plain = named.to_json()
    assert plain["foundation"] == {"sam": {"file": "a", "sha256": "0"}}
    assert ModelConfig.from_json(plain) == named
    with pytest.raises(ConfigError, match="foundation is"):
        ModelConfig.from_json({**plain, "foundation": 3})
    with pytest.raises(ConfigError, match=r"foundation\.sam holds unknown fields"):
        ModelConfig.from_json({**plain, "foundation": {"sam": {"file": "a", "where": "b"}}})


def test_code_in_a_plain_pickle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(pickle.dumps(Runs(), protocol=2))
    with pytest.raises(WeightsError, match=r"w\.bin"):
        read_weights(tmp_path / "w.bin")
