"""Models and SAMs from the Hub: a repository, its foundation, and what does not fit."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save

from hub_weights import REGISTRY, WeightsEntry, WeightsFile
from vrpsam_app import Box, Reference, VRPSAMPredictor
from vrpsam_app.config import SAM_TINY, FoundationFile, ModelConfig, paper_config
from vrpsam_app.errors import ChecksumMismatchError, WeightsError, WeightsMismatchError
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.load import load_model
from vrpsam_app.models.load_sam import load_sam
from vrpsam_app.models.paper_vrp_sam import PaperVRPSAM
from vrpsam_app.models.sam_keys import to_transformers
from vrpsam_app.training.checkpoints import save_model


@pytest.fixture
def model(fill_by_key: Callable[..., None]) -> PaperVRPSAM:
    config = paper_config("small_vgg", SAM_TINY)
    encoder = dataclasses.replace(
        config.vrp_encoder, image_size=128, hidden_dim=SAM_TINY.prompt_dim, num_queries=4
    )
    built = PaperVRPSAM(dataclasses.replace(config, vrp_encoder=encoder, name="tiny"))
    fill_by_key(built)
    return built


def saved(model: PaperVRPSAM, folder: Path, config: ModelConfig, leave_out: str = " ") -> Path:
    weights = {k: v for k, v in model.state_dict().items() if not k.startswith(leave_out)}
    return save_model(folder, config, weights, dtype=torch.float32)


def publish(hub: Any, folder: Path) -> None:
    hub.put("somebody/tiny", {p.name: p.read_bytes() for p in folder.iterdir()})


def test_a_repository_predicts_as_its_folder(hub: Any, model: PaperVRPSAM, tmp_path: Path) -> None:
    folder = saved(model, tmp_path / "model", model.config)
    publish(hub, folder)
    heard: list[Any] = []
    there = VRPSAMPredictor.from_pretrained("somebody/tiny", device="cpu", progress=heard.append)
    here = VRPSAMPredictor.from_pretrained(folder, device="cpu")
    assert there.describe() == here.describe()
    assert heard
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    reference = Reference.from_annotations(image, [Box(top=10, left=10, bottom=40, right=50)])
    found, expected = (p.predict(image[::-1].copy(), reference) for p in (there, here))
    np.testing.assert_array_equal(found.probability, expected.probability)
    again = VRPSAMPredictor.from_pretrained("somebody/tiny", device="cpu", local_files_only=True)
    assert again.describe() == here.describe()


def test_weights_that_do_not_fit_are_named(hub: Any, model: PaperVRPSAM, tmp_path: Path) -> None:
    weights = model.state_dict()
    weights["surplus"] = weights.pop("vrp_encoder.feature_augmenter.reduce.0.weight")
    publish(hub, save_model(tmp_path / "model", model.config, weights, dtype=torch.float32))
    with pytest.raises(
        WeightsMismatchError,
        match=r"Missing: vrp_encoder\.feature_augmenter\.reduce.*Unexpected: surplus",
    ):
        load_model("somebody/tiny")


def test_the_hub_s_errors_are_the_product_s(hub: Any, model: PaperVRPSAM, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="without a log-in"):
        load_model("nobody/nothing")
    publish(hub, saved(model, tmp_path / "model", model.config))
    hub.faults.append(hub.Fault("store", method="GET", body=b"wrong" * 1000))
    with pytest.raises(WeightsError, match="arrived incomplete"):
        load_model("somebody/tiny")
    size = len(next(iter(hub.repositories.values())).commits.popitem()[1]["model.safetensors"])
    publish(hub, tmp_path / "model")
    hub.faults.append(hub.Fault("store", method="GET", body=b"w" * size))
    with pytest.raises(ChecksumMismatchError, match="The file was removed"):
        load_model("somebody/tiny")


def test_the_foundation_is_fetched_in_whichever_file_it_comes(
    hub: Any, model: PaperVRPSAM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained on SAM's original file, run on transformers' file of the same weights."""
    monkeypatch.setenv("VRPSAM_FOUNDATION", str(tmp_path / "foundation"))
    content = save(to_transformers(model.sam.state_dict()))
    commit = hub.put("meta/sam", {"model.safetensors": content})
    original = "a" * 64
    entry = WeightsEntry(
        name="tested",
        kind="sam",
        purpose="-",
        license="mit",
        citation="-",
        files=(
            WeightsFile(
                file="model.safetensors",
                layout="transformers",
                repo_id="meta/sam",
                revision=commit,
                sha256=hashlib.sha256(content).hexdigest(),
            ),
            WeightsFile(file="sam.pth", layout="segment_anything", sha256=original),
        ),
    )
    monkeypatch.setattr("hub_weights.registry._ENTRIES", (entry,))
    for module in ("registry", "weights_search"):
        monkeypatch.setattr(f"hub_weights.{module}.REGISTRY", {**REGISTRY, "tested": entry})
    named = {"sam": FoundationFile(file="sam.pth", sha256=original)}
    config = dataclasses.replace(model.config, foundation=named)
    folder = saved(model, tmp_path / "model", config, leave_out="sam.")
    with pytest.raises(WeightsError, match=r"needs the weights of SAM, sam\.pth"):
        load_model(folder, local_files_only=True)
    loaded, _ = load_model(folder)
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key
    # It is in the cache now.
    load_model(folder, local_files_only=True)


def test_a_sam_is_found_by_its_repository(hub: Any, model: PaperVRPSAM) -> None:
    hub.put("meta/sam", {"model.safetensors": save(to_transformers(model.sam.state_dict()))})
    sam, _ = load_sam("meta/sam")
    assert sam.config is SAM_TINY
    image = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(sam.encode(image), model.sam.encode(image))
    with pytest.raises(WeightsError, match=r"nothing does not exist: expected a file of weights"):
        load_sam("nothing")


def test_a_model_that_stands_on_a_sam_gives_it(model: PaperVRPSAM, tmp_path: Path) -> None:
    sam, _ = load_sam(saved(model, tmp_path / "model", model.config))
    assert isinstance(sam, FrozenSAM)
