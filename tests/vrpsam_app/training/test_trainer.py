"""Training: it learns, it can be stopped anywhere, and what it writes opens everywhere."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from vrpsam_app.config import EMBEDDED_CONFIG
from vrpsam_app.errors import ConfigError
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.load import load_model
from vrpsam_app.training import calibration
from vrpsam_app.training.batch_source import BatchPlan, SyntheticGroups, stream_batches
from vrpsam_app.training.data_sources import FolderWords
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.episode_sampler import EpisodeMix
from vrpsam_app.training.quality import train_quality
from vrpsam_app.training.run import TrainingRun, train
from vrpsam_app.training.trainer import Trainer, TrainingOptions

SMALL = dataclasses.replace(
    EMBEDDED_CONFIG,
    sam=dataclasses.replace(EMBEDDED_CONFIG.sam, width=8, prompt_dim=32, depth=1, image_size=64),
    vrp_encoder=dataclasses.replace(EMBEDDED_CONFIG.vrp_encoder, hidden_dim=32, num_queries=4),
)
PLAN = BatchPlan(
    sources=[(SyntheticGroups(), 1.0)],
    groups=1,
    images=2,
    sizes=((64, 1.0),),
    mix=EpisodeMix(episodes=3),
)


def batches(step: int) -> Iterator[EpisodeBatch]:
    return stream_batches(PLAN, step, workers=0)


def trainer(folder: Path, steps: int = 8) -> Trainer:
    torch.manual_seed(0)
    options = TrainingOptions(steps=steps, warmup=2, log_every=1, save_every=100)
    return Trainer(EmbeddedVRPSAM(SMALL), options, folder, device=torch.device("cpu"))


@pytest.fixture(autouse=True)
def quick_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibrate on one batch: what it gives is tested elsewhere."""
    monkeypatch.setattr(calibration, "BATCHES", 1)


def silent(line: str) -> None:
    """Swallow a progress line."""


def losses(folder: Path) -> list[str]:
    with (folder / "log.csv").open() as file:
        return [row["loss"] for row in csv.DictReader(file)]


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    whole = trainer(tmp_path / "whole")
    whole.run(batches, report=silent)
    first = trainer(tmp_path / "parts")
    first.run(batches, until=lambda: first.step >= 3, report=silent)
    second = trainer(tmp_path / "parts")
    assert second.step == 3
    second.run(batches, report=silent)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    for key, value in whole.average.weights.items():
        assert torch.equal(value, second.average.weights[key]), key


def test_the_loss_falls_on_one_batch(tmp_path: Path) -> None:
    only = next(batches(0))

    def same(step: int) -> Iterator[EpisodeBatch]:
        while True:
            yield only

    learner = trainer(tmp_path, steps=30)
    learner.run(same, report=silent)
    found = [float(x) for x in losses(tmp_path)]
    assert sum(found[-3:]) / 3 < 0.8 * found[0]


def test_a_run_writes_a_model_that_opens_and_says_how_it_was_made(tmp_path: Path) -> None:
    lines: list[str] = []
    folder = train(
        TrainingRun(
            config=SMALL,
            folder=tmp_path / "run",
            steps=2,
            groups=1,
            workers=0,
            quality_steps=1,
            export=tmp_path / "exported",
        ),
        report=lines.append,
    )
    model, _ = load_model(folder)
    assert model.config.training["steps"] == 2
    assert model.config.training["synthetic_share"] == 1.0
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()
    assert any("7 sources" in line or "1 sources" in line for line in lines)


def test_a_run_can_begin_with_another_models_weights(tmp_path: Path) -> None:
    first = train(
        TrainingRun(
            config=SMALL, folder=tmp_path / "a", steps=1, groups=1, workers=0, quality_steps=0
        ),
        silent,
    )
    again = train(
        TrainingRun(
            config=SMALL,
            folder=tmp_path / "b",
            steps=0,
            groups=1,
            workers=0,
            quality_steps=0,
            start_from=first,
        ),
        silent,
    )
    ours, theirs = load_model(first)[0].state_dict(), load_model(again)[0].state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())


def test_words_after_a_folder(tmp_path: Path) -> None:
    words = FolderWords.parse(f"{tmp_path},one-image,weight=2.5")
    assert (words.folder, words.one_image, words.upright, words.weight) == (
        tmp_path,
        True,
        False,
        2.5,
    )
    with pytest.raises(ConfigError, match="'sideways' is not known"):
        FolderWords.parse("folder,sideways")
    with pytest.raises(ConfigError, match="weight=x"):
        FolderWords.parse("folder,weight=x")


def test_the_last_stage_changes_how_masks_are_judged_and_no_mask(tmp_path: Path) -> None:
    finished = trainer(tmp_path, steps=1)
    finished.run(batches, report=silent)
    before = {k: v.clone() for k, v in finished.average.weights.items()}
    judged = train_quality(finished, PLAN, tmp_path / "quality", steps=2, workers=0, report=silent)
    changed = {k for k, v in judged.average.weights.items() if not torch.equal(v, before[k])}
    assert changed
    assert all(name.startswith("quality_head.") for name in changed)
