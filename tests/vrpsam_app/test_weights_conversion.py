"""What people trained with the published code runs here, with the same output."""

from __future__ import annotations

import ast
import dataclasses
import functools
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hub_weights import REGISTRY
from vrpsam_app.config import (
    SAM_TINY,
    SAM_VIT_H,
    FoundationFile,
    ModelConfig,
    SAMConfig,
    paper_config,
)
from vrpsam_app.errors import (
    ConfigError,
    OutputError,
    WeightsError,
    WeightsMismatchError,
)
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.load import load_model
from vrpsam_app.training.checkpoints import save_model
from vrpsam_app.weights_conversion import convert_checkpoint, convert_pickle, convert_sam

# SAM's decoder takes prompts of 256 channels, its encoder has no part in what is compared.
SMALL_SAM = SAMConfig(
    name="small",
    image_size=64,
    width=16,
    depth=1,
    heads=1,
    global_attention_blocks=(0,),
    decoder_mlp_dim=32,
    decoder_depth=1,
)


@pytest.fixture(scope="module")
def checkpoint(
    golden_folder: Path,
    value_of: Callable[[str, tuple[int, ...]], np.ndarray],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Path]:
    """Write a checkpoint as the published code saves it, from the keys of the golden outputs."""
    folder = tmp_path_factory.mktemp("checkpoints")

    @functools.cache
    def write(name: str) -> Path:
        lines = (golden_folder / f"{name}_keys.txt").read_text().splitlines()
        weights = {}
        for key, _, rest in (line.partition(" ") for line in lines):
            shape = ast.literal_eval(rest)
            weights[f"module.{key}"] = (
                torch.tensor(0)
                if key.endswith("num_batches_tracked")
                else torch.from_numpy(value_of(key, shape))
            )
        torch.save(weights, folder / f"{name}.pth")
        return folder / f"{name}.pth"

    return write


@pytest.fixture
def small_sam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "foundation"
    folder.mkdir()
    monkeypatch.setenv("VRPSAM_FOUNDATION", str(folder))
    torch.manual_seed(0)
    save_file(FrozenSAM(SMALL_SAM).state_dict(), folder / "small_sam.safetensors")
    return folder / "small_sam.safetensors"


def test_a_published_checkpoint_gives_the_published_output(
    checkpoint: Callable[[str], Path], small_sam: Path, golden_folder: Path, tmp_path: Path
) -> None:
    made = convert_checkpoint(
        checkpoint("vrp_resnet50"), tmp_path / "mine", sam=str(small_sam), marks="mask"
    )
    model, _ = load_model(made)
    assert model.config.name == "mine"
    assert model.config.training["marks"] == "mask"
    golden = np.load(golden_folder / "vrp_resnet50.npz")
    reference, target = (
        torch.from_numpy(
            np.random.default_rng(s).standard_normal((1, 3, 512, 512)).astype(np.float32)
        )
        for s in (7, 8)
    )
    rows, columns = np.ogrid[:512, :512]
    marked = (rows - 400) ** 2 + (columns - 120) ** 2 < 60**2
    marked[100:300, 150:400] = True
    mask = torch.from_numpy(marked.astype(np.float32))[None, None]
    encoder: Any = model.vrp_encoder
    with torch.inference_mode():
        output = encoder(reference, mask, target)
    np.testing.assert_allclose(output.visual_prompts.numpy(), golden["prompts"], atol=2e-4)
    np.testing.assert_allclose(output.pseudo_mask.numpy(), golden["pseudo_mask"], atol=2e-4)


def test_the_backbone_and_the_sam_are_told_from_the_file(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    file = checkpoint("vrp_vgg16")
    config = ModelConfig.load(convert_checkpoint(file, tmp_path / "vgg", license="mit"))
    assert config.vrp_encoder.semantic_encoder == "vgg16_bn"
    assert config.vrp_encoder.mask_pooling == "nearest"
    assert config.sam == SAM_VIT_H
    assert config.license == "mit"
    known = {f.file: f.sha256 for f in REGISTRY["sam_vit_h"].files}
    assert known["model.safetensors"] or known["sam_vit_h_4b8939.pth"]
    assert config.foundation["sam"].sha256 in known.values()
    with pytest.raises(OutputError, match="exists already"):
        convert_checkpoint(file, tmp_path / "vgg")
    with pytest.raises(ConfigError, match="no name for a model"):
        convert_checkpoint(file, tmp_path / "other", name="../other")


def test_a_checkpoint_with_other_tensors_is_refused(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    weights = torch.load(checkpoint("vrp_vgg16"), weights_only=True)
    file = tmp_path / "changed.pth"
    del weights["module.merge_1.0.weight"]
    torch.save(weights, file)
    with pytest.raises(WeightsMismatchError, match=r"Missing: feature_augmenter\.merge"):
        convert_checkpoint(file, tmp_path / "out")
    torch.save({**weights, "module.surplus": torch.zeros(1)}, file)
    with pytest.raises(WeightsMismatchError, match="no key of a published VRP-SAM checkpoint"):
        convert_checkpoint(file, tmp_path / "out")
    torch.save({"weight": torch.zeros(1)}, file)
    with pytest.raises(WeightsMismatchError, match="no checkpoint of the published"):
        convert_checkpoint(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_sam_becomes_safetensors(tiny_sam: FrozenSAM, tmp_path: Path) -> None:
    torch.save({"model_state": tiny_sam.state_dict()}, tmp_path / "sam.pth")
    made = convert_sam(tmp_path / "sam.pth", tmp_path / "new" / "sam.safetensors")
    found = load_file(made)
    assert found.keys() == tiny_sam.state_dict().keys()
    assert all(torch.equal(found[k], v) for k, v in tiny_sam.state_dict().items())
    with pytest.raises(OutputError, match="exists already"):
        convert_sam(tmp_path / "sam.pth", made)
    with pytest.raises(OutputError, match=r"does not end in \.safetensors"):
        convert_sam(tmp_path / "sam.pth", tmp_path / "sam.bin")


def test_a_sam_becomes_a_folder_for_transformers(tiny_sam: FrozenSAM, tmp_path: Path) -> None:
    save_file(tiny_sam.state_dict(), tmp_path / "a.safetensors")
    made = convert_sam(tmp_path / "a.safetensors", tmp_path / "out", layout="transformers")
    config = json.loads((made / "config.json").read_text())
    assert config["model_type"] == "sam"
    assert config["vision_config"]["hidden_size"] == SAM_TINY.width
    assert config["mask_decoder_config"]["num_attention_heads"] == SAM_TINY.decoder_heads


def test_any_state_dict_keeps_its_names(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.ones(2), "b": torch.zeros(3)}, tmp_path / "w.pth")
    made = convert_pickle(tmp_path / "w.pth", tmp_path / "w.safetensors")
    assert {k: v.shape[0] for k, v in load_file(made).items()} == {"a.weight": 2, "b": 3}


class Payload:
    """Unpickled, it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("how", ["torch", "pickle", "beside weights"])
def test_a_pickle_with_a_payload_is_refused_and_does_not_run(how: str, tmp_path: Path) -> None:
    payload = Payload(tmp_path / "ran")
    if how == "torch":
        torch.save(payload, tmp_path / "w.pth")
    elif how == "pickle":
        (tmp_path / "w.pth").write_bytes(pickle.dumps(payload))
    else:
        torch.save({"weight": torch.zeros(2), "extra": payload}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"can run code|cannot be read"):
        convert_pickle(tmp_path / "w.pth", tmp_path / "w.safetensors")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.parametrize("name", ["../../secret.pth", "/etc/passwd", "a/b.pth", "..", "C:\\x"])
def test_a_foundation_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    config = dataclasses.replace(
        paper_config("small_vgg", SAM_TINY),
        foundation={"sam": FoundationFile(file=name, sha256="0" * 64)},
    )
    made = save_model(tmp_path / "model", config, {"weight": torch.zeros(1)})
    with pytest.raises(WeightsError, match="a path could lead anywhere"):
        load_model(made)
