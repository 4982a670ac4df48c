from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.data.annotation_simulation import (
    GESTURES,
    click,
    loose_box,
    pick_object,
    simulate,
    stroke,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def objects() -> np.ndarray:
    """Two blocks and a bent bar, numbered 2, 5 and 9."""
    numbered = np.zeros((60, 80), np.int32)
    numbered[8:20, 8:24] = 2
    numbered[30:50, 10:30] = 5
    numbered[30:34, 40:70] = 9
    numbered[30:55, 66:70] = 9
    return numbered


@pytest.mark.parametrize("gesture", GESTURES)
def test_marks_mean_what_they_say(rng, objects, gesture):
    for _ in range(10):
        marks = simulate(rng, gesture, objects)
        assert marks.positive.shape == marks.negative.shape == objects.shape
        assert (marks.positive & marks.target).any()
        assert not marks.negative.any()
        assert marks.kind == ("mask" if gesture == "outline" else gesture)
        assert marks.exhaustive == (gesture == "mask")
        wanted = 3 if gesture == "mask" else 1
        assert len(np.unique(objects[marks.target])) == wanted


@pytest.mark.parametrize("gesture", ["outline", "mask"])
def test_outlines_and_masks_are_exact(rng, objects, gesture):
    marks = simulate(rng, gesture, objects)
    assert (marks.positive == marks.target).all()


@pytest.mark.parametrize("gesture", GESTURES)
@pytest.mark.parametrize("corner", [(0, 0), (19, 29), (7, 9)])
def test_an_object_of_one_pixel_is_marked(rng, gesture, corner):
    objects = np.zeros((20, 30), np.int32)
    objects[corner] = 3
    for _ in range(10):
        assert simulate(rng, gesture, objects).positive[corner]


@pytest.mark.parametrize("gesture", GESTURES)
def test_parts_of_a_boolean_mask_are_objects(rng, objects, gesture):
    marks = simulate(rng, gesture, objects > 0)
    parts = len(np.unique(objects[marks.target]))
    assert parts == (3 if gesture == "mask" else 1)


def test_clicks_gather_in_the_middle(rng):
    disc = np.hypot(*(np.indices((41, 41)) - 20)) < 16
    clicks = [click(rng, disc) for _ in range(200)]
    away = [np.hypot(c.row - 20.5, c.col - 20.5) for c in clicks]
    assert max(away) < 17
    assert np.mean(away) < 8
    assert all(1.0 <= c.radius <= 6.0 for c in clicks)


def test_strokes_stay_inside_bent_objects(rng, objects):
    bar = objects == 9
    several = 0
    for _ in range(50):
        line = stroke(rng, bar)
        several += len(line.vertices) > 1
        assert len(line.vertices) <= 6
        assert 1.0 <= line.width <= 12.0
        assert all(bar[int(row), int(col)] for row, col in line.vertices)
    assert several > 40


def test_boxes_are_loose_mostly_outward(rng, objects):
    outward = []
    for _ in range(200):
        box = loose_box(rng, objects == 5)
        sides = np.array([30 - box.top, box.bottom - 50, 10 - box.left, box.right - 30])
        assert np.abs(sides).max() <= 0.15 * 20 + 1e-9
        outward.append((sides > 0).mean())
    assert 0.7 < np.mean(outward) < 0.9


def test_boxes_end_at_the_border(rng):
    whole = np.ones((10, 14), bool)
    for _ in range(20):
        box = loose_box(rng, whole)
        assert box.top >= 0
        assert box.left >= 0
        assert box.bottom <= 10
        assert box.right <= 14


@pytest.mark.parametrize("gesture", GESTURES)
def test_negative_marks_lie_beside_the_object(rng, objects, gesture):
    found = 0
    for _ in range(20):
        marks = simulate(rng, gesture, objects, not_this=objects == 0, negatives=2)
        assert not (marks.negative & marks.target).any()
        assert not (marks.negative & marks.positive).any()
        assert marks.positive.any()
        found += marks.negative.any()
    assert found == 20


def test_no_place_for_negative_marks_is_no_error(rng, objects):
    nowhere = np.zeros(objects.shape, bool)
    assert not simulate(rng, "point", objects, not_this=nowhere, negatives=3).negative.any()


def test_larger_and_whole_objects_are_chosen_more_often(rng):
    objects = np.zeros((40, 40), np.int32)
    objects[10:30, 10:30] = 1
    objects[0:20, 34:40] = 2
    objects[35, 5] = 3
    chosen = [int(objects[pick_object(rng, objects)][0]) for _ in range(200)]
    assert chosen.count(1) > 120


def test_nothing_to_mark_and_unknown_gestures_are_refused(rng, objects):
    with pytest.raises(ValueError, match="No object to mark"):
        simulate(rng, "point", np.zeros((5, 5), np.int32))
    with pytest.raises(ValueError, match="'lasso' is unknown"):
        simulate(rng, "lasso", objects)


def test_the_generator_decides(objects):
    one, two = (simulate(np.random.default_rng(4), "scribble", objects).positive for _ in range(2))
    assert (one == two).all()
