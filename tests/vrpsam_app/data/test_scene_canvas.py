from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.data.scene_canvas import Canvas, Material, View, inner_depth, scatter
from vrpsam_app.data.scene_shapes import ShapeFamily, polygon_patch
from vrpsam_app.data.scene_textures import Texture

WHITE = Texture("flat", np.ones(3, np.float32), np.ones(3, np.float32), 8.0)
DISC = ShapeFamily("ellipse", irregularity=0.0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_objects_get_numbers_classes_and_colour(rng):
    canvas = Canvas(40)
    first = canvas.shape(rng, DISC, np.array([12.0, 12.0]), 5.0, Material(WHITE), 1)
    second = canvas.shape(rng, DISC, np.array([28.0, 28.0]), 5.0, Material(WHITE), 2)
    assert (first, second) == (1, 2)
    assert (canvas.instances[12, 12], canvas.classes[12, 12]) == (1, 1)
    assert (canvas.instances[28, 28], canvas.classes[28, 28]) == (2, 2)
    assert canvas.rgb[12, 12, 0] == pytest.approx(1.0)
    assert canvas.rgb[2, 2, 0] == 0.0


def test_later_objects_hide_earlier_ones(rng):
    canvas = Canvas(40)
    canvas.shape(rng, DISC, np.array([20.0, 20.0]), 8.0, Material(WHITE), 1)
    canvas.shape(rng, DISC, np.array([20.0, 20.0]), 4.0, Material(WHITE), 2)
    assert canvas.classes[20, 20] == 2
    assert canvas.classes[20, 14] == 1


def test_clutter_hides_labels_and_stains_do_not(rng):
    canvas = Canvas(40)
    canvas.shape(rng, DISC, np.array([20.0, 20.0]), 8.0, Material(WHITE), 1)
    canvas.shape(rng, DISC, np.array([20.0, 20.0]), 4.0, Material(WHITE))
    assert canvas.classes[20, 20] == 1
    canvas.shape(rng, DISC, np.array([20.0, 20.0]), 4.0, Material(WHITE), 0)
    assert canvas.classes[20, 20] == canvas.instances[20, 20] == 0
    assert canvas.classes[20, 14] == 1


def test_an_object_outside_is_no_object(rng):
    canvas = Canvas(40)
    assert canvas.shape(rng, DISC, np.array([90.0, 90.0]), 5.0, Material(WHITE), 1) == 0
    assert not canvas.instances.any()


def test_reserved_numbers_are_not_given_again(rng):
    canvas = Canvas(40)
    canvas.reserve(7)
    assert canvas.shape(rng, DISC, np.array([20.0, 20.0]), 5.0, Material(WHITE), 1) == 8


def test_the_depth_of_a_cut_object_goes_on_beyond_the_sheet():
    outline = DISC.outline(np.random.default_rng(0), 10.0) + np.array([0.0, 20.0])
    patch = polygon_patch(outline, 40)
    depth = inner_depth(patch, 40)
    assert depth.max() == pytest.approx(1.0)
    assert depth[depth.shape[0] // 2, 0] > 0.8


def test_absent_classes_are_not_counted(rng):
    view = View(size=40, absent=frozenset({2}))
    assert view.count(rng, 10.0, 2) == 0
    assert view.count(rng, 0.1, 1) == 1


@pytest.mark.parametrize("clusters", [0, 3])
def test_scattered_discs_keep_their_distance(rng, clusters):
    radii = rng.uniform(2.0, 6.0, 60)
    centres, index = scatter(rng, 100, radii, spacing=1.0, clusters=clusters)
    assert 5 < len(index) == len(set(index.tolist())) <= 60
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    reach = radii[index][:, None] + radii[index][None]
    apart = ~np.eye(len(index), dtype=bool)
    assert (gaps[apart] >= reach[apart]).all()
    assert centres.min() >= 0.0
    assert centres.max() <= 100.0


def test_nothing_is_scattered_for_nothing(rng):
    centres, index = scatter(rng, 100, np.zeros(0))
    assert centres.shape == (0, 2)
    assert len(index) == 0


def test_without_spacing_all_discs_are_placed(rng):
    _, index = scatter(rng, 10, np.full(30, 9.0), spacing=0.0)
    assert index.tolist() == list(range(30))
