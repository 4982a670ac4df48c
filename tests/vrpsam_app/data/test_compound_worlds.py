from __future__ import annotations

import numpy as np

from vrpsam_app.data.compound_worlds import bubbles, creatures, land_from_above
from vrpsam_app.data.scene_canvas import Canvas, View


def drawn(world, seed: int, **settings) -> Canvas:
    canvas = Canvas(128)
    world.draw(canvas, np.random.default_rng(seed), View(128, **settings))
    return canvas


def test_a_creature_is_one_object():
    world = creatures(np.random.default_rng(2))
    canvas = drawn(world, 3)
    assert canvas.instances.max() >= 1
    assert ((canvas.instances > 0) == (canvas.classes > 0)).all()


def test_roads_are_stuff_and_roofs_are_objects():
    canvas = drawn(land_from_above(np.random.default_rng(1)), 2)
    assert (canvas.instances[canvas.classes == 1] == 0).all()
    assert (canvas.instances[canvas.classes == 2] > 0).all()
    assert {1, 2} <= set(np.unique(canvas.classes))


def test_a_bubble_shows_the_ground_and_belongs_to_itself_inside():
    canvas = drawn(bubbles(np.random.default_rng(4)), 5, absent=frozenset({2}))
    assert set(np.unique(canvas.classes)) == {0, 1}
    sizes = np.bincount(canvas.instances.ravel())[1:]
    assert sizes.max() > 50
