"""Facts about a mask say how sure it is, and whether it shows what the reference showed."""

from __future__ import annotations

import torch
from torch import Tensor

from vrpsam_app.models.closed_form_prior import ClosedFormPrior
from vrpsam_app.models.quality_facts import QUALITY_FACTS, DenseEvidence, Drawing, quality_facts

PRIOR = ClosedFormPrior(4)


def split(left: float, right: float) -> Tensor:
    """A map (1, 1, 16, 16) of two halves."""
    values = torch.full((1, 1, 16, 16), right)
    values[..., :8] = left
    return values


def features(left: float, right: float) -> Tensor:
    """Four channels that differ between the halves."""
    return torch.cat([split(left, right), split(right, left)] * 2, 1)


def facts(mask: Tensor, target: Tensor) -> Tensor:
    """Judge a mask by a reference whose left half, ones and minus ones, is the object."""
    shown = features(1.0, -1.0)
    marks = torch.cat([split(1, 0), split(0, 1), split(0, 0)], 1)
    with torch.no_grad():
        equations = PRIOR.fit(shown, marks, torch.tensor([False]))
        score = PRIOR.score(target, equations)
        margin = PRIOR.margin(equations)
    evidence = DenseEvidence(target, equations, score, margin)
    cells = torch.tensor([100.0])
    drawing = Drawing(mask, mask, score, score, score, margin, cells, evidence)
    return quality_facts(mask, drawing, torch.tensor([[1.0, 0.75]]))[0]


def test_what_was_shown_is_kindred() -> None:
    same = features(1.0, -1.0)
    right, wrong = facts(split(8, -8), same), facts(split(-8, 8), same)
    assert right.shape == (QUALITY_FACTS,)
    kindred, apart, *told = right[-4:]
    assert told == [1.0, 0.75]
    assert float(kindred) > 0.99
    assert float(apart) < 0.05
    assert float(wrong[-4]) < 0
    assert float(wrong[-3]) > 1.5
    # Mean score of dense features inside the mask, and outside.
    assert float(right[13]) > 0.8
    assert float(right[14]) < -0.8
    assert float(wrong[13]) < -0.8


def test_an_unsure_mask_is_known_for_it() -> None:
    same = features(1.0, -1.0)
    sure, unsure = facts(split(8, -8), same), facts(split(0.3, -0.3), same)
    assert float(sure[0]) > float(unsure[0]) + 0.3
    assert float(sure[3]) == 0
    assert float(unsure[3]) == 1


def test_nothing_found_is_no_error() -> None:
    assert bool(torch.isfinite(facts(split(-8, -8), features(1.0, -1.0))).all())
