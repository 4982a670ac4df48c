"""Presets say what the paper says, and a run of a fold is made of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.training.presets import PRESETS, paper_run
from vrpsam_app.training.training_run import TrainingRun

FILES = {"sam": Path("sam.pth"), "backbone": Path("r50.pth")}


@pytest.mark.parametrize(("name", "rate", "epochs"), [("coco", 1e-4, 50), ("pascal", 2e-4, 100)])
def test_published_settings(name: str, rate: float, epochs: int) -> None:
    run = paper_run(f"paper-{name}", Path("data"), 2, Path("run"), **FILES)
    assert (run.learning_rate, run.epochs, run.batch, run.seed) == (rate, epochs, 8, 321)
    assert run.steps is None
    encoder = run.config.vrp_encoder
    assert (encoder.num_queries, encoder.image_size, run.config.sam.name) == (50, 512, "vit_h")
    (words,) = run.data
    assert (words.benchmark, words.fold, words.novel) == (
        f"{name}{'20i' if name == 'coco' else '5i'}",
        2,
        "excluded",
    )
    assert run.config.name == f"paper-{name}-fold2"


def test_changes_win_over_the_preset() -> None:
    run = paper_run(
        "paper-coco", Path("d"), 0, Path("r"), **FILES, steps=5, batch=2, novel="background"
    )
    assert (run.steps, run.batch, run.data[0].novel) == (5, 2, "background")


@pytest.mark.parametrize("name", ["embedded", "paper-lvis"])
def test_what_has_no_folds_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="paper-coco, paper-pascal"):
        paper_run(name, Path("d"), 0, Path("r"), **FILES)


def test_settings_are_fields_of_a_run() -> None:
    known = {field.name for field in dataclasses.fields(TrainingRun)}
    assert all(set(preset.settings) <= known for preset in PRESETS.values())
