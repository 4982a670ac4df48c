"""Where to cut is learned from answers of the finished model, and nothing else changes."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.vrpsam_app.training.finished import assert_kept, changed_parts, finished, silent, weights
from tests.vrpsam_app.training.small_model import SMALL
from vrpsam_app.models.cut_head import CutHead
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.level_facts import FACTS, LEVELS, TOLD_FACTS
from vrpsam_app.training import cut_fitting
from vrpsam_app.training.batch_source import BatchPlan, SyntheticGroups, stream_batches
from vrpsam_app.training.cut_fitting import (
    CutExamples,
    collect_examples,
    fit_cut_head,
    train_cut_heads,
    value_at,
)
from vrpsam_app.training.episode_sampler import EpisodeMix

PLAN = BatchPlan(
    sources=[(SyntheticGroups(), 1.0)],
    groups=2,
    images=2,
    sizes=((64, 1.0),),
    mix=EpisodeMix(episodes=4, absent=0.0),
)


@pytest.fixture(autouse=True)
def small_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_fitting, "SIZES", ((64, 1.0),))
    monkeypatch.setattr(cut_fitting, "STEPS", 20)


def test_between_levels_values_lie_on_a_line() -> None:
    levels = torch.tensor([-1.0, 0.0, 1.0])
    values = torch.tensor([[0.0, 0.5, 0.8]]).expand(4, -1)
    cut = torch.tensor([-9.0, -0.5, 0.5, 1.0])
    found = value_at(cut, values, levels)
    torch.testing.assert_close(found, torch.tensor([0.0, 0.25, 0.65, 0.8]))


def test_it_changes_the_level_of_answers_and_nothing_else(tmp_path: Path) -> None:
    run = finished(tmp_path, PLAN)
    before = weights(run)
    train_cut_heads(run, episodes=80)
    assert changed_parts(before, run) == {"cut_head", "told_cut_head"}


def test_taken_up_again_it_keeps_what_was_fitted(tmp_path: Path) -> None:
    assert_kept(tmp_path, PLAN, partial(train_cut_heads, episodes=20))


def test_a_head_that_was_fitted_goes_on_from_there() -> None:
    chance = torch.Generator().manual_seed(0)
    # The level that is best is told by the first fact.
    best = torch.randint(4, 17, (400,), generator=chance)
    values = 1 - 0.1 * (torch.arange(LEVELS) - best[:, None]).abs().float()
    facts = torch.randn(400, LEVELS, FACTS, generator=chance)
    facts[..., 0] = (torch.arange(LEVELS) - best[:, None]).abs().float()
    examples = CutExamples(facts, values, torch.ones(400))
    head = CutHead()
    fit_cut_head(head, examples)
    usual = head.mean.clone()
    shifted = CutExamples(facts + 0.1, values, torch.ones(400))
    before = value_at(head(shifted.facts), values, head.levels).mean()
    _, after = fit_cut_head(head, shifted)
    assert torch.equal(head.mean, usual)
    assert after > before - 0.02


def test_examples_say_what_the_answer_as_it_is_is_worth(tmp_path: Path) -> None:
    model = EmbeddedVRPSAM(SMALL).eval()
    some, throughout = collect_examples(model, stream_batches(PLAN, workers=0), 60, report=silent)
    assert len(some) + len(throughout) >= 40
    assert (some.facts.shape[2], throughout.facts.shape[2]) == (FACTS, TOLD_FACTS)
    for examples in (some, throughout):
        assert 0 < float(examples.worth.min()) < float(examples.worth.max()) <= 1
        assert examples.values.amax(1).min() > cut_fitting.HOPELESS
        middle = model.cut_head.levels.abs().argmin()
        as_it_is = value_at(torch.zeros(len(examples)), examples.values, model.cut_head.levels)
        torch.testing.assert_close(as_it_is, examples.values[:, middle])


def test_an_answer_teaches_one_head_alone() -> None:
    masks = dataclasses.replace(PLAN, mix=EpisodeMix(episodes=4, absent=0.0).marked("mask"))
    model = EmbeddedVRPSAM(SMALL).eval()
    some, throughout = collect_examples(model, stream_batches(masks, workers=0), 24, report=silent)
    both = some.facts.flatten(1)[:, None] == throughout.facts[..., :FACTS].flatten(1)
    assert both.numel() > 0
    assert not both.all(2).any()


def test_who_lacks_the_object_teaches_nothing() -> None:
    lacking = dataclasses.replace(PLAN, mix=EpisodeMix(episodes=4, foreign=1.0))
    model = EmbeddedVRPSAM(SMALL).eval()
    some, throughout = collect_examples(model, stream_batches(lacking, workers=0), 8, report=silent)
    assert len(some) + len(throughout) == 0


def test_examples_come_from_answers_without_what_corrects_them() -> None:
    model = EmbeddedVRPSAM(SMALL).eval()
    batches = partial(stream_batches, PLAN, workers=0)
    before, _ = collect_examples(model, batches(), 16, report=silent)
    for part in (model.refiner, model.cut_head, model.told_cut_head):
        torch.nn.init.normal_(part.out.weight)
    after, _ = collect_examples(model, batches(), 16, report=silent)
    torch.testing.assert_close(before.values, after.values)


def test_a_reference_tells_what_each_level_makes_of_it() -> None:
    model = EmbeddedVRPSAM(SMALL).eval()
    _, throughout = collect_examples(model, stream_batches(PLAN, workers=0), 40, report=silent)
    target, own, apart, values = throughout.facts.split([FACTS, FACTS, FACTS, 1], 2)
    torch.testing.assert_close(target - own, apart)
    # The model has fitted the reference itself: some level does well there.
    assert values[..., 0].amax(1).mean() > throughout.values.amax(1).mean()
    assert values.min() >= 0
    assert values.max() <= 1
