from __future__ import annotations

import pytest
import torch

from vrpsam_app.models.resize import pool_mask, resize_bilinear


@pytest.mark.parametrize("hw", [(64, 64), (37, 37), (50, 20), (5, 7)])
def test_no_single_pixel_vanishes_by_area(hw: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    for index in torch.randint(0, 120 * 100, (50,), generator=generator).tolist():
        mask = torch.zeros(1, 1, 120, 100)
        mask.view(-1)[index] = 1
        assert pool_mask(mask, hw).amax() > 0


def test_area_is_the_covered_share() -> None:
    mask = torch.zeros(1, 1, 4, 6)
    mask[..., :2, :3] = 1
    mask[..., 3, 5] = 1
    assert pool_mask(mask, (2, 2)).squeeze().tolist() == [[1.0, 0.0], [0.0, pytest.approx(1 / 6)]]


def test_nearest_takes_one_pixel_a_cell() -> None:
    mask = torch.rand(2, 1, 512, 512, generator=torch.Generator().manual_seed(0))
    assert torch.equal(pool_mask(mask, (64, 64), "nearest"), mask[..., ::8, ::8])


@pytest.mark.parametrize("pooling", ["area", "nearest"])
def test_the_right_size_is_left_alone(pooling: str) -> None:
    mask = torch.rand(1, 1, 5, 7)
    assert pool_mask(mask, (5, 7), pooling) is mask
    assert resize_bilinear(mask, (5, 7), align_corners=True) is mask


def test_aligned_corners_keep_their_values() -> None:
    maps = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    aligned = resize_bilinear(maps, (3, 3), align_corners=True)[0, 0]
    assert aligned.tolist() == [[0.0, 0.5, 1.0], [1.0, 1.5, 2.0], [2.0, 2.5, 3.0]]
    centred = resize_bilinear(maps, (4, 4), align_corners=False)[0, 0]
    assert centred[0].tolist() == [0.0, 0.25, 0.75, 1.0]
