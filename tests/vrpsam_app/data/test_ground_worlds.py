from __future__ import annotations

import numpy as np

from vrpsam_app.data.ground_worlds import lesions, particles, regions, slices
from vrpsam_app.data.scene_canvas import Canvas, View


def drawn(build, seed: int, **settings) -> tuple[Canvas, tuple]:
    world = build(np.random.default_rng(seed))
    canvas = Canvas(128)
    world.draw(canvas, np.random.default_rng(seed + 1), View(128, **settings))
    return canvas, world.classes


def test_regions_cover_the_sheet_or_leave_one_texture_as_ground():
    with_ground = 0
    for seed in range(12):
        canvas, classes = drawn(regions, seed)
        assert not canvas.instances.any()
        assert set(np.unique(canvas.classes)) - {0} == set(range(1, len(classes) + 1))
        with_ground += bool((canvas.classes == 0).any())
    assert 1 <= with_ground <= 11


def test_an_absent_region_is_taken_by_another():
    canvas, _ = drawn(regions, 0, absent=frozenset({1}))
    assert 1 not in canvas.classes


def test_lesions_are_large():
    shares = [(drawn(lesions, seed)[0].classes == 1).mean() for seed in range(6)]
    assert max(shares) > 0.1
    assert min(shares) > 0.005


def test_organs_lie_in_the_body():
    canvas, classes = drawn(slices, 3)
    assert len(classes) >= 3
    body = canvas.classes > 0
    assert 0.2 < body.mean() < 0.95
    assert not body[0, 0]


def test_particles_of_two_habits_are_numbered():
    canvas, _ = drawn(particles, 4)
    assert canvas.instances.max() >= 3
    assert ((canvas.instances > 0) == (canvas.classes > 0)).all()
