from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vrpsam_app.errors import ConfigError, ImageError, ObjectFileError
from vrpsam_app.exchange.object_plane import (
    FoundShape,
    ObjectPlane,
    check_size,
    class_names,
    joined_planes,
    placed_planes,
    plane_of,
)
from vrpsam_app.exchange.outlines import Patch


def square(top: int, left: int, side: int, **settings) -> FoundShape:
    return FoundShape(Patch(top, left, np.ones((side, side), bool)), **settings)


def test_objects_come_by_number_with_their_pixels(plane):
    found = np.zeros(plane.hw, int)
    for number, patch in plane.objects():
        found[patch.window][patch.mask] = number
    assert np.array_equal(found, plane.labels)
    assert plane.labels.dtype == np.int32


def test_objects_without_a_class_are_objects(plane):
    assert plane.class_of(2) == "nucleus"
    assert plane.class_of(999) == "object"


@pytest.mark.parametrize("labels", [np.zeros((2, 3, 4), int), np.zeros((0, 4), int)])
def test_what_is_no_plane_is_refused(labels):
    with pytest.raises(ImageError, match=r"a\.tif has shape"):
        ObjectPlane(labels, "a.tif")


def test_numbers_are_kept_if_each_shape_has_its_own():
    own = plane_of([square(0, 0, 2, number=9), square(4, 4, 2, number=3)], (8, 8), "a")
    assert (own.labels[0, 0], own.labels[4, 4]) == (9, 3)
    for numbers in ((9, 9), (9, None), (9, 0), (9, 2**40)):
        shapes = [square(0, 0, 2, number=numbers[0]), square(4, 4, 2, number=numbers[1])]
        counted = plane_of(shapes, (8, 8), "a")
        assert (counted.labels[0, 0], counted.labels[4, 4]) == (1, 2)


def test_the_smallest_of_overlapping_objects_is_on_top():
    shapes = [square(2, 2, 2, class_name="small"), square(0, 0, 6), square(1, 1, 4, score=0.5)]
    found = plane_of(shapes, (8, 8), "a")
    assert np.bincount(found.labels.ravel()).tolist() == [28, 4, 20, 12]
    assert dict(found.classes) == {1: "small"}
    assert dict(found.scores) == {3: 0.5}


@pytest.mark.parametrize(
    ("position", "axes", "left"),
    [
        ({"t": 0, "z": 2}, ("z",), {"z": 2}),
        ({"t": 0, "z": 0}, (), {}),
        ({"t": 0, "z": 0}, ("t", "z"), {"t": 0, "z": 0}),
        ({"t": 1, "z": 0}, ("z",), {"t": 1, "z": 0}),
        ({}, ("z",), {}),
        ({"z": 0}, ("t",), {"t": 0}),
        ({"z": 3}, ("t",), {"t": 3}),
        ({"z": 3}, ("t", "z"), {"z": 3}),
        ({"t": 0}, ("z",), {}),
    ],
)
def test_objects_are_placed_along_the_axes_of_their_stack(plane, position, axes, left):
    placed = replace(plane, position=position).along(axes)
    assert dict(placed.position) == left
    assert placed.classes == plane.classes


def test_classes_are_sorted_or_as_given(plane, empty_plane):
    assert class_names([plane, empty_plane]) == ["debris", "nucleus"]
    assert class_names([empty_plane]) == ["object"]
    assert class_names([plane], ["nucleus", "x", "debris"]) == ["nucleus", "x", "debris"]
    with pytest.raises(ConfigError, match="'debris' is unknown: expected nucleus"):
        class_names([plane], ["nucleus"])


@pytest.mark.parametrize(
    "hw", [(0, 4), (4, "5"), (True, 4), (2.0, 4), (None, None), (10**6, 10**6)]
)
def test_sizes_that_are_none_are_refused(hw):
    with pytest.raises(ObjectFileError, match="the picture is"):
        check_size(*hw, "the picture")


def test_numbers_that_are_taken_give_way(plane):
    moved = plane.renumbered({2, 3, 4})
    assert moved.counts.ids.tolist() == [1, 5, 6, 7, 11, 40]
    assert np.array_equal(moved.labels == 1, plane.labels == 2)
    assert (moved.class_of(6), moved.class_of(1)) == ("debris", "nucleus")
    assert dict(moved.scores) == {1: 0.75, 40: 0.5}
    assert plane.renumbered({1, 4}) is plane


def test_planes_of_one_place_become_one_and_lose_no_object(plane):
    labels = np.zeros(plane.hw, np.int32)
    labels[3, 4] = 2
    joined = joined_planes([plane, ObjectPlane(labels, plane.name, {2: "dot"})])
    assert joined.labels[3, 4] == 1
    assert joined.class_of(1) == "dot"
    assert set(joined.counts.ids) == {1, *plane.classes}


def test_what_has_no_place_lies_everywhere_and_keeps_one_number(plane):
    dots = np.zeros(plane.hw, np.int32)
    dots[0, 30], dots[23, 30] = 2, 9
    everywhere = ObjectPlane(dots, plane.name)
    planes = [everywhere, replace(plane, position={"z": 2})]
    placed = placed_planes(planes, ("z",), (4,))
    assert list(placed) == [(0,), (1,), (2,), (3,)]
    assert {int(p.labels[0, 30]) for p in placed.values()} == {1}
    assert {int(p.labels[23, 30]) for p in placed.values()} == {9}
    assert [p.labels[3, 3] for p in placed.values()] == [0, 0, 2, 0]
    assert [p.position["z"] for p in placed.values()] == [0, 1, 2, 3]


def test_what_lies_at_other_times_takes_no_number(plane):
    planes = [replace(plane, position={"t": t}) for t in (0, 1)]
    placed = placed_planes(planes, ("t", "z"), (2, 3))
    assert len(placed) == 6
    assert all(np.array_equal(p.labels, plane.labels) for p in placed.values())


def test_where_nothing_has_a_place_it_is_of_the_first_plane(plane):
    assert list(placed_planes([plane], ("z",), (4,))) == [(0,)]
    assert placed_planes([plane], (), ())[()].labels is plane.labels
