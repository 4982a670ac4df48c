"""Judging is learned from answers of the finished model, and no mask changes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from tests.vrpsam_app.training.finished import assert_kept, changed_parts, finished, silent, weights
from tests.vrpsam_app.training.small_model import SMALL
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.quality_facts import QUALITY_FACTS
from vrpsam_app.models.quality_head import QualityHead
from vrpsam_app.training import quality_fitting
from vrpsam_app.training.batch_source import BatchPlan, SyntheticGroups, stream_batches
from vrpsam_app.training.episode_sampler import EpisodeMix
from vrpsam_app.training.objective import run_batch
from vrpsam_app.training.quality_fitting import (
    JudgedAnswers,
    collect_answers,
    fit_quality_head,
    presence_threshold,
    train_quality_head,
)

PLAN = BatchPlan(
    sources=[(SyntheticGroups(), 1.0)],
    groups=2,
    images=2,
    sizes=((64, 1.0),),
    mix=EpisodeMix(episodes=4, foreign=0.5),
)


@pytest.fixture(autouse=True)
def small_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality_fitting, "SIZES", ((64, 1.0),))
    monkeypatch.setattr(quality_fitting, "STEPS", 20)


def told(count: int) -> JudgedAnswers:
    """Answers whose first fact is their IoU, shifted; one in four lacks its object."""
    chance = torch.Generator().manual_seed(1)
    present = (torch.rand(count, generator=chance) > 0.25).float()
    iou = torch.rand(count, generator=chance) * present
    facts = torch.randn(count, QUALITY_FACTS, generator=chance)
    facts[:, 0] = 40 + 7 * iou
    return JudgedAnswers(facts, iou, present)


def test_it_finds_the_fact_that_tells_good_from_bad() -> None:
    head = QualityHead()
    answers = told(2000)
    fitted = fit_quality_head(head, answers, steps=400)
    assert fitted.error < 0.1
    assert fitted.refused > 0.5
    score, presence = head(answers.facts).sigmoid().unbind(1)
    good = answers.iou > 0.6
    assert score[good].mean() > 0.6
    assert presence[good].mean() > 0.9
    assert presence[answers.present == 0].mean() < 0.4


def test_what_answers_were_worth_is_kept_and_absent_ones_are_worth_nothing() -> None:
    model = EmbeddedVRPSAM(SMALL).eval()
    answers = collect_answers(model, stream_batches(PLAN, workers=0), 30, report=silent)
    assert len(answers) >= 30
    assert answers.facts.shape == (len(answers), QUALITY_FACTS)
    absent = answers.present == 0
    assert 0 < absent.sum() < len(answers)
    assert (answers.iou[absent] == 0).all()
    # The head reads the same facts when it is asked.
    batch = next(stream_batches(PLAN, workers=0))
    with torch.no_grad():
        scores = torch.cat([output.score for _, output in run_batch(model, batch)])
        judged = model.quality_head(answers.facts[: len(scores)])[:, 0].sigmoid()
    torch.testing.assert_close(judged, scores, atol=1e-5, rtol=1e-4)


def test_it_changes_how_masks_are_judged_and_no_mask(tmp_path: Path) -> None:
    run = finished(tmp_path, PLAN)
    before = weights(run)
    threshold = train_quality_head(run, episodes=20)
    assert threshold is not None
    assert 0 <= threshold <= 0.5
    assert changed_parts(before, run) == {"quality_head"}


def test_taken_up_again_it_keeps_what_was_fitted(tmp_path: Path) -> None:
    assert_kept(tmp_path, PLAN, partial(train_quality_head, episodes=20))


def test_without_episodes_the_head_stays(tmp_path: Path) -> None:
    assert train_quality_head(finished(tmp_path, PLAN), episodes=0) is None
    assert not (tmp_path / "quality_head.pt").exists()


@pytest.mark.parametrize(
    ("presences", "expected"),
    [([0.1, 0.2, 0.3, 0.4, 0.9], 0.2), ([0.7, 0.8, 0.9, 0.95, 0.99], 0.5)],
)
def test_a_quarter_may_be_lost_but_never_above_one_half(
    presences: list[float], expected: float
) -> None:
    found = presence_threshold(torch.tensor(presences), torch.ones(5), cost=0.25)
    assert found == pytest.approx(expected)


def test_an_answer_without_worth_costs_nothing() -> None:
    presence, iou = torch.tensor([0.1, 0.2, 0.4]), torch.tensor([0.0, 0.0, 1.0])
    assert presence_threshold(presence, iou, cost=0.1) == pytest.approx(0.4)
