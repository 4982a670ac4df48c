"""Where to cut is learned from answers of the finished model, and nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.vrpsam_app.training.small_model import SMALL
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.training import cut_fitting
from vrpsam_app.training.batch_source import BatchPlan, SyntheticGroups, stream_batches
from vrpsam_app.training.cut_fitting import (
    collect_examples,
    train_cut_head,
    value_at,
    values_of,
)
from vrpsam_app.training.episode_sampler import EpisodeMix
from vrpsam_app.training.trainer import Trainer, TrainingOptions

PLAN = BatchPlan(
    sources=[(SyntheticGroups(), 1.0)],
    groups=2,
    images=2,
    sizes=((64, 1.0),),
    mix=EpisodeMix(episodes=4, foreign=0.5),
)


@pytest.fixture(autouse=True)
def small_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_fitting, "SIZES", ((64, 1.0),))
    monkeypatch.setattr(cut_fitting, "STEPS", 20)


def silent(line: str) -> None:
    """Swallow a progress line."""


def learner(folder: Path) -> Trainer:
    torch.manual_seed(0)
    return Trainer(
        EmbeddedVRPSAM(SMALL), TrainingOptions(steps=1), folder, device=torch.device("cpu")
    )


def test_values_are_ious_at_each_level() -> None:
    logits = torch.tensor([[-3.0, -1.0], [1.0, 3.0]])[None, None]
    truth = torch.tensor([[0.0, 0.0], [1.0, 1.0]])[None, None]
    levels = torch.tensor([-4.0, -2.0, 0.0, 2.0, 4.0])
    here = torch.ones(1)
    found = values_of(logits, truth, None, here, levels)
    torch.testing.assert_close(found, torch.tensor([[0.5, 2 / 3, 1.0, 0.5, 0.0]]))
    known = torch.tensor([[1.0, 0.0], [1.0, 0.0]])[None, None]
    torch.testing.assert_close(
        values_of(logits, truth, known, here, levels), torch.tensor([[0.5, 1.0, 1.0, 0.0, 0.0]])
    )


def test_without_the_object_what_is_found_costs() -> None:
    logits = torch.linspace(-1, 1, 1000).reshape(1, 1, 20, 50)
    levels = torch.tensor([-2.0, 0.0, 0.98, 2.0])
    found = values_of(logits, torch.zeros_like(logits), None, torch.zeros(1), levels)
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0, 0.5, 1.0]]), atol=0.01, rtol=0)


def test_between_levels_values_lie_on_a_line() -> None:
    levels = torch.tensor([-1.0, 0.0, 1.0])
    values = torch.tensor([[0.0, 0.5, 0.8]]).expand(4, -1)
    cut = torch.tensor([-9.0, -0.5, 0.5, 1.0])
    found = value_at(cut, values, levels)
    torch.testing.assert_close(found, torch.tensor([0.0, 0.25, 0.65, 0.8]))


def test_it_changes_the_level_of_answers_and_nothing_else(tmp_path: Path) -> None:
    trained = learner(tmp_path)
    before = {k: v.clone() for k, v in trained.average.weights.items()}
    train_cut_head(trained, PLAN, tmp_path, episodes=20, workers=0, report=silent)
    after = trained.average.weights
    assert set(after) == set(before)
    changed = {k for k, v in after.items() if not torch.equal(v, before[k])}
    assert changed
    assert all(name.startswith("cut_head.") for name in changed)


def test_taken_up_again_it_keeps_what_was_fitted(tmp_path: Path) -> None:
    trained = learner(tmp_path)
    train_cut_head(trained, PLAN, tmp_path, episodes=20, workers=0, report=silent)
    again = learner(tmp_path)
    lines: list[str] = []
    train_cut_head(again, PLAN, tmp_path, episodes=20, workers=0, report=lines.append)
    assert not lines
    for name, value in trained.average.weights.items():
        assert torch.equal(value, again.average.weights[name])


def test_examples_say_what_the_answer_as_it_is_is_worth(tmp_path: Path) -> None:
    model = EmbeddedVRPSAM(SMALL).eval()
    examples = collect_examples(model, stream_batches(PLAN, workers=0), 30, report=silent)
    assert len(examples) >= 30
    worth = examples.worth
    assert 0 < float(worth.min()) < float(worth.max()) <= 1
    # Without the object nothing is covered, and the worth is the same for all.
    assert (worth == cut_fitting.WORTH_OF_ABSENT).sum() > 1
    assert examples.values.amax(1).min() > cut_fitting.HOPELESS
    middle = model.cut_head.levels.abs().argmin()
    as_it_is = value_at(torch.zeros(len(examples)), examples.values, model.cut_head.levels)
    torch.testing.assert_close(as_it_is, examples.values[:, middle])


def test_references_marked_throughout_are_not_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[BatchPlan] = []

    def see(plan: BatchPlan, *, workers: int) -> Any:
        plans.append(plan)
        return stream_batches(plan, workers=workers)

    monkeypatch.setattr(cut_fitting, "stream_batches", see)
    train_cut_head(learner(tmp_path), PLAN, tmp_path, episodes=4, workers=0, report=silent)
    (plan,) = plans
    assert "mask" not in dict(plan.mix.gestures)
    assert "mask" in dict(PLAN.mix.gestures)
    assert plan.seed != PLAN.seed
