"""The closed-form prior: finds what is marked, and takes unmarked for unknown."""

from __future__ import annotations

import torch
from torch import Tensor

from vrpsam_app.models.closed_form_prior import ClosedFormPrior, NormalEquations

NOT_A_BOX = torch.tensor([False])


def two_materials(seed: int) -> tuple[Tensor, Tensor]:
    """Features (1, 8, 24, 24) of six separate objects on a ground, and where the objects are."""
    generator = torch.Generator().manual_seed(seed)
    objects = torch.zeros(24, 24, dtype=torch.bool)
    for row in (2, 13):
        for col in (1, 9, 17):
            objects[row : row + 6, col : col + 5] = True
    means = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))
    features = means[objects.long()].permute(2, 0, 1)[None]
    return features + 0.3 * torch.randn(features.shape, generator=generator), objects


def marks_of(positive: Tensor, certain: Tensor | None = None) -> Tensor:
    """Stack maps (1, 3, h, w) of object, certain background, weak background."""
    none = torch.zeros_like(positive)
    return torch.stack([positive, none if certain is None else certain, none])[None].float()


def one_object(objects: Tensor) -> Tensor:
    """Keep only the first object."""
    first = torch.zeros_like(objects)
    first[2:8, 1:6] = True
    return first & objects


def iou(score: Tensor, truth: Tensor) -> float:
    found = score[0, 0] > 0
    return float((found & truth).sum() / (found | truth).sum())


@torch.no_grad()
def test_one_object_of_six_finds_the_other_five_in_another_image() -> None:
    features, objects = two_materials(0)
    target, there = two_materials(5)
    prior = ClosedFormPrior(8)
    equations = prior.fit(features, marks_of(one_object(objects)), NOT_A_BOX)
    assert iou(prior.score(target, equations), there) > 0.95


@torch.no_grad()
def test_taking_unmarked_pixels_for_background_would_be_worse() -> None:
    """The guard of the test above: certain background on the other objects spoils the fit."""
    features, objects = two_materials(0)
    prior = ClosedFormPrior(8)
    marked = one_object(objects)
    as_unknown = prior.score(features, prior.fit(features, marks_of(marked), NOT_A_BOX))
    against = prior.fit(features, marks_of(marked, ~marked), NOT_A_BOX)
    others = objects & ~marked
    assert as_unknown[0, 0][others].mean() > prior.score(features, against)[0, 0][others].mean()


@torch.no_grad()
def test_the_score_is_normalised_to_object_and_background() -> None:
    features, objects = two_materials(0)
    prior = ClosedFormPrior(8)
    score = prior.score(features, prior.fit(features, marks_of(objects, ~objects), NOT_A_BOX))
    assert abs(float(score[0, 0][objects].mean()) - 1) < 0.05
    assert abs(float(score[0, 0][~objects].mean()) + 1) < 0.05


@torch.no_grad()
def test_the_order_of_references_does_not_matter() -> None:
    first, objects = two_materials(0)
    second, _ = two_materials(3)
    target, _ = two_materials(5)
    prior = ClosedFormPrior(8)
    a = prior.fit(first, marks_of(objects), NOT_A_BOX)
    b = prior.fit(second, marks_of(one_object(objects)), NOT_A_BOX)
    torch.testing.assert_close(prior.score(target, a + b), prior.score(target, b + a))


@torch.no_grad()
def test_a_not_this_reference_lowers_what_it_marks() -> None:
    features, objects = two_materials(0)
    prior = ClosedFormPrior(8)
    left = objects & (torch.arange(24) < 8)
    look_alike = objects & (torch.arange(24) >= 16)
    features = features.clone()
    features[0, 0][look_alike] += 1.5
    shown = prior.fit(features, marks_of(left), NOT_A_BOX)
    against = prior.fit(features, marks_of(torch.zeros_like(left), look_alike), NOT_A_BOX)
    before = prior.score(features, shown)[0, 0][look_alike].mean()
    after = prior.score(features, shown + against)[0, 0][look_alike].mean()
    assert after < before - 0.3


def test_the_features_can_be_learned_through_it() -> None:
    features, objects = two_materials(0)
    features.requires_grad_()
    prior = ClosedFormPrior(8)
    prior.score(features, prior.fit(features, marks_of(objects), NOT_A_BOX)).sum().backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()
    assert features.grad.abs().sum() > 0


@torch.no_grad()
def test_a_single_marked_cell_counts() -> None:
    features, objects = two_materials(0)
    single = torch.zeros_like(objects)
    single[4, 3] = True
    prior = ClosedFormPrior(8)
    equations = prior.fit(features, marks_of(single), NOT_A_BOX)
    assert isinstance(equations, NormalEquations)
    assert float(equations.has_positive) == 1
    assert iou(prior.logits(prior.score(features, equations), equations), objects) > 0.8


@torch.no_grad()
def test_mixed_precision_does_not_touch_the_fit() -> None:
    features, objects = two_materials(0)
    prior = ClosedFormPrior(8)
    plain = prior.fit(features, marks_of(objects), NOT_A_BOX)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = prior.fit(features, marks_of(objects), NOT_A_BOX)
        score = prior.score(features, mixed)
    assert torch.equal(plain.gram, mixed.gram)
    assert torch.equal(score, prior.score(features, plain))
