from __future__ import annotations

import pytest

from vrpsam_app.errors import ImageError
from vrpsam_app.stacks.options import parse_axes, parse_channels, parse_pixel_size, parse_scene
from vrpsam_app.stacks.stack import PixelSize


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0.65", PixelSize(0.65, 0.65)),
        ("0.65,0.5", PixelSize(0.65, 0.5)),
        ("0.65,0.65,2.0um", PixelSize(0.65, 0.65, 2.0)),
        ("650nm", PixelSize(650, 650, unit="nm")),
        (" 1 , 2 , 3 mm ", PixelSize(1, 2, 3, "mm")),
        ("1e-3 mm", PixelSize(0.001, 0.001, unit="mm")),
        ("0.5µm", PixelSize(0.5, 0.5)),
        ("2 micron", PixelSize(2, 2)),
    ],
)
def test_pixel_sizes(text, size):
    assert parse_pixel_size(text) == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Pixel size '': expected one number, row,col or row,col,plane"),
        ("um", "Pixel size 'um'"),
        ("1,2,3,4", "Pixel size '1,2,3,4'"),
        ("1;2", "Pixel size '1;2'"),
        ("1,,2", "Pixel size '1,,2'"),
        ("0.5 px", "Unit 'px' is no unit of length"),
        ("-1", "row=-1.0 is invalid"),
        ("0,65", "row=0.0 is invalid"),  # a decimal comma
        ("nan", "Pixel size 'nan'"),
    ],
)
def test_pixel_sizes_that_cannot_be_read(text, message):
    with pytest.raises(ImageError, match=message):
        parse_pixel_size(text)


@pytest.mark.parametrize(
    ("text", "channels"),
    [("0", (0,)), ("0,2", (0, 2)), (" 2, 1 ,0", (2, 1, 0)), ("DAPI,GFP", ("DAPI", "GFP"))],
)
def test_channels(text, channels):
    assert parse_channels(text) == channels


def test_any_number_of_channels_where_none_are_shown():
    assert parse_channels("0,1,2,ER,4", most=None) == (0, 1, 2, "ER", 4)
    with pytest.raises(ImageError, match="expected one or several"):
        parse_channels("0,,2", most=None)


@pytest.mark.parametrize("text", ["", "0,", "0,1,2,3", ",", "0,,1"])
def test_channels_that_cannot_be_read(text):
    with pytest.raises(ImageError, match=r"expected one \(grey\), or two or three \(colours\)"):
        parse_channels(text)


@pytest.mark.parametrize(
    ("text", "axes"),
    [
        ("tzyx", ("t", "z", "y", "x")),
        ("ZYX", ("z", "y", "x")),
        ("position, y,x", ("position", "y", "x")),
    ],
)
def test_axes(text, axes):
    assert parse_axes(text) == axes


@pytest.mark.parametrize("text", ["", "zy", "zzyx", "z,,y,x", "z y x"])
def test_axes_that_cannot_be_read(text):
    with pytest.raises(ImageError, match="expected a different name for each axis"):
        parse_axes(text)


def test_scenes():
    assert parse_scene(" 3 ") == 3
    assert parse_scene("Series 3") == "Series 3"
    with pytest.raises(ImageError, match="expected a number from 0, or a name"):
        parse_scene(" ")
