"""One view of a world, on its canvas, for the tests of worlds."""

from __future__ import annotations

from typing import Any

import numpy as np

from vrpsam_app.data.scene_canvas import Canvas, View
from vrpsam_app.data.synthetic_scenes import WorldBuilder


def drawn(build: WorldBuilder, seed: int, **settings: Any) -> Canvas:
    canvas = Canvas(128)
    world = build(np.random.default_rng(seed))
    world.draw(canvas, np.random.default_rng(seed + 1), View(128, **settings))
    return canvas
