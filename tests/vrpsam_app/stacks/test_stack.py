from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest

from vrpsam_app.errors import ImageError
from vrpsam_app.stacks.stack import PixelSize, Stack, unit_of_length

ZYX = np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("um", "um"), ("µm", "um"), ("μm", "um"), ("micron", "um"), ("Microns", "um"),
        ("\\u00B5m", "um"), ("MICROMETER", "um"), ("micrometres", "um"), ("nanometer", "nm"),
        ("Millimeter", "mm"), (" cm ", "cm"), ("in", "inch"), ("Å", "angstrom"), ("m", "m"),
        ("px", None), ("pixel", None), ("", None), ("ms", None), ("s", None),
    ],
)  # fmt: skip
def test_units_by_their_many_names(name, unit):
    assert unit_of_length(name) == unit


def test_sizes_are_converted():
    size = PixelSize(650, 500, 2000, "nanometer")
    assert size.unit == "nm"
    assert size.to("µm") == PixelSize(0.65, 0.5, 2.0, "um")
    assert size.to("nm") == size
    assert PixelSize(1, 1, unit="inch").to("mm") == PixelSize(25.4, 25.4, None, "mm")
    assert str(size) == "650 x 500 x 2000 nm"
    assert str(PixelSize(0.5, 1)) == "0.5 x 1 um"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), r"row=0 is invalid: expected a positive number"),
        ((1, -2), "col=-2"),
        ((1, 1, float("nan")), "plane=nan"),
        ((float("inf"), 1), "row=inf"),
        (("a", 1), "row='a' is invalid: expected a number"),
        ((None, 1), "row=None"),
        ((1, 1, None, "px"), "Unit 'px' is no unit of length: expected one of m, cm, mm, um"),
        ((1, 1, None, 3), "Unit 3"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ImageError, match=message):
        PixelSize(*arguments)


def test_planes_and_their_indices():
    stack = Stack.from_array(np.stack([ZYX, ZYX + 1]), name="cells")
    assert stack.axes == ("t", "z")
    assert stack.leading_shape == (2, 4)
    assert stack.plane_hw == (5, 6)
    assert stack.plane_count == 8
    assert stack.unit == "px"
    assert list(stack.indices())[:5] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)]
    assert np.array_equal(stack.plane((1, 2)), ZYX[2] + 1)
    assert np.array_equal(stack.plane(np.array([0, 3])), ZYX[3])


def test_a_single_plane_is_a_stack_without_leading_axes():
    stack = Stack.from_array(ZYX[0])
    assert (stack.axes, stack.leading_shape, stack.plane_count) == ((), (), 1)
    assert list(stack.indices()) == [()]
    assert np.array_equal(stack.plane(), ZYX[0])


def test_three_or_four_values_at_the_end_are_colours_unless_said_otherwise():
    colours = np.zeros((2, 5, 6, 3), np.uint8)
    assert Stack.from_array(colours).color
    assert Stack.from_array(colours).axes == ("z",)
    assert Stack.from_array(colours, color=False).axes == ("t", "z")


def test_a_plane_is_read_alone_and_in_native_order():
    read = []

    class Source:
        shape, dtype, ndim = (4, 5, 6), np.dtype(">u2"), 3

        def __getitem__(self, key):
            read.append(key)
            return ZYX.astype(">u2")[key]

    stack = Stack.from_array(Source(), axes=("z",))
    read.clear()  # dask may look at an empty part
    plane = stack.plane((2,))
    assert [key[0] for key in read] in ([2], [slice(2, 3)])
    assert plane.dtype == np.uint16
    assert plane.dtype.isnative
    assert np.array_equal(plane, ZYX[2])


def test_a_dask_array_keeps_its_chunks():
    lazy = da.from_array(ZYX, chunks=(2, 5, 3))
    assert Stack.from_array(lazy).data is lazy
    assert np.array_equal(Stack.from_array(lazy).plane((3,)), ZYX[3])


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ((4,), r"Plane \(4,\) of array: axis z goes from 0 to 3"),
        ((-1,), "axis z goes from 0 to 3"),
        ((0, 0), r"expected 1 numbers, one for each of the axes \(z\)"),
        ((), "expected 1 numbers"),
        ((0.5,), "expected a tuple of whole numbers"),
    ],
)
def test_planes_that_are_not_there(index, message):
    with pytest.raises(ImageError, match=message):
        Stack.from_array(ZYX).plane(index)


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (ZYX, {"axes": ("t", "z")}, r"shape \(4, 5, 6\): expected \(t, z, rows, cols\)"),
        (ZYX[None], {"axes": ("z", "z")}, "expected different names"),
        (ZYX[None], {"axes": ("", "z")}, "expected different names"),
        (ZYX[..., None], {"axes": ("z",), "color": True}, "has 1 colours"),
        (ZYX[:0], {}, "expected known lengths above 0"),
        (ZYX.astype(complex), {}, "type complex128"),
        (ZYX[0, 0], {}, r"shape \(6,\): expected \(..., rows, cols\)"),
    ],
)
def test_parts_that_do_not_fit_are_refused(array, options, message):
    with pytest.raises(ImageError, match=message):
        Stack.from_array(array, **options)


def test_a_stack_of_anything_else_than_dask_is_refused():
    with pytest.raises(ImageError, match=r"ndarray: expected a dask array.*from_array"):
        Stack(ZYX, ("z",))


def test_two_channels_are_measured_once_each():
    data = np.arange(24).reshape(2, 2, 2, 3)
    stack = replace(Stack.from_array(data), channels=("a", "b"))
    assert np.array_equal(stack.intensities((1,)), data[1, ..., :2])
    assert np.array_equal(replace(stack, channels=()).intensities((1,)), data[1])
    for channels in (("a",), ("a", "b", "c", "d")):
        with pytest.raises(ImageError, match="expected as many names"):
            replace(stack, channels=channels)
