"""The mask refiner: silent before it is fitted, and told by features what is alike, no more."""

from __future__ import annotations

import torch
from torch import Tensor

from vrpsam_app.models.mask_refiner import ANSWERS, REACH, MaskRefiner


def seen(seed: int = 0, h: int = 32, w: int = 48) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return (
        3 * torch.randn(2, ANSWERS, h, w, generator=chance),
        torch.rand(2, 3, h, w, generator=chance),
        torch.randn(2, 8, h, w, generator=chance),
        torch.tensor([0.0, 1.0]),
    )


def fitted() -> MaskRefiner:
    torch.manual_seed(0)
    refiner = MaskRefiner()
    with torch.no_grad():
        refiner.out.weight.normal_()
    return refiner


@torch.no_grad()
def test_before_it_is_fitted_it_adds_nothing() -> None:
    refiner = MaskRefiner()
    more = refiner(refiner.describe(*seen()))
    assert more.shape == (2, 1, 32, 48)
    assert not more.any()


@torch.no_grad()
def test_features_are_only_compared_with_each_other() -> None:
    answers, picture, features, told = seen()
    refiner = fitted()
    more = refiner(refiner.describe(answers, picture, features, told))
    assert more.std() > 0.1 * REACH
    shuffled = refiner(refiner.describe(answers, picture, features[:, torch.randperm(8)], told))
    torch.testing.assert_close(more, shuffled, atol=1e-3, rtol=1e-3)
    others = refiner(refiner.describe(answers, picture, seen(1)[2], told))
    assert (more - others).abs().mean() > 0.01 * REACH


@torch.no_grad()
def test_it_knows_whether_everything_was_marked() -> None:
    answers, picture, features, told = seen()
    refiner = fitted()
    more = refiner(refiner.describe(answers, picture, features, told))
    other = refiner(refiner.describe(answers, picture, features, 1 - told))
    assert (more - other).abs().mean() > 0.01 * REACH


@torch.no_grad()
def test_a_batch_equals_its_items_alone() -> None:
    refiner = fitted()
    given = seen()
    together = refiner(refiner.describe(*given))
    for item in range(2):
        alone = refiner(refiner.describe(*(maps[item : item + 1] for maps in given)))
        torch.testing.assert_close(alone, together[item : item + 1], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_answers_that_are_sure_of_everything_or_nothing_give_numbers() -> None:
    answers, picture, features, told = seen()
    refiner = fitted()
    for level in (-1e4, 1e4):
        sure = torch.full_like(answers, level)
        more = refiner(refiner.describe(sure, picture, 0 * features, told))
        assert torch.isfinite(more).all()
