"""The curved prior: borders that no plane draws, and a quality that says how well it works."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vrpsam_app.models.closed_form_prior import ClosedFormPrior
from vrpsam_app.models.curved_prior import FOLDS, CurvedFit, CurvedPrior, Samples, joined

NOT_A_BOX = torch.tensor([False])


def three_levels(seed: int, noise: float = 0.1) -> tuple[Tensor, Tensor]:
    """Features (1, 3, 64, 64) of dark ground and bright objects with grey rims; the rims."""
    generator = torch.Generator().manual_seed(seed)
    level = torch.zeros(64, 64)
    for row in range(4, 64, 16):
        for col in range(4, 64, 16):
            level[row : row + 10, col : col + 10] = 1
            level[row + 2 : row + 9, col + 2 : col + 9] = 2
    features = level[None] + noise * torch.randn(3, 64, 64, generator=generator)
    return features[None], (level == 1)[None, None]


def marks_of(positive: Tensor, certain: Tensor) -> Tensor:
    """Stack maps (1, 3, h, w) of object, certain background, weak background."""
    return torch.cat([positive, certain, torch.zeros_like(positive)], 1).float()


def prior() -> CurvedPrior:
    return CurvedPrior(3, width=1.0, samples=1024)


def iou(score: Tensor, truth: Tensor) -> float:
    found = score > 0
    return float((found & truth).sum() / (found | truth).sum())


def test_what_lies_between_two_others_is_found_where_a_plane_fails() -> None:
    features, grey = three_levels(0)
    target, there = three_levels(1)
    marks = marks_of(grey, ~grey)
    curved = prior()
    fit = curved.fit(curved.sample(features, marks))
    straight = ClosedFormPrior(3)
    plane = straight.score(target, straight.fit(features, marks, NOT_A_BOX))
    assert iou(curved.score(target, fit), there) > 0.9
    assert iou(plane, there) < 0.6
    assert abs(float(fit.quality) - iou(curved.score(target, fit), there)) < 0.1


def test_quality_falls_where_nothing_can_be_told_apart() -> None:
    _, grey = three_levels(0)
    noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    curved = prior()
    fit = curved.fit(curved.sample(noise, marks_of(grey, ~grey)))
    # No better than taking everything for the object.
    assert float(fit.quality) < float(grey.float().mean()) + 0.05


def test_an_object_in_one_place_cannot_be_tried() -> None:
    features, grey = three_levels(0)
    alone = torch.zeros_like(grey)
    alone[..., 4:7, 4:7] = grey[..., 4:7, 4:7]
    curved = prior()
    assert float(curved.fit(curved.sample(features, marks_of(alone, ~alone))).quality) == 0


@pytest.mark.parametrize("share", [0.02, 0.6])
def test_samples_stand_for_all_cells(share: float) -> None:
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(2, 3, 48, 40, generator=generator)
    positive = torch.rand(2, 1, 48, 40, generator=generator) < share
    marks = marks_of(positive, ~positive)
    samples = CurvedPrior(3, width=1.0, samples=256).sample(features, marks)
    assert samples.features.shape == (2, FOLDS, 64, 3)
    torch.testing.assert_close(samples.shares.sum((1, 2)), marks[:, :2].sum((2, 3)))


def test_several_references_cost_no_more_than_one_and_the_first_is_not_forgotten() -> None:
    curved = prior()
    scenes = [three_levels(seed) for seed in range(3)]
    samples = [curved.sample(f, marks_of(g, ~g)) for f, g in scenes]
    together = joined(samples)
    assert together.features.shape[2] <= samples[0].features.shape[2] + len(samples)
    target, there = three_levels(9)
    assert iou(curved.score(target, curved.fit(together)), there) > 0.9


def test_not_this_weighs_as_much_as_a_background() -> None:
    features, grey = three_levels(0)
    curved = prior()
    shown = curved.sample(features, marks_of(grey, ~grey))
    few = torch.zeros_like(grey)
    few[..., :3, :3] = True
    against = curved.sample(features, marks_of(torch.zeros_like(grey), few))
    areas = joined([shown, against]).shares
    size = shown.features.shape[2] // 2
    first, second = areas[:, :, :size, 1].sum(), areas[:, :, size:, 1].sum()
    assert float(second / shown.shares[..., 1].sum()) == pytest.approx(
        float(against.shares[:, :, ::2, 1].sum() / against.shares[..., 1].sum()), rel=1e-5
    )
    assert float(second) > 0.2 * float(first)


def test_only_some_items_are_fitted() -> None:
    scenes = [three_levels(seed) for seed in range(2)]
    curved = prior()
    both = curved.sample(
        torch.cat([f for f, _ in scenes]), torch.cat([marks_of(g, ~g) for _, g in scenes])
    )
    some = curved.fit_some([both], torch.tensor([1]))
    alone = curved.fit(Samples(*(values[1:] for values in both)))
    assert float(some.quality[0]) == 0
    for name in CurvedFit._fields:
        torch.testing.assert_close(getattr(some, name)[1:], getattr(alone, name))


def test_large_systems_are_solved_by_several_threads() -> None:
    """Some builds of PyTorch solve batches of such matrices wrongly by LU with two threads."""
    generator = torch.Generator().manual_seed(4)
    features = torch.randn(1, 72, 64, 64, generator=generator)
    truth = (features[:, :1] > 0.5) & (features[:, 1:2] < 0.5)
    curved = CurvedPrior(72, width=0.5, samples=4096)
    samples = curved.sample(features, marks_of(truth, ~truth))
    threads = torch.get_num_threads()
    scores = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            scores.append(curved.score(features, curved.fit(samples)))
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(scores[0], scores[1], atol=1e-3, rtol=0)
