from __future__ import annotations

import numpy as np

from vrpsam_app.data.scene_canvas import Canvas, Material, View
from vrpsam_app.data.scene_objects import ObjectKind, Part, draw_object, draw_objects
from vrpsam_app.data.scene_shapes import ShapeFamily
from vrpsam_app.data.scene_textures import Texture

GREY = Material(Texture("flat", np.full(3, 0.5, np.float32), np.full(3, 0.5, np.float32), 8.0))
DISC = ShapeFamily("ellipse", irregularity=0.0)


def test_every_kind_finds_a_place_and_absent_ones_do_not():
    kinds = [ObjectKind(k, DISC, GREY, radius=0.08, count=6.0) for k in (1, 2, 3)]
    for seed in range(5):
        canvas = Canvas(64)
        view = View(64, absent=frozenset({2}))
        draw_objects(canvas, np.random.default_rng(seed), view, kinds)
        assert set(np.unique(canvas.classes)) == {0, 1, 3}


def test_parts_belong_to_their_object_or_to_a_class_of_their_own():
    parts = (
        Part(DISC, GREY, radius=0.4, place=(1.1, 0.0)),
        Part(DISC, GREY, radius=0.3, class_id=2),
    )
    canvas = Canvas(64)
    kind = ObjectKind(1, DISC, GREY, radius=0.1, count=1.0, parts=parts)
    number = draw_object(canvas, np.random.default_rng(0), kind, np.array([32.0, 32.0]), 10.0)
    assert number == 1
    assert set(np.unique(canvas.instances[canvas.classes == 1])) == {1}
    assert set(np.unique(canvas.instances[canvas.classes == 2])) == {2}
    # The first part sticks out of the disc of radius 10.
    rows, cols = np.nonzero(canvas.classes == 1)
    assert np.hypot(rows - 31.5, cols - 31.5).max() > 12.0


def test_a_shadow_has_no_label():
    kind = ObjectKind(1, DISC, GREY, radius=0.1, count=1.0, shadow=0.8)
    canvas = Canvas(64)
    canvas.rgb[:] = 1.0
    draw_object(canvas, np.random.default_rng(0), kind, np.array([32.0, 32.0]), 10.0)
    in_shadow = (canvas.rgb[..., 0] < 0.4) & (canvas.classes == 0)
    assert in_shadow.any()


def test_parts_of_an_object_outside_are_not_drawn():
    parts = (Part(DISC, GREY, radius=1.0, place=(-8.0, 0.0)),)
    kind = ObjectKind(1, DISC, GREY, radius=0.1, count=1.0, parts=parts)
    canvas = Canvas(64)
    assert draw_object(canvas, np.random.default_rng(0), kind, np.array([99.0, 99.0]), 4.0) == 0
    assert not canvas.classes.any()
