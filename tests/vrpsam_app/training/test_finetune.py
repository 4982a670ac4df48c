"""Fine-tuning: an honest division, a model with a name, a gain that was measured."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hub_weights import own_models
from vrpsam_app.config import EMBEDDED_CONFIG
from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.load import load_model
from vrpsam_app.training.checkpoints import save_model
from vrpsam_app.training.finetune import Finetuning, divide, finetune


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight pictures, each with two bright squares on a dark ground."""
    for part in ("images", "masks"):
        (tmp_path / "squares" / part).mkdir(parents=True)
    for k in range(8):
        mask = np.zeros((64, 64), np.uint8)
        mask[5 + k : 25 + k, 5:25] = 1
        mask[30:50, 35 : 55 - k] = 2
        noise = np.random.default_rng(k).integers(0, 60, (64, 64))
        picture = (noise + 150 * (mask > 0)).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / "squares" / "images" / f"p{k}.png")
        Image.fromarray(mask).save(tmp_path / "squares" / "masks" / f"p{k}.png")
    (tmp_path / "squares" / "meta.json").write_text('{"kind": "instance", "classes": ["square"]}')
    return tmp_path / "squares"


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small model to start from, and a place of its own for new ones."""
    monkeypatch.setenv("VRPSAM_MODELS", str(tmp_path / "models"))
    torch.manual_seed(0)
    config = dataclasses.replace(
        EMBEDDED_CONFIG,
        sam=dataclasses.replace(
            EMBEDDED_CONFIG.sam, width=8, prompt_dim=32, depth=1, image_size=64
        ),
        vrp_encoder=dataclasses.replace(EMBEDDED_CONFIG.vrp_encoder, hidden_dim=32, num_queries=4),
    )
    return save_model(tmp_path / "base", config, EmbeddedVRPSAM(config).state_dict())


def options(folder: Path, base: Path, **changes: object) -> Finetuning:
    given = {"folder": folder, "name": "squares", "model": str(base), "train_images": 4}
    return Finetuning(**{**given, "steps": 2, "groups": 1, "workers": 0, "episodes": 3, **changes})


def test_the_new_model_has_a_name_and_its_measured_gain(folder: Path, base: Path) -> None:
    lines: list[str] = []
    written, gains = finetune(options(folder, base), lines.append)
    assert own_models() == ("squares",)
    assert not list(written.parent.glob("*.run"))
    model, _ = load_model("squares")
    assert model.config.name == "squares"
    assert model.config.training["finetuned_on"] == "squares"
    assert [g.format for g in gains] == ["click", "box", "mask"]
    for gain in gains:
        assert gain.difference.count == 3
        assert gain.difference.mean == pytest.approx(gain.after - gain.before)
        assert model.config.metrics["finetuning"][gain.format]["after"] == gain.after
    assert "4 pictures to learn from, 4 to measure on" in lines[0]
    with pytest.raises(OutputError, match="exists already"):
        finetune(options(folder, base))


def test_the_parts_share_no_field_and_depend_on_the_seed(folder: Path) -> None:
    dataset = FolderDataset.open(folder, None)
    learned, kept = divide(dataset, 3, 0)
    assert (len(learned), len(kept)) == (3, 5)
    assert not set(learned.fields.values()) & set(kept.fields.values())
    assert {divide(dataset, 3, seed)[0].names for seed in range(5)} != {learned.names}


@pytest.mark.parametrize("train_images", [0, 7, 8])
def test_a_division_that_leaves_nothing_is_refused(folder: Path, train_images: int) -> None:
    with pytest.raises(ConfigError, match="8 fields of view"):
        divide(FolderDataset.open(folder, None), train_images, 0)
