"""Tiles cover a plane, and their answers become one."""

from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.tiles.grid import LOGIT_LIMIT, RowBlender, TileGrid, to_logits, to_probability


@pytest.mark.parametrize(
    ("hw", "tile", "overlap"),
    [
        ((100, 100), 40, 10),
        ((41, 300), 40, 20),
        ((39, 90), 40, 0),
        ((7, 5), 3, 1),
        ((64, 65), 64, 8),
    ],
)
def test_tiles_cover_every_pixel_and_overlap_enough(hw, tile, overlap):
    grid = TileGrid.over(hw, tile, overlap)
    covered = np.zeros(hw, int)
    for i in range(len(grid.row_starts)):
        for k in range(len(grid.col_starts)):
            part = covered[grid.rows(i), grid.cols(k)]
            assert part.shape == grid.tile_hw == (min(tile, hw[0]), min(tile, hw[1]))
            part += 1
    assert covered.min() == 1
    for starts, side in ((grid.row_starts, grid.tile_hw[0]), (grid.col_starts, grid.tile_hw[1])):
        assert all(np.diff(starts) <= side - overlap)
    assert len(grid) == len(grid.row_starts) * len(grid.col_starts)


def test_finished_rows_follow_each_other():
    grid = TileGrid.over((500, 60), 64, 16)
    spans = [grid.finished_rows(i) for i in range(len(grid.row_starts))]
    assert [spans[0].start, *(s.stop for s in spans)] == [*grid.row_starts, 500]
    for i, span in enumerate(spans):
        assert max(grid.tile_rows_of(span)) == i


def test_shares_of_every_pixel_sum_to_one():
    grid = TileGrid.over((210, 97), 48, 24)
    total = np.zeros((210, 97))
    for i in range(len(grid.row_starts)):
        for k in range(len(grid.col_starts)):
            total[grid.rows(i), grid.cols(k)] += np.outer(grid.row_shares(i), grid.col_shares(k))
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_a_pixel_with_one_tile_counts_fully():
    grid = TileGrid.over((100, 40), 40, 10)
    assert grid.row_shares(0)[0] == 1
    assert (grid.col_shares(0) == 1).all()


def test_the_share_falls_to_nothing_at_the_border_of_a_tile():
    grid = TileGrid.over((100, 40), 40, 20)
    assert grid.row_shares(0)[-1] < 0.01
    assert grid.row_shares(1)[0] < 0.01


def blended(grid: TileGrid, rows: list[np.ndarray], first: int = 0) -> np.ndarray:
    blender = RowBlender(grid, first)
    nobody = np.zeros(grid.plane_hw[1], bool)
    return np.concatenate([blender.add(row, nobody)[0] for row in rows[first:]])


def test_blending_gives_back_what_all_tiles_agree_on():
    grid = TileGrid.over((130, 50), 50, 20)
    plane = np.random.default_rng(0).normal(size=(130, 50)).astype(np.float32)
    rows = [plane[grid.rows(i)] for i in range(len(grid.row_starts))]
    np.testing.assert_allclose(blended(grid, rows), plane, atol=1e-6)


def test_blending_can_begin_in_the_middle():
    grid = TileGrid.over((400, 8), 64, 32)
    rng = np.random.default_rng(1)
    rows = [rng.normal(size=(64, 8)).astype(np.float32) for _ in grid.row_starts]
    whole = blended(grid, rows)
    band = slice(200, 400)
    first = grid.tile_rows_of(band)[0]
    late = blended(grid, rows, first)
    assert first > 0
    np.testing.assert_array_equal(late[200 - grid.row_starts[first] :], whole[band])


def test_presence_is_that_of_any_tile():
    grid = TileGrid.over((60, 3), 40, 20)
    blender = RowBlender(grid)
    zeros = np.zeros((40, 3), np.float32)
    first = blender.add(zeros, np.array([True, False, False]))[1]
    second = blender.add(zeros, np.array([False, True, False]))[1]
    seen = np.concatenate([first, second])
    assert seen.shape == (60, 3)
    assert seen[:, 0].tolist() == [True] * 40 + [False] * 20
    assert seen[:, 1].tolist() == [False] * 20 + [True] * 40
    assert not seen[:, 2].any()


def test_logits_and_back():
    probability = np.array([0, 1e-9, 0.3, 0.5, 0.9, 1], np.float32)
    logits = to_logits(probability)
    assert logits.dtype == np.float32
    assert np.abs(logits).max() <= LOGIT_LIMIT + 1e-3
    assert logits[3] == 0
    np.testing.assert_allclose(to_probability(logits), probability, atol=1e-4)


@pytest.mark.parametrize(("tile", "overlap"), [(0, 0), (10, 6), (10, -1)])
def test_impossible_tiles_are_refused(tile: int, overlap: int):
    with pytest.raises(ConfigError, match="expected a positive side"):
        TileGrid.over((50, 50), tile, overlap)
