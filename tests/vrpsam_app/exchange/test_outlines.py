from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import ndimage
from shapely.geometry import Polygon

from vrpsam_app.errors import ObjectFileError
from vrpsam_app.exchange.outlines import (
    Patch,
    as_one_ring,
    fill_rings,
    outlines_of,
    signed_area,
)

HW = (26, 33)


def masks(count: int) -> list[np.ndarray]:
    """Small masks of every density, from checkers to blobs."""
    drawn = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        mask = rng.random(tuple(rng.integers(1, 20, 2))) < rng.choice([0.3, 0.5, 0.7])
        if seed % 3 == 0:
            mask = ndimage.gaussian_filter(rng.random((18, 18)), 1.3) > 0.5
        if mask.any():
            drawn.append(mask)
    return drawn


def filled(rings: list, hw: tuple[int, int] = HW) -> np.ndarray:
    found = fill_rings(rings, hw, name="it")
    whole = np.zeros(hw, bool)
    if found is not None:
        whole[found.window] = found.mask
    return whole


def test_a_square_has_four_corners_clockwise():
    (outline,) = outlines_of(Patch(2, 5, np.ones((3, 4), bool)))
    assert outline.holes == ()
    assert sorted(outline.border.tolist()) == [[5, 2], [5, 5], [9, 2], [9, 5]]
    assert signed_area(outline.border) == 12


def test_a_ring_has_a_hole_that_runs_the_other_way():
    mask = np.ones((5, 5), bool)
    mask[1:3, 2:4] = False
    (outline,) = outlines_of(Patch(0, 0, mask))
    (hole,) = outline.holes
    assert signed_area(outline.border) == 25
    assert signed_area(hole) == -4


def test_every_outline_is_a_valid_polygon_with_the_area_of_its_pixels():
    for mask in masks(150):
        shapes = [Polygon(o.border, o.holes) for o in outlines_of(Patch(0, 0, mask))]
        assert all(shape.is_valid for shape in shapes)
        assert sum(shape.area for shape in shapes) == mask.sum()


def test_outlines_filled_again_give_the_same_pixels():
    for mask in masks(150):
        outlines = outlines_of(Patch(3, 6, mask))
        whole = np.zeros(HW, bool)
        whole[3 : 3 + mask.shape[0], 6 : 6 + mask.shape[1]] = mask
        rings = [ring for o in outlines for ring in (o.border, *o.holes)]
        assert np.array_equal(filled(rings), whole)
        assert np.array_equal(filled([as_one_ring(outlines)]), whole), "bridges enclose pixels"


def test_thousands_of_holes_become_one_ring_in_moments():
    mask = np.random.default_rng(0).random((200, 200)) < 0.8
    outlines = outlines_of(Patch(0, 0, mask))
    began = time.process_time()
    ring = as_one_ring(outlines)
    assert time.process_time() - began < 5
    assert np.array_equal(filled([ring], mask.shape), mask)


def test_a_pixel_belongs_to_what_covers_its_centre():
    triangle = [[0.2, 0.2], [6.4, 0.2], [0.2, 6.4]]
    rows, cols = np.indices((8, 8)) + 0.5
    inside = (rows > 0.2) & (cols > 0.2) & (rows + cols < 6.6)
    assert np.array_equal(filled([triangle], (8, 8)), inside)


def test_what_reaches_over_the_border_is_cut():
    assert filled([[[-5, -5], [40, -5], [40, 40], [-5, 40]]], (6, 7)).all()
    assert fill_rings([[[40, 1], [50, 1], [50, 9]]], (6, 7), name="it") is None


@pytest.mark.parametrize(
    "ring",
    [
        [[0, 0], [1, 1]],
        [[0, 0, 1]] * 4,
        [["a", "b"]] * 3,
        [[0, 0], [np.nan, 1], [2, 2]],
        [[0, 0], [1e12, 1], [2, 2]],
    ],
)
def test_rings_that_are_none_are_named(ring: list):
    with pytest.raises(ObjectFileError, match="feature 7"):
        fill_rings([ring], HW, name="feature 7")
