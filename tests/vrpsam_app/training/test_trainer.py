"""Training: it learns, it can be stopped anywhere, and what it writes opens everywhere."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.vrpsam_app.training.small_model import SMALL, read_elsewhere
from vrpsam_app.config import EMBEDDED_CONFIG
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.load import load_model
from vrpsam_app.training import cut_fitting, dense_batches, quality_fitting
from vrpsam_app.training.batch_source import BatchPlan, SyntheticGroups
from vrpsam_app.training.checkpoints import STATE_NAME, load_state, save_state
from vrpsam_app.training.data_sources import GroupData, training_sources, validation_sources
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.episode_sampler import EpisodeMix, sample_batch
from vrpsam_app.training.run import TrainingRun, train
from vrpsam_app.training.trainer import Trainer, TrainingOptions

PLAN = BatchPlan(
    sources=[(SyntheticGroups(), 1.0)],
    groups=1,
    images=2,
    sizes=((64, 1.0),),
    mix=EpisodeMix(episodes=1),
)


@cache
def made(step: int) -> EpisodeBatch:
    """Draw a small batch once for all runs."""
    rng = np.random.default_rng([0, step])
    group = SyntheticGroups().sample(rng, 64, 2)
    return sample_batch([group], rng, EpisodeMix(episodes=6, two_shots=0))


def batches(first: int) -> Iterator[EpisodeBatch]:
    return map(made, count(first))


def trainer(folder: Path, steps: int = 20) -> Trainer:
    torch.manual_seed(0)
    options = TrainingOptions(steps=steps, warmup=2, log_every=1, save_every=100)
    return Trainer(EmbeddedVRPSAM(SMALL), options, folder, device=torch.device("cpu"))


@pytest.fixture(autouse=True)
def quick_last_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge small views in a few steps: what it gives is tested elsewhere."""
    monkeypatch.setattr(quality_fitting, "SIZES", ((64, 1.0),))
    monkeypatch.setattr(quality_fitting, "STEPS", 5)


def silent(line: str) -> None:
    """Swallow a progress line."""


def losses(folder: Path) -> list[str]:
    with (folder / "log.csv").open() as file:
        return [row["loss"] for row in csv.DictReader(file)]


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    whole = trainer(tmp_path / "whole")
    whole.run(batches, report=silent)
    first = trainer(tmp_path / "parts")
    first.run(batches, until=lambda: first.step >= 7, report=silent)
    read_elsewhere(tmp_path / "parts" / STATE_NAME)
    second = trainer(tmp_path / "parts")
    assert second.step == 7
    second.run(batches, report=silent)
    assert len(losses(tmp_path / "whole")) == 20
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


def short_run(folder: Path, **changes: Any) -> TrainingRun:
    """A run of a small model, without the stages before and after the episodes."""
    short = TrainingRun(
        config=SMALL,
        folder=folder,
        groups=1,
        workers=0,
        dense_steps=0,
        cut_episodes=0,
        refined_episodes=0,
        quality_episodes=0,
    )
    return dataclasses.replace(short, **changes)


def test_a_run_writes_a_model_that_opens_and_says_how_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense_batches, "SIZES", ((64, 1.0),))
    monkeypatch.setattr(dense_batches, "GROUPS", 1)
    lines: list[str] = []
    folder = train(
        short_run(
            tmp_path / "run",
            steps=2,
            dense_steps=1,
            quality_episodes=8,
            export=tmp_path / "exported",
        ),
        report=lines.append,
    )
    model, _ = load_model(folder)
    assert model.config.training["steps"] == 2
    assert model.config.training["dense_steps"] == 1
    assert model.config.training["synthetic_share"] == 1.0
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()
    assert any("7 sources" in line or "1 sources" in line for line in lines)


def test_time_may_run_out_in_the_first_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense_batches, "SIZES", ((64, 1.0),))
    monkeypatch.setattr(dense_batches, "GROUPS", 1)
    run = short_run(
        tmp_path,
        steps=1,
        dense_steps=2,
        minutes=0.0,
    )
    stopped = train(run, silent)
    assert load_model(stopped)[0].config.training["dense_steps"] == 1
    assert not (tmp_path / "state.pt").exists()
    lines: list[str] = []
    finished = train(dataclasses.replace(run, minutes=None), lines.append)
    assert "from step 1 of 2" in lines[0]
    assert load_model(finished)[0].config.training["dense_steps"] == 2


def test_a_run_can_begin_with_another_models_weights(tmp_path: Path) -> None:
    first = train(
        short_run(
            tmp_path / "a",
            steps=1,
        ),
        silent,
    )
    again = train(
        short_run(
            tmp_path / "b",
            steps=0,
            start_from=first,
        ),
        silent,
    )
    ours, theirs = load_model(first)[0].state_dict(), load_model(again)[0].state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())


def test_a_run_goes_on_only_as_what_it_was_begun_as(tmp_path: Path) -> None:
    train(short_run(tmp_path, steps=1), silent)
    queries = dataclasses.replace(SMALL.vrp_encoder, num_queries=2)
    config = dataclasses.replace(SMALL, vrp_encoder=queries)
    with pytest.raises(ConfigError, match=r"another config\.vrp-encoder\.num-queries, groups:"):
        train(short_run(tmp_path, steps=1, groups=2, config=config), silent)
    train(short_run(tmp_path, steps=1, workers=1, minutes=60.0), silent)


@pytest.fixture
def small_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first and the last stages look at little."""
    monkeypatch.setattr(dense_batches, "SIZES", ((64, 1.0),))
    monkeypatch.setattr(dense_batches, "GROUPS", 1)
    monkeypatch.setattr(cut_fitting, "SIZES", ((64, 1.0),))
    monkeypatch.setattr(cut_fitting, "STEPS", 5)


def heads(folder: Path) -> dict[str, torch.Tensor]:
    state = load_model(folder)[0].state_dict()
    return {name: value for name, value in state.items() if "cut_head" in name}


@pytest.mark.usefixtures("small_stages")
def test_a_longer_first_stage_reaches_the_model_and_what_stands_on_it(tmp_path: Path) -> None:
    def dense(steps: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        run = short_run(tmp_path, steps=1, dense_steps=steps, cut_episodes=16)
        folder = train(run, silent)
        model, _ = load_model(folder)
        assert model.config.training["dense_steps"] == steps
        assert model.config.training["steps"] == 1
        return model.dense_encoder.state_dict(), heads(folder)

    first, cut_first = dense(1)
    longer, cut_longer = dense(3)
    assert any(not torch.equal(value, longer[name]) for name, value in first.items())
    assert any(not torch.equal(value, cut_longer[name]) for name, value in cut_first.items())
    # Asked for less of what it had, a run stays as it is.
    again, _ = load_model(train(short_run(tmp_path, steps=1, cut_episodes=16), silent))
    kept = again.dense_encoder.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in longer.items())
    assert again.config.training["dense_steps"] == 3


@pytest.mark.usefixtures("small_stages")
def test_a_last_stage_is_learned_anew_when_more_is_asked(tmp_path: Path) -> None:
    few = heads(train(short_run(tmp_path, steps=2, cut_episodes=12), silent))
    lines: list[str] = []
    run = short_run(tmp_path, steps=1, cut_episodes=40)
    folder = train(run, lines.append)
    assert any("value" in line for line in lines)
    more = heads(folder)
    assert any(not torch.equal(value, more[name]) for name, value in few.items())
    training = load_model(folder)[0].config.training
    assert (training["steps"], training["cut_episodes"]) == (2, 40)
    lines.clear()
    train(run, lines.append)
    assert not any("value" in line for line in lines)


@pytest.mark.parametrize("name", ["state.pt", "dense.pt"])
@pytest.mark.usefixtures("small_stages")
def test_a_damaged_state_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    run = short_run(tmp_path, steps=1, dense_steps=1)
    train(run, silent)
    path = tmp_path / name
    whole = path.read_bytes()
    state = load_state(path)
    assert state is not None
    for spoil in (
        lambda: path.write_bytes(whole[: len(whole) // 2]),
        lambda: path.write_bytes(b""),
        lambda: save_state(path, {**state, "optimizer": {"state": {}, "param_groups": []}}),
        lambda: save_state(path, {"step": 1}),
    ):
        spoil()
        with pytest.raises(ConfigError, match=rf"{name} is not the state of .*remove it to begin"):
            train(run, silent)


def test_data_are_named_by_words_or_opened(tmp_path: Path, blocks: type) -> None:
    words = GroupData.of(f"{tmp_path},one-image,weight=2.5")
    assert words.facts() == {
        "name": tmp_path.name,
        "weight": 2.5,
        "one_image": True,
        "upright": False,
    }
    opened = GroupData.of(blocks())
    assert opened.learned().dataset.name == "blocks"
    assert [name for name, _ in validation_sources([opened])] == []
    (scenes, own) = training_sources([opened], 0.25)
    assert (scenes[1], own[1]) == (0.25, 0.75)
    with pytest.raises(ConfigError, match="'sideways' is not known"):
        GroupData.of("folder,sideways")


@pytest.mark.parametrize("marks", ["box", None])
def test_a_run_keeps_to_its_marks_and_loss(tmp_path: Path, blocks: type, marks: str | None) -> None:
    folder = train(
        short_run(
            tmp_path,
            data=(blocks(count=8),),
            steps=1,
            marks=marks,
            loss="bce",
        ),
        silent,
    )
    training = load_model(folder)[0].config.training
    assert training.get("marks") == marks
    assert training["folders"][0]["name"] == "blocks"


def test_a_killed_run_forgets_what_came_after_its_state(tmp_path: Path) -> None:
    first = trainer(tmp_path)
    first.run(batches, until=lambda: first.step >= 3, report=silent)
    with (tmp_path / "log.csv").open("a") as file:
        file.write("4,1.0,99,0,0,0,0,0\n")
    second = trainer(tmp_path)
    second.run(batches, until=lambda: second.step >= 5, report=silent)
    with (tmp_path / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4", "5"]
    assert "99" not in losses(tmp_path)


def test_a_cooldown_keeps_the_rate_and_then_lets_it_fall(tmp_path: Path) -> None:
    options = TrainingOptions(steps=10, cooldown=4, warmup=0, floor=0.0)
    model = EmbeddedVRPSAM(EMBEDDED_CONFIG)
    cooling = Trainer(model, options, tmp_path, device=torch.device("cpu"))
    rates = []
    for cooling.step in range(11):
        rates.append(cooling.rate())
    assert rates[:7] == [options.learning_rate] * 7
    assert rates[7:] == pytest.approx([options.learning_rate * k / 4 for k in (3, 2, 1, 0)])


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        trainer(tmp_path / "file" / "run")
    with pytest.raises(OutputError, match="cannot be made"):
        train(short_run(tmp_path / "file" / "run"), silent)
