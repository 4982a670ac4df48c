"""How large objects are, and references cut to the size of a tile."""

from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Point, Scribble
from vrpsam_app.references import Reference
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.tiles.object_scale import (
    clicked_object_size,
    object_size,
    pixel_ratio,
    reference_windows,
)

IMAGE = np.random.default_rng(0).integers(0, 40, (300, 400)).astype(np.uint8)


def marked(*marks: object, image: np.ndarray = IMAGE, **settings: bool) -> Reference:
    return Reference.from_annotations(image, list(marks), **settings)


def test_a_box_says_its_own_size():
    assert object_size([marked(Box(10, 10, 30, 90))]) == 40


def test_of_a_mask_the_median_part_counts_and_specks_do_not():
    mask = np.zeros((300, 400), bool)
    for i, side in enumerate((20, 22, 60)):
        mask[10 : 10 + side, 100 * i : 100 * i + side] = True
    mask[200:202, ::10] = True  # forty specks
    assert object_size([Reference.from_mask(IMAGE, mask)]) == pytest.approx(22)


def test_a_stroke_is_as_long_as_the_object():
    stroke = Scribble(((50.0, 60.0), (50.0, 139.0)), width=3)
    assert object_size([marked(stroke)]) == pytest.approx(80, abs=4)


def test_points_and_not_this_say_nothing():
    clicked, against = marked(Point(20, 20)), marked(Box(1, 1, 9, 9)).as_not_this()
    assert object_size([clicked, against]) is None
    assert object_size([clicked, marked(Box(0, 0, 10, 10))]) == 10


def test_the_segmenter_tells_how_large_a_clicked_object_is(colour_segmenter):
    image = IMAGE.copy()
    image[100:130, 200:230] = 230
    image[10:20, 10:20] = 230
    size = clicked_object_size(colour_segmenter, [marked(Point(115, 215), image=image)], 128)
    assert size == pytest.approx(30)
    nothing = marked(Point(60, 60), image=np.zeros((90, 90), np.uint8)).as_not_this()
    assert clicked_object_size(colour_segmenter, [nothing], 64) is None


@pytest.mark.parametrize(
    ("reference", "target", "ratio"),
    [
        (PixelSize(0.5, 0.5), PixelSize(0.25, 0.25), 2),
        (PixelSize(500, 500, unit="nm"), PixelSize(1, 1), 0.5),
        (None, PixelSize(1, 1), 1),
        (PixelSize(1, 1), None, 1),
    ],
)
def test_pixels_of_the_reference_in_pixels_of_the_target(reference, target, ratio):
    assert pixel_ratio(reference, target) == pytest.approx(ratio)


def test_a_reference_of_the_right_size_is_left_alone():
    reference = marked(Box(10, 10, 30, 30))
    for side in (330, 400, 490):
        assert reference_windows(reference, side, 4) == [reference]


def test_a_window_lies_around_the_mark():
    (window,) = reference_windows(marked(Box(100, 200, 120, 240)), 64, 4)
    assert window.image.shape == (64, 64)
    np.testing.assert_array_equal(window.image, IMAGE[78:142, 188:252])
    rows, cols = np.nonzero(window.positive)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (22, 41, 12, 51)
    assert (window.kind, window.label) == ("box", "object")


def test_a_window_at_the_border_stays_inside():
    (window,) = reference_windows(marked(Box(0, 380, 20, 400)), 64, 4)
    np.testing.assert_array_equal(window.image, IMAGE[:64, 336:])


def test_marks_far_apart_get_windows_of_their_own_the_largest_first():
    marks = [Box(10, 10, 20, 20), Box(250, 350, 290, 390), Box(10, 350, 30, 370)]
    windows = reference_windows(marked(*marks), 64, 4)
    assert [int(w.positive.sum()) for w in windows] == [1600, 400, 100]
    assert [int(w.positive.sum()) for w in reference_windows(marked(*marks), 64, 2)] == [1600, 400]


def test_what_is_not_the_object_is_kept():
    reference = marked(Box(10, 10, 20, 20), Point(280, 380, positive=False, radius=5))
    windows = reference_windows(reference, 64, 4)
    assert [w.is_not_this for w in windows] == [False, True]
    assert windows[1].negative.sum() == reference.negative.sum()


def test_in_windows_too_a_background_does_not_drown_what_was_pointed_at():
    far = Point(280, 380, positive=False, radius=5)
    near = Point(25, 25, positive=False, radius=2)
    cut = reference_windows(marked(Box(10, 10, 20, 20), far, near, exhaustive=True), 64, 4)
    assert [(w.is_not_this, w.exhaustive) for w in cut] == [(False, True), (True, False)]
    background, strokes = cut[0].spelled_out()
    small = marked(Box(5, 5, 15, 15), near, image=IMAGE[:40, :50], exhaustive=True)
    continued = reference_windows(small, 120, 4)
    assert [len(window.spelled_out()) for window in (*cut, *continued)] == [2, 1, 1, 1]
    known = [int(w.known_background().certain.sum()) for w in (background, strokes, *continued)]
    assert known == [64 * 64 - 100, 12, 40 * 50 - 100, 12]


def test_a_small_reference_is_continued_and_nothing_is_known_there():
    image = IMAGE[:40, :50]
    reference = marked(Box(5, 5, 15, 15), image=image, exhaustive=True)
    (window,) = reference_windows(reference, 120, 4)
    assert window.image.shape == (120, 120)
    assert not window.exhaustive
    rows, cols = np.nonzero(window.positive)
    top, left = rows.min() - 5, cols.min() - 5
    np.testing.assert_array_equal(window.image[top : top + 40, left : left + 50], image)
    inside = window.positive | window.negative
    assert inside[top : top + 40, left : left + 50].all()
    assert inside.sum() == 40 * 50


def test_a_tiny_reference_is_not_drowned():
    (window,) = reference_windows(marked(Box(2, 2, 8, 8), image=IMAGE[:10, :10]), 5000, 4)
    assert window.image.shape == (40, 40)


def test_colours_are_cut_as_well():
    image = np.dstack([IMAGE] * 3)[:30, :30]
    (window,) = reference_windows(marked(Box(2, 2, 8, 8), image=image), 90, 4)
    assert window.image.shape == (90, 90, 3)


def test_a_ring_whose_middle_is_empty_is_found():
    mask = np.zeros((300, 400), bool)
    mask[20:280, 20:380] = True
    mask[40:260, 40:360] = False
    windows = reference_windows(Reference.from_mask(IMAGE, mask), 64, 3)
    assert len(windows) == 3
    assert all(w.positive.any() for w in windows)
