import numpy as np
import pytest

from vrpsam_app.annotation_types import (
    Box,
    Mask,
    Point,
    Scribble,
    as_mask,
    check_kind,
    check_same_size,
    default_point_radius,
)
from vrpsam_app.errors import AnnotationError

NOT_NUMBERS = [float("nan"), float("inf"), -float("inf"), "3", None, True, [1], 10**400, 1e300, 1j]


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=repr)
def test_coordinates_must_be_finite_numbers(value):
    with pytest.raises(AnnotationError, match="Point has col="):
        Point(1, value)
    with pytest.raises(AnnotationError, match="Box has bottom="):
        Box(0, 0, value, 2)
    with pytest.raises(AnnotationError, match="Scribble has"):
        Scribble(((0, value), (1.5, 2)) if value is not True else ((True, False),))


@pytest.mark.parametrize("value", [0, -1, float("nan"), "2", True], ids=repr)
def test_radius_and_width_must_be_positive(value):
    with pytest.raises(AnnotationError, match="Point has radius="):
        Point(1, 1, radius=value)
    with pytest.raises(AnnotationError, match="Scribble has width="):
        Scribble(((1, 1),), width=value)


@pytest.mark.parametrize("value", [1, "false", None], ids=repr)
def test_positive_must_be_a_bool(value):
    with pytest.raises(AnnotationError, match="positive="):
        Point(1, 1, positive=value)
    with pytest.raises(AnnotationError, match="positive="):
        Mask(np.ones((2, 2)), positive=value)


def test_numpy_numbers_become_plain_ones():
    point = Point(np.float32(1.5), np.int64(2), np.bool_(False), np.uint8(3))
    assert point == Point(1.5, 2.0, False, 3.0)
    assert [type(v) for v in (point.row, point.col, point.positive, point.radius)] == [
        float,
        float,
        bool,
        float,
    ]
    assert Scribble(np.array([[1, 2], [3, 4]])).vertices == ((1.0, 2.0), (3.0, 4.0))


def test_an_upside_down_box_says_so():
    with pytest.raises(AnnotationError, match=r"top=180, bottom=40.*upside down.*Swap"):
        Box(180, 0, 40, 10)
    with pytest.raises(AnnotationError, match="mirrored"):
        Box(0, 10, 4, 1)


def test_a_box_without_width_is_empty():
    with pytest.raises(AnnotationError, match=r"left=3, right=3.*empty"):
        Box(0, 3, 4, 3)


@pytest.mark.parametrize("vertices", [(), ((1, 2, 3),), (1, 2), ((1,), (1, 2)), "ab"], ids=repr)
def test_vertices_must_be_pairs(vertices):
    with pytest.raises(AnnotationError, match="pairs of numbers"):
        Scribble(vertices)


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros((2, 2, 2)),
        np.zeros((0, 3)),
        np.zeros(3),
        np.array([["a"]]),
        np.zeros((2, 2), complex),
        [[1], [1, 2]],
        np.array([[np.nan, 1.0]]),
    ],
)
def test_a_mask_must_be_two_dimensional_and_finite(mask):
    with pytest.raises(AnnotationError, match="Mask"):
        as_mask(mask)


def test_a_mask_is_a_read_only_copy():
    given = np.array([[0, 7], [-1, 0]], np.int16)
    mask = Mask(given).mask
    given[:] = 0
    assert mask.tolist() == [[False, True], [True, False]]
    assert mask.dtype == np.bool_
    with pytest.raises(ValueError, match="read-only"):
        mask[0, 0] = True
    assert as_mask(mask) is mask


def test_point_radius_grows_with_the_image():
    assert default_point_radius((100, 64)) == 2
    assert default_point_radius((512, 1024)) == 8


def test_different_sizes_are_named():
    with pytest.raises(AnnotationError, match=r"The mask has 4 x 5 pixels.*the image has 5 x 4"):
        check_same_size((4, 5), (5, 4), "The mask", "the image")


def test_unknown_kinds_are_refused():
    check_kind("scribble")
    with pytest.raises(AnnotationError, match="'blob' is unknown: expected point"):
        check_kind("blob")
