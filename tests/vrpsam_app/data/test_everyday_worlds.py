from __future__ import annotations

import numpy as np

from vrpsam_app.data.everyday_worlds import landscape, look_alikes
from vrpsam_app.data.scene_canvas import Canvas, View
from vrpsam_app.data.scene_textures import LUMA


def test_look_alikes_are_equally_bright():
    gaps, spreads = [], []
    for seed in range(24):
        world = look_alikes(np.random.default_rng(seed))
        canvas = Canvas(96)
        world.draw(canvas, np.random.default_rng(seed + 100), View(96, density=1.5))
        luma = np.clip(canvas.rgb, 0.0, 1.0) @ LUMA
        first, second = (luma[canvas.classes == k].mean() for k in (1, 2))
        gaps.append(abs(first - second))
        spreads.append(abs(luma[canvas.classes == 0].mean() - first))
    assert np.median(gaps) < 0.04
    assert np.median(spreads) > 2.5 * np.median(gaps)


def test_every_trait_comes_up():
    names = {look_alikes(np.random.default_rng(seed)).classes[0].name for seed in range(40)}
    assert names == {f"first {trait}" for trait in ("shape", "pattern", "hue", "size", "hole")}


def test_a_landscape_leaves_no_pixel_without_a_class():
    canvas = Canvas(64)
    landscape(np.random.default_rng(1)).draw(canvas, np.random.default_rng(2), View(64))
    assert (canvas.classes > 0).all()
