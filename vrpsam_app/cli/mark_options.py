"""Marks as they are typed on the command line, and options that take them."""

from __future__ import annotations

import argparse
import math
from typing import Any


def add_mark_options(parser: argparse.ArgumentParser) -> None:
    """Add marks on a picture that a reference is not made of: corrections of what was found."""
    group = parser.add_argument_group(
        "marks on the picture", "Coordinates are x,y in pixels, from its top left corner."
    )
    for flag, kind, metavar, help_text in (
        ("--point", point_mark, "X,Y", "a point on the object"),
        ("--not-point", not_point_mark, "X,Y", "a point beside the object"),
        ("--scribble", scribble_mark, '"X,Y X,Y ...[;WIDTH]"', "a stroke over the object"),
        (
            "--not-scribble",
            not_scribble_mark,
            '"X,Y X,Y ...[;WIDTH]"',
            "a stroke beside the object",
        ),
        ("--box", box_mark, "X0,Y0,X1,Y1", "a box around the object, one at most"),
    ):
        group.add_argument(
            flag,
            dest="marks",
            action="append",
            default=[],
            type=kind,
            metavar=metavar,
            help=help_text,
        )


def _numbers(text: str, count: int, example: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(math.isfinite(n) for n in numbers):
        what = "a number" if count == 1 else f"{count} numbers"
        raise argparse.ArgumentTypeError(f"{text!r}: expected {what} such as {example}")
    return numbers


def box_mark(text: str) -> dict[str, Any]:
    """Read ``X0,Y0,X1,Y1``."""
    return {"type": "box", "xyxy": _numbers(text, 4, "40,60,180,220"), "positive": True}


def point_mark(text: str) -> dict[str, Any]:
    """Read ``X,Y``, on the object."""
    return {"type": "point", "xy": _numbers(text, 2, "120,80"), "positive": True}


def not_point_mark(text: str) -> dict[str, Any]:
    """Read ``X,Y``, beside the object."""
    return {**point_mark(text), "positive": False}


def not_scribble_mark(text: str) -> dict[str, Any]:
    """Read a stroke beside the object."""
    return {**scribble_mark(text), "positive": False}


def scribble_mark(text: str) -> dict[str, Any]:
    """Read ``X,Y X,Y ...``, and a width after a semicolon."""
    vertices, _, width = text.partition(";")
    points = [_numbers(part, 2, "120,80") for part in vertices.split()]
    if not points:
        raise argparse.ArgumentTypeError(f'{text!r}: expected points such as "10,20 30,40"')
    item: dict[str, Any] = {"type": "scribble", "xy": points, "positive": True}
    if width:
        item["width"] = _numbers(width, 1, "12")[0]
    return item
