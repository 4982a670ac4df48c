"""Pixel sizes, channels, axes and scenes as people type them on a command line or in a form."""

from __future__ import annotations

import re

from vrpsam_app.errors import ImageError
from vrpsam_app.stacks.axes import MOST_COLOURS
from vrpsam_app.stacks.stack import PixelSize

_SIZE = re.compile(r"(?P<numbers>.*?)\s*(?P<unit>[a-zµμå]*)", re.IGNORECASE)


def parse_pixel_size(text: str) -> PixelSize:
    """Read a pixel size.

    Parameters
    ----------
    text : ``"0.65"`` for rows and columns, ``"0.65,0.6"`` for row and column, ``"0.65,0.65,2"``
        with the distance of planes; a unit may follow (``"0.65,0.65,2.0um"``, ``"650 nm"``),
        without one they are micrometres

    Raises
    ------
    ImageError
        If it is none of these.

    Examples
    --------
    >>> parse_pixel_size("650nm")
    PixelSize(row=650.0, col=650.0, plane=None, unit='nm')
    """
    parts = _SIZE.fullmatch(text.strip())
    try:
        numbers = [float(part) for part in parts["numbers"].split(",")] if parts else []
    except ValueError:
        numbers = []
    if parts is None or not 1 <= len(numbers) <= 3:
        raise ImageError(
            f"Pixel size {text!r}: expected one number, row,col or row,col,plane, and a unit if "
            "they are not micrometres, such as 0.65 or 0.65,0.65,2.0um."
        )
    row, col = numbers[0], numbers[min(1, len(numbers) - 1)]
    plane = numbers[2] if len(numbers) == 3 else None
    return PixelSize(row, col, plane, parts["unit"] or "um")


def parse_channels(text: str, *, most: int | None = MOST_COLOURS) -> tuple[int | str, ...]:
    """Read a choice of channels.

    Parameters
    ----------
    text : numbers from 0, or names, with commas between: ``"0"``, ``"0,2"``, ``"DAPI,GFP"``
    most : how many they may be, three to be shown as colours; None for any number

    Raises
    ------
    ImageError
        If it is none of these.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(parts) or (most is not None and len(parts) > most):
        number = "one or several" if most is None else "one (grey), or two or three (colours)"
        raise ImageError(
            f"Channels {text!r}: expected {number}, as numbers from 0 or names, such as 0 or 0,2 "
            "or DAPI,GFP."
        )
    return tuple(int(part) if part.isdecimal() else part for part in parts)


def parse_axes(text: str) -> tuple[str, ...]:
    """Read the names of all axes of a file.

    Parameters
    ----------
    text : one letter for each axis, ``"tzyx"``, or names with commas between, ``"position,y,x"``

    Raises
    ------
    ImageError
        If rows and columns (y, x) are not among them.
    """
    parts = text.split(",") if "," in text else list(text.strip())
    names = tuple(part.strip().lower() for part in parts)
    if not all(names) or not {"y", "x"} <= set(names) or len(set(names)) < len(names):
        raise ImageError(
            f"Axes {text!r}: expected a different name for each axis of the file, y (rows) and x "
            "(columns) among them, such as zyx or position,y,x."
        )
    return names


def parse_scene(text: str) -> int | str:
    """Read which image of a file is meant: its number from 0, or its name.

    Raises
    ------
    ImageError
        If it is empty.
    """
    name = text.strip()
    if not name:
        raise ImageError(f"Scene {text!r}: expected a number from 0, or a name.")
    return int(name) if name.isdecimal() else name
