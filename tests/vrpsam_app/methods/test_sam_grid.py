from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from vrpsam_app.config import SAM_TINY
from vrpsam_app.methods.sam_grid import SAMGrid

WIDE = SAMGrid.of((60, 80), SAM_TINY)


def test_the_longer_side_fills_the_square():
    assert (WIDE.input_hw, WIDE.side, WIDE.cells_hw) == ((96, 128), 128, (6, 8))
    assert SAMGrid.of((300, 400), dataclasses.replace(SAM_TINY, image_size=1024)).input_hw == (
        768,
        1024,
    )
    assert WIDE.scale_xy.tolist() == [1.6, 1.6]


def test_the_picture_is_normalised_and_padded_with_zero():
    image = WIDE.image(np.full((60, 80, 3), 255, np.uint8))
    assert image.shape == (1, 3, 128, 128)
    torch.testing.assert_close(
        image[0, :, 95, 127], torch.tensor([2.2489, 2.4286, 2.64]), atol=1e-3, rtol=0
    )
    assert not image[0, :, 96:].any()


def test_coverage_is_the_share_of_each_cell():
    mask = np.zeros((60, 80), bool)
    mask[:10, :5] = True  # 16 x 8 pixels of the square
    cells = WIDE.coverage(mask)
    assert cells.shape == (6, 8)
    assert cells[0, 0] == pytest.approx(0.5)
    assert cells.sum() == pytest.approx(0.5)


def test_a_cell_that_reaches_beyond_the_picture_is_inside_if_half_of_it_is():
    grid = SAMGrid.of((50, 80), SAM_TINY)  # 80 x 128: five rows of cells
    assert grid.cells_hw == (5, 8)
    assert grid.inside().all()
    narrow = SAMGrid.of((53, 80), SAM_TINY)  # 85 rows: the sixth row of cells holds 5 of 16
    assert narrow.cells_hw == (6, 8)
    assert narrow.inside()[:5].all()
    assert not narrow.inside()[5].any()
    assert SAMGrid.of((1, 80), SAM_TINY).inside().any()


def test_the_middle_of_a_cell_is_in_the_picture():
    assert WIDE.cell_xy(0, 0).tolist() == [5, 5]
    assert WIDE.cell_xy(5, 7).tolist() == [75, 55]
    assert SAMGrid.of((1, 80), SAM_TINY).cell_xy(0, 0)[1] == 0.5


def test_logits_come_back_where_the_picture_is():
    square = torch.zeros(1, 1, 32, 32)
    square[..., :16] = 1.0  # the left half of its columns
    back = WIDE.resized(square)[0, 0]
    assert back.shape == (60, 80)
    assert back[:, :38].min() > 0.99
    assert back[:, 42:].max() < 0.01
    assert WIDE.resized(square, (6, 8)).shape == (1, 1, 6, 8)


def test_cropping_to_the_cells_of_the_picture():
    maps = torch.arange(32.0)[:, None].expand(32, 32)
    cropped = WIDE.of_picture(maps[None])
    assert cropped.shape == (1, 24, 32)
    assert cropped[0, -1, 0] == 23


def test_logits_go_to_the_square_and_back():
    logits = np.where(np.arange(80)[None] < 40, 5.0, -5.0) * np.ones((60, 1))
    square = WIDE.square_logits(logits, 32)
    assert square.shape == (32, 32)
    assert square[:24, :15].min() > 4.9
    assert square[25:].max() < -4.9  # nothing is where the square is padded
    back = WIDE.resized(square[None, None])[0, 0]
    assert ((back > 0).numpy() == (logits > 0)).mean() > 0.97
