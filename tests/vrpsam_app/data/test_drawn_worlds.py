from __future__ import annotations

import numpy as np

from vrpsam_app.data.drawn_worlds import glyphs, scribbled_lines
from vrpsam_app.data.scene_canvas import Canvas, View


def test_glyphs_of_one_class_have_similar_areas():
    world = glyphs(np.random.default_rng(0))
    canvas = Canvas(192)
    world.draw(canvas, np.random.default_rng(1), View(192))
    for class_id in range(1, len(world.classes) + 1):
        areas = np.bincount(canvas.instances[canvas.classes == class_id])
        areas = areas[areas > 0]
        assert len(areas) > 3
        assert np.median(np.abs(areas - np.median(areas))) < 0.4 * np.median(areas)


def test_lines_are_thin():
    for seed in range(4):
        canvas = Canvas(96)
        scribbled_lines(np.random.default_rng(seed)).draw(
            canvas, np.random.default_rng(seed), View(96)
        )
        share = (canvas.classes > 0).mean()
        assert 0.005 < share < 0.45
