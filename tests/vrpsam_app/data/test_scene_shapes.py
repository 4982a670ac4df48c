from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.data.scene_shapes import (
    SHAPES,
    ShapeFamily,
    border_distance,
    branching_tree,
    curve_patch,
    polygon_patch,
    random_family,
    tessellation,
    wandering_curve,
)


@pytest.mark.parametrize("kind", SHAPES)
def test_every_kind_has_the_area_of_its_disc(kind):
    family = ShapeFamily(kind, corners=5, depth=0.3, aspect=1.5)
    outline = family.outline(np.random.default_rng(0), 12.0) + 40.0
    patch = polygon_patch(outline, 80)
    assert patch is not None
    assert abs(patch.label.sum() / (np.pi * 144.0) - 1.0) < 0.12


def test_a_square_is_stretched_to_a_rectangle():
    family = ShapeFamily("polygon", corners=4, aspect=2.0, irregularity=0.0)
    outline = family.outline(np.random.default_rng(0), 10.0, angle=0.0)
    width, height = np.ptp(outline, axis=0)
    assert len(outline) == 4
    assert width == pytest.approx(2.0 * height)


def test_random_families_draw_something_everywhere():
    rng = np.random.default_rng(1)
    for _ in range(30):
        assert polygon_patch(random_family(rng).outline(rng, 6.0) + 20.0, 40) is not None


def test_a_polygon_is_drawn_where_it_lies():
    square = np.array([[4.0, 2.0], [9.0, 2.0], [9.0, 6.0], [4.0, 6.0]])
    patch = polygon_patch(square, 12)
    drawn = np.zeros((12, 12), bool)
    drawn[patch.window] = patch.label
    expected = np.zeros((12, 12), bool)
    expected[2:6, 4:9] = True
    assert (drawn == expected).all()


def test_a_hole_is_left_open():
    square = np.array([[2.0, 2.0], [18.0, 2.0], [18.0, 18.0], [2.0, 18.0]])
    patch = polygon_patch(square, 20, [0.5 * (square - 10.0) + 10.0])
    drawn = np.zeros((20, 20), bool)
    drawn[patch.window] = patch.label
    assert drawn[4, 10]
    assert not drawn[10, 10]


def test_shapes_outside_give_none_and_tiny_ones_a_pixel():
    triangle = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert polygon_patch(triangle - 5.0, 20) is None
    assert polygon_patch(triangle + 30.0, 20) is None
    tiny = polygon_patch(0.2 * triangle + 7.4, 20)
    assert tiny is not None
    assert tiny.label.any()


def test_thin_curves_stay_connected():
    curve = np.array([[2.0, 2.0], [17.0, 11.0]])
    patch = curve_patch([(curve, 1.2, 1.2)], 20)
    assert patch.label.any(axis=0).sum() >= 15


def test_curves_outside_give_none():
    assert curve_patch([(np.array([[50.0, 50.0], [60.0, 60.0]]), 2.0, 2.0)], 20) is None


def test_wandering_starts_at_its_start_and_has_its_length():
    start = np.array([3.0, 4.0])
    path = wandering_curve(np.random.default_rng(2), start, 0.0, 60.0, wiggle=0.3)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert (path[0] == start).all()
    assert steps.sum() == pytest.approx(60.0, abs=3.0)


def test_trees_get_thinner():
    curves = branching_tree(np.random.default_rng(3), np.zeros(2), 0.0, 40.0, 6.0, levels=3)
    assert len(curves) >= 7
    assert curves[0][1] == 6.0
    assert all(last < first <= 6.0 for _, first, last in curves)


def test_tessellation_fills_the_square():
    cells = tessellation(np.random.default_rng(4), 60, 16, warp=3.0)
    assert cells.shape == (60, 60)
    assert 12 <= len(np.unique(cells)) <= 16


def test_border_distance_is_zero_at_borders():
    cells = np.zeros((10, 10), np.int32)
    cells[:, 5:] = 1
    distance = border_distance(cells)
    assert (distance[:, 4] == 0.0).all()
    assert (distance[:, 0] == 4.0).all()
    assert (border_distance(np.zeros((6, 6), np.int32)) == 6.0).all()
