from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest

from vrpsam_app.errors import ImageError
from vrpsam_app.stacks.axes import (
    UNKNOWN,
    FileImage,
    axes_of_shape,
    axis_name,
    to_channels,
    to_stack,
)
from vrpsam_app.stacks.stack import PixelSize

RNG = np.random.default_rng(0)
SIZES = {"t": 2, "c": 3, "z": 4, "y": 5, "x": 6, "s": 3, UNKNOWN: 2, "p": 2}


def image(axes, **options):
    lengths = {**SIZES, **options.pop("sizes", {})}
    data = RNG.integers(0, 99, [lengths[axis] for axis in axes])
    chunks = tuple(1 if a not in ("y", "x", "s") else lengths[a] for a in axes)
    return FileImage(
        da.from_array(data, chunks=chunks), tuple(axes), Path("a.tif"), **options
    ), data


@pytest.mark.parametrize("axes", ["tzyx", "yxzt", "xytz", "ztxy"])
def test_rows_and_columns_come_last(axes):
    found, data = image(axes)
    stack = to_stack(found)
    leading = [axis for axis in axes if axis in "tz"]
    assert stack.axes == tuple(leading)
    expected = data.transpose([axes.index(axis) for axis in (*leading, "y", "x")])
    assert np.array_equal(stack.data.compute(), expected)


@pytest.mark.parametrize("axes", ["zyxs", "zsyx", "syxz"])
def test_samples_come_behind_them(axes):
    found, data = image(axes)
    stack = to_stack(found)
    assert stack.color
    assert np.array_equal(
        stack.data.compute(), data.transpose([axes.index(axis) for axis in "zyxs"])
    )


def test_axes_of_length_one_are_dropped():
    found, data = image("tczyx", sizes={"t": 1, "c": 1})
    stack = to_stack(found)
    assert stack.axes == ("z",)
    assert np.array_equal(stack.data.compute(), data[0, 0])
    single, _ = image("tzyx", sizes={"t": 1, "z": 1, "y": 1})
    assert to_stack(single).axes == ()
    assert to_stack(single).plane_hw == (1, 6)


@pytest.mark.parametrize(
    ("axes", "named"),
    [
        ((UNKNOWN, "y", "x"), ("z",)),
        ((UNKNOWN, UNKNOWN, "y", "x"), ("t", "z")),
        ((UNKNOWN, "z", "y", "x"), ("t", "z")),
        (("z", UNKNOWN, "y", "x"), ("z", "t")),
        ((UNKNOWN, UNKNOWN, UNKNOWN, "y", "x"), ("i", "t", "z")),
        (("p", UNKNOWN, "y", "x"), ("p", "z")),
    ],
)
def test_unknown_axes_are_named_as_imagej_takes_them(axes, named):
    assert to_stack(image(axes)[0]).axes == named


def test_channels_become_colours_in_the_order_given():
    found, data = image("zcyx")
    assert np.array_equal(to_stack(found).data.compute(), np.moveaxis(data, 1, -1))
    for chosen in ((2, 1, 0), (0, 0, 1)):
        coloured = to_stack(found, channels=chosen)
        assert np.array_equal(
            coloured.data.compute(), np.stack([data[:, c] for c in chosen], axis=-1)
        )
        assert coloured.data.chunksize == (1, 5, 6, 3)


def test_two_channels_become_magenta_and_green():
    found, data = image("cyx", sizes={"c": 2})
    expected = np.stack([data[0], data[1], data[0]], axis=-1)
    assert np.array_equal(to_stack(found).data.compute(), expected)


def test_one_channel_becomes_grey():
    found, data = image("zcyx", channel_names=("DAPI", "GFP"))
    for chosen in ([1], ["GFP"], ["gfp"], 1, "GFP"):
        stack = to_stack(found, channels=chosen)
        assert not stack.color
        assert np.array_equal(stack.data.compute(), data[:, 1])


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ([5], r"no channel 5\. It has 5: 0 'DAPI', 1 'GFP', 2, 3, 4"),
        ([-1], "no channel -1"),
        (["Cy5"], "no channel 'Cy5'"),
        ([], "0 channels are chosen"),
        ([0, 1, 2, 3], "4 channels are chosen"),
        (None, r"has 5 channels: 0 'DAPI', 1 'GFP', 2, 3, 4\. Choose one.*--channels 0"),
    ],
)
def test_channels_that_cannot_be_shown(channels, message):
    found, _ = image("zcyx", sizes={"c": 5}, channel_names=("DAPI", "GFP"))
    with pytest.raises(ImageError, match=message):
        to_stack(found, channels=channels)


def test_every_channel_by_itself_however_many_there_are():
    found, data = image("zcyx", sizes={"c": 5}, channel_names=("DAPI", "GFP", "DAPI"))
    every = to_channels(found)
    assert list(every) == ["DAPI", "GFP", "DAPI-2", "channel3", "channel4"]
    for number, stack in enumerate(every.values()):
        assert not stack.color
        assert np.array_equal(stack.data.compute(), data[:, number])
    chosen = to_channels(found, channels=["GFP", 4, 3, 0])
    assert list(chosen) == ["GFP", "channel4", "channel3", "DAPI"]
    (alone,) = to_channels(found, channels=[3]).items()
    assert alone[0] == ""
    assert np.array_equal(alone[1].data.compute(), data[:, 3])
    with pytest.raises(ImageError, match="no channel 5"):
        to_channels(found, channels=[0, 1, 2, 3, 5])


def test_what_has_no_channels_is_one_stack():
    for axes in ("zyx", "yxs"):
        found, data = image(axes)
        (stack,) = to_channels(found).values()
        assert stack.color == ("s" in axes)
        assert np.array_equal(stack.data.compute(), data)


def test_a_grey_image_has_channel_0_and_no_other():
    found, data = image("zyx")
    assert np.array_equal(to_stack(found, channels=[0]).data.compute(), data)
    with pytest.raises(ImageError, match="no channel 1"):
        to_stack(found, channels=[1])


def test_of_a_colour_picture_one_colour_can_be_chosen():
    found, data = image("zyxs", sizes={"s": 4})
    for chosen in ([1], ["green"]):
        stack = to_stack(found, channels=chosen)
        assert not stack.color
        assert np.array_equal(stack.data.compute(), data[..., 1])
    assert np.array_equal(to_stack(found, channels=[2, 1, 0]).data.compute(), data[..., [2, 1, 0]])


def test_other_numbers_of_samples_are_channels():
    found, data = image("zyxs", sizes={"s": 5})
    with pytest.raises(ImageError, match="has 5 channels"):
        to_stack(found)
    assert np.array_equal(to_stack(found, channels=[4]).data.compute(), data[..., 4])
    grey, data = image("zyxs", sizes={"s": 1})
    assert np.array_equal(to_stack(grey).data.compute(), data[..., 0])
    both, data = image("czyxs", sizes={"c": 1, "s": 2})
    assert np.array_equal(to_stack(both, channels=[1]).data.compute(), data[0, ..., 1])
    with pytest.raises(ImageError, match="3 channels of 2 samples"):
        to_stack(image("czyxs", sizes={"s": 2})[0])


def test_channels_in_colour_are_chosen_one_at_a_time():
    found, data = image("cyxs")
    with pytest.raises(ImageError, match=r"has 3 channels, each in colour: 0, 1, 2\. Choose"):
        to_stack(found)
    assert np.array_equal(to_stack(found, channels=[2]).data.compute(), data[2])


def test_the_caller_names_axes_and_size():
    found, data = image("zyx", pixel_size=PixelSize(1, 1))
    stack = to_stack(found, axes=("Time", "row", "col"), pixel_size=PixelSize(2, 2))
    assert stack.axes == ("t",)
    assert stack.pixel_size == PixelSize(2, 2)
    assert np.array_equal(to_stack(found, axes="xyt").data.compute(), data.transpose(2, 1, 0))
    assert to_stack(found).pixel_size == PixelSize(1, 1)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ("yx", r"Axes 'yx' for a\.tif of shape \(4, 5, 6\): expected 3 names, such as 'zyx'"),
        ("zzx", "expected different names with y"),
        ("tzx", "expected different names with y"),
    ],
)
def test_names_that_do_not_fit(axes, message):
    with pytest.raises(ImageError, match=message):
        to_stack(image("zyx")[0], axes=axes)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((5, 6), ("y", "x")),
        ((5, 6, 3), ("y", "x", "s")),
        ((7, 5, 6), (UNKNOWN, "y", "x")),
        ((2, 7, 5, 6, 4), (UNKNOWN, UNKNOWN, "y", "x", "s")),
        ((4, 3), ("y", "x")),
    ],
)
def test_axes_of_arrays_without_names(shape, axes):
    assert axes_of_shape(shape) == axes


def test_names_in_words():
    assert [axis_name(name) for name in ("Time", "Z", "channel", " row ", "Q")] == list("tzcyq")


@pytest.mark.parametrize(
    ("axes", "names", "chosen", "shown"),
    [
        ("czyx", ("DAPI", "GFP", "RFP"), None, ("DAPI", "GFP", "RFP")),
        ("czyx", ("DAPI",), (2, "dapi"), ("channel2", "DAPI")),
        ("czyx", ("Cy5", "", "Cy5"), (0, 2), ("Cy5", "Cy5-2")),
        ("czyx", ("DAPI", "GFP", "RFP"), (1,), ()),
        ("zyxs", ("DAPI",), None, ()),
        ("zyxs", (), ("blue", "red"), ("blue", "red")),
    ],
)
def test_channels_that_become_colours_keep_their_names(axes, names, chosen, shown):
    found, _ = image(axes, channel_names=names)
    assert to_stack(found, channels=chosen).channels == shown
