import dataclasses

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Mask, Point, Scribble
from vrpsam_app.errors import AnnotationError, EmptyReferenceError, ImageError
from vrpsam_app.references import Reference

IMAGE = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50)


def boxed(*boxes, **options):
    return Reference.from_annotations(IMAGE, boxes, **options)


def test_annotations_become_marks():
    reference = boxed(Point(10, 10), Scribble(((20, 20), (30, 30)), 4), Point(5, 5, False))
    assert reference.kind == "scribble"
    assert reference.positive[10, 10]
    assert reference.negative[5, 5]
    assert (reference.exhaustive, reference.label) == (False, "object")


@pytest.mark.parametrize("value", [True, 1, 255, 0.5, -3])
def test_a_mask_counts_where_it_is_not_zero(value):
    mask = np.zeros((40, 50), np.asarray(value).dtype)
    mask[3:5, 7] = value
    reference = Reference.from_mask(IMAGE, mask, label="cell", exhaustive=True)
    assert np.argwhere(reference.positive).tolist() == [[3, 7], [4, 7]]
    assert (reference.kind, reference.exhaustive, reference.label) == ("mask", True, "cell")


def test_a_full_mask_is_a_reference_without_background():
    reference = Reference.from_mask(IMAGE, np.ones((40, 50)), exhaustive=True)
    assert not reference.known_background().certain.any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Reference.from_annotations(IMAGE, []),
        lambda: Reference.from_mask(IMAGE, np.zeros((40, 50))),
        lambda: Reference.from_annotations(IMAGE, [Mask(np.zeros((40, 50)))]),
    ],
)
def test_no_marks_are_refused(make):
    with pytest.raises(EmptyReferenceError, match="40 x 50 pixels has no marks"):
        make()


def test_annotations_may_come_one_by_one_but_must_be_some():
    marks = Reference.from_annotations(IMAGE, (Point(n, n) for n in (3, 5))).positive
    assert marks[3, 3]
    assert marks[5, 5]
    with pytest.raises(AnnotationError, match=r"expected a list of them, such as \[Point"):
        Reference.from_annotations(IMAGE, Point(3, 3))


def test_negative_marks_that_cover_everything_are_refused():
    with pytest.raises(EmptyReferenceError, match="negative marks cover all"):
        boxed(Point(10, 10, radius=2), Box(0, 0, 20, 20, positive=False))


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(AnnotationError, match=r"positive mask has 50 x 40.*image has 40 x 50"):
        Reference.from_mask(IMAGE, np.ones((50, 40)))
    with pytest.raises(AnnotationError, match="negative mask has 40 x 49"):
        Reference.from_mask(IMAGE, np.ones((40, 50)), negative=np.zeros((40, 49)))


@pytest.mark.parametrize("label", ["", "  ", None, 3])
def test_a_label_must_be_a_name(label):
    with pytest.raises(AnnotationError, match="label"):
        boxed(Point(1, 1), label=label)


def test_an_image_that_is_none_is_refused():
    with pytest.raises(ImageError, match="The reference image has shape"):
        Reference.from_annotations(np.zeros((7, 40, 50)), [Point(1, 1)])


def test_later_changes_of_the_callers_arrays_do_not_reach_it():
    image, mask = IMAGE.copy(), np.eye(40, 50)
    reference = Reference.from_mask(image, mask)
    key = reference.content_key
    image[:] = 0
    mask[:] = 0
    assert reference.image[1, 1] == IMAGE[1, 1]
    assert reference.positive.sum() == 40
    assert Reference.from_mask(IMAGE, np.eye(40, 50)).content_key == key
    with pytest.raises(ValueError, match="read-only"):
        reference.image[0, 0] = 1


def test_a_read_only_image_is_not_copied():
    image = IMAGE.copy()
    image.flags.writeable = False
    assert Reference.from_mask(image, np.eye(40, 50)).image is image


def test_what_changes_a_prediction_changes_the_key():
    base = {"image": IMAGE, "mask": np.eye(40, 50)}
    other_mask = np.eye(40, 50)
    other_mask[0, 9] = 1
    variants = [
        Reference.from_mask(**base),
        Reference.from_mask(**base, exhaustive=True),
        Reference.from_mask(**base, negative=~np.eye(40, 50, dtype=bool)),
        Reference.from_mask(IMAGE, other_mask),
        Reference.from_mask(IMAGE + 1, np.eye(40, 50)),
        Reference.from_mask(IMAGE.astype(np.float32), np.eye(40, 50)),
        Reference(IMAGE, np.eye(40, 50), np.zeros((40, 50)), "scribble"),
        Reference.from_mask(**base).as_not_this(),
    ]
    assert len({r.content_key for r in variants}) == len(variants)
    assert len({r.image_key for r in variants}) == 3


def test_the_label_is_not_part_of_the_key():
    one, other = boxed(Point(9, 9), label="a"), boxed(Point(9, 9), label="b")
    assert one.content_key == other.content_key


def test_not_this_turns_positive_marks_into_negative_ones():
    reference = boxed(Point(10, 10), Point(30, 30, False), exhaustive=True)
    against = reference.as_not_this()
    assert against.is_not_this
    assert not reference.is_not_this
    assert not against.positive.any()
    assert np.array_equal(against.negative, reference.positive)
    assert not against.exhaustive
    assert against.as_not_this() is against


def test_unmarked_pixels_are_unknown():
    background = boxed(Point(10, 10), Point(30, 30, False)).known_background()
    assert background.certain.sum() == 12
    assert background.certain[30, 30]
    assert not background.weak.any()


def test_unmarked_pixels_are_background_where_everything_is_marked():
    reference = boxed(Box(10, 10, 20, 20), exhaustive=True)
    background = reference.known_background()
    assert np.array_equal(background.certain, ~reference.positive)
    assert not background.weak.any()


def test_a_box_has_a_ring_of_weak_background():
    reference = boxed(Box(10, 10, 30, 40), Point(9, 9, False, 0.5))
    background = reference.known_background()
    ring = np.zeros((40, 50), bool)
    ring[7:33, 7:43] = True  # 15 % of 20 pixels
    ring[10:30, 10:40] = False
    ring[background.certain] = False
    assert np.array_equal(background.weak, ring)


def test_the_ring_of_a_small_box_is_two_pixels_wide_and_ends_at_the_image():
    weak = boxed(Box(0, 0, 4, 4)).known_background().weak
    assert np.argwhere(weak).max() == 5
    assert weak.sum() == 36 - 16


def test_overlapping_boxes_have_one_ring_around_them():
    reference = boxed(Box(5, 5, 15, 15), Box(12, 12, 25, 25))
    weak = reference.known_background().weak
    assert weak[4, 4]
    assert weak[25, 25]
    assert not (weak & reference.positive).any()


def test_a_point_beside_a_box_has_no_ring():
    weak = boxed(Box(2, 2, 8, 8), Point(30, 40, radius=5)).known_background().weak
    assert not weak[20:].any()
    assert weak[:10].any()


def test_a_reference_against_a_box_has_no_ring():
    assert not boxed(Box(2, 2, 8, 8)).as_not_this().known_background().weak.any()


def test_printed_it_is_one_line():
    reference = boxed(Box(2, 2, 8, 8))
    rows, cols = reference.image.shape[:2]
    size = f"{rows} x {cols})"
    assert repr(reference) == f"Reference(label='object', kind='box', {size}"
    every = dataclasses.replace(reference, exhaustive=True, label="cell")
    assert repr(every) == f"Reference(label='cell', kind='box', exhaustive=True, {size}"
    assert repr(reference.as_not_this()).endswith(f"not this, {size}")


def test_strokes_that_say_not_this_stand_beside_a_background() -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    positive, negative = np.zeros((2, 20, 30), np.bool_)
    positive[2:6, 2:6], negative[10:12, 10:14] = True, True
    reference = Reference(image, positive, negative, "box", exhaustive=True, label="cell")
    same, against = reference.spelled_out()
    assert same is reference
    assert against.is_not_this
    assert not against.exhaustive
    assert against.label == "cell"
    np.testing.assert_array_equal(against.negative, negative)
    assert not against.known_background().weak.any()
    # Where unmarked means unknown, strokes are not drowned; alone they say what they say.
    few = dataclasses.replace(reference, exhaustive=False)
    assert few.spelled_out() == (few,)
    assert against.spelled_out() == (against,)
