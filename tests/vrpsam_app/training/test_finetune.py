"""Fine-tuning: an honest division, a model with a name, a gain that was measured."""

from __future__ import annotations

import dataclasses
import json
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
from vrpsam_app.training import cut_fitting, dense_batches, dense_training
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


@pytest.fixture(autouse=True)
def small_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense_batches, "SIZES", ((64, 1.0),))
    monkeypatch.setattr(cut_fitting, "SIZES", ((64, 1.0),))
    monkeypatch.setattr(dense_batches, "GROUPS", 2)
    monkeypatch.setattr(cut_fitting, "STEPS", 5)


def stop(*arguments: object, **facts: object) -> None:
    """Stand for what a person interrupts."""
    raise KeyboardInterrupt


def options(folder: Path, base: Path, **changes: object) -> Finetuning:
    given = {"folder": folder, "name": "squares", "model": str(base), "train_images": 4}
    short = {"steps": 2, "cut_episodes": 12, "workers": 0, "episodes": 3}
    return Finetuning(**{**given, **short, **changes})


def test_the_new_model_has_a_name_and_its_measured_gain(folder: Path, base: Path) -> None:
    lines: list[str] = []
    written, gains = finetune(options(folder, base), lines.append)
    assert own_models() == ("squares",)
    assert not list(written.parent.glob("*.run"))
    model, _ = load_model("squares")
    assert model.config.name == "squares"
    assert model.config.training["finetuned_on"] == "squares"
    assert model.config.training["steps"] == 2
    assert model.config.training["seed"] == 0
    learned, _ = divide(FolderDataset.open(folder, None), 4, 0)
    assert model.config.training["pictures"] == list(learned.names)
    before, _ = load_model(base)
    others = before.state_dict()
    changed = {k.split(".")[0] for k, v in model.state_dict().items() if not v.equal(others[k])}
    assert {"dense_prior", "sam"} <= changed <= {"dense_prior", "sam", "cut_head", "told_cut_head"}
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


@pytest.mark.parametrize("train_images", [0, 1, 7, 8])
def test_a_division_that_leaves_nothing_is_refused(folder: Path, train_images: int) -> None:
    with pytest.raises(ConfigError, match="8 fields of view"):
        divide(FolderDataset.open(folder, None), train_images, 0)


def test_three_pictures_are_too_few_unless_each_is_learned_by_itself(
    folder: Path, base: Path
) -> None:
    for k in range(3, 8):
        (folder / "images" / f"p{k}.png").unlink()
    message = "3 fields .* at least 2 to learn from, and 2 left .* at least 4 in all.*--one-image"
    with pytest.raises(ConfigError, match=message):
        finetune(options(folder, base, train_images=None))
    learned, kept = divide(FolderDataset.open(folder, None), None, 0, least=1)
    assert (len(learned), len(kept)) == (1, 2)


def test_pictures_that_are_listed_to_measure_on_are_not_learned(
    folder: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = {"train": ["p0", "p1", "p2", "p3"], "val": ["p4", "p5", "p7"]}
    (folder / "splits.json").write_text(json.dumps(listed))
    asked: list[tuple[str, ...]] = []

    def measured(model: object, sha256: str, dataset: FolderDataset, *rest: object) -> None:
        asked.append(dataset.names)
        raise KeyboardInterrupt

    monkeypatch.setattr("vrpsam_app.training.finetune._measure", measured)
    for train_images, learned in ((None, 4), (3, 3)):
        with pytest.raises(KeyboardInterrupt):
            finetune(options(folder, base, train_images=train_images))
        noted = json.loads((base.parent / "models/squares.run/begun_with.json").read_text())
        assert len(noted["train_images"]) == learned
        assert set(noted["train_images"]) <= set(listed["train"])
    with pytest.raises(ConfigError, match="4 fields of view to choose from, of which 5"):
        finetune(options(folder, base, train_images=5))
    # Lists of which one is empty divide nothing.
    (folder / "splits.json").write_text(json.dumps({"train": [], "val": [f"p{k}" for k in "01"]}))
    with pytest.raises(KeyboardInterrupt):
        finetune(options(folder, base))
    assert asked[:2] == [("p4", "p5", "p7")] * 2
    assert len(asked[2]) == 4


def test_without_a_number_two_fields_at_least_are_left_to_measure_on(folder: Path) -> None:
    learned, kept = divide(FolderDataset.open(folder, None), None, 0)
    assert (len(learned), len(kept)) == (6, 2)


def test_a_stopped_run_goes_on_only_with_what_it_was_begun_with(
    folder: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("vrpsam_app.training.finetune.train_cut_heads", stop)
        with pytest.raises(KeyboardInterrupt):
            finetune(options(folder, base))
    others = folder.rename(folder.with_name("others"))
    with pytest.raises(ConfigError, match=r"squares\.run holds a stopped run with another folder:"):
        finetune(options(others, base))
    others.rename(folder)
    for changes, words in (
        ({"learning_rate": 1e-2, "steps": 3}, "learning-rate, steps"),
        ({"seed": 1}, "seed, train-images"),
        ({"train_images": 5}, "train-images"),
    ):
        with pytest.raises(ConfigError, match=f"stopped run with another {words}: repeat"):
            finetune(options(folder, base, **changes))
    model, _ = load_model(base)
    weights = {k: v + 1 for k, v in model.state_dict().items()}
    other = save_model(base.with_name("other"), model.config, weights)
    with pytest.raises(ConfigError, match="another model:"):
        finetune(options(folder, other))
    monkeypatch.setattr(dense_training.DenseLearner, "losses", stop)  # not one step is left
    written, gains = finetune(options(folder, base, episodes=2))
    assert gains[0].difference.count == 2
    assert [p.name for p in written.parent.iterdir()] == ["squares"]


def test_a_run_that_never_learned_binds_nobody(
    folder: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("vrpsam_app.training.finetune._measure", stop)
        with pytest.raises(KeyboardInterrupt):
            finetune(options(folder, base))
    finetune(options(folder, base, steps=1))


@pytest.mark.parametrize("name", ["embedded", "sam_vit_b", "a/b", "../x", "", ".", "blood.run"])
def test_a_name_that_cannot_be_one_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("VRPSAM_MODELS", str(tmp_path / "models"))
    with pytest.raises(ConfigError, match="cannot be the name"):
        finetune(Finetuning(folder=tmp_path / "nowhere", name=name))
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"episodes": 0}, "Episodes is 0: expected a whole number from 1"),
        ({"steps": -1}, "Steps is -1"),
        ({"cut_episodes": -1}, "Cut-episodes is -1: expected a whole number from 0"),
        ({"workers": -1}, "Workers is -1: expected a whole number from 0"),
        ({"seed": -1}, "Seed is -1"),
        ({"train_images": 0}, "Train-images is 0"),
        ({"learning_rate": float("nan")}, "Learning-rate is nan: expected a number"),
        ({"learning_rate": 0.0}, "Learning-rate is 0"),
    ],
)
def test_numbers_out_of_range_are_refused(
    tmp_path: Path, changes: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        options(tmp_path, tmp_path, **changes)


def test_a_place_that_cannot_be_written_is_named_before_anything_is_measured(
    folder: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VRPSAM_MODELS", str(folder / "meta.json" / "models"))
    monkeypatch.setattr("vrpsam_app.training.finetune._measure", stop)
    with pytest.raises(OutputError, match="cannot be made"):
        finetune(options(folder, base))
