"""Pixel sizes as files state them: believed only where they make sense."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vrpsam_app.stacks.stack import PixelSize, unit_of_length

OWN_SIZE = "vrpsam_pixel_size"
"""Under this name results carry their pixel size where the format has no place for one."""


def stated_size(row: Any, col: Any, plane: Any = None, unit: Any = "um") -> PixelSize | None:
    """Return the pixel size that a file states, None if it states none.

    Parameters
    ----------
    row, col, plane : numbers, texts of numbers, or anything else, which counts as unstated
        If one of row and col is unstated, pixels are taken as square.
    unit : one for all three, or one for each; what is no unit of length counts as unstated
    """
    units = unit if isinstance(unit, tuple) else (unit,) * 3
    row, col, plane = (_distance(*pair) for pair in zip((row, col, plane), units, strict=True))
    if row is None and col is None:
        return None
    size = PixelSize(row or col, col or row, plane, "m")
    # In the unit of the columns, or of the rows where only they are stated.
    return size.to(next(u for u, d in ((units[1], col), (units[0], row)) if d is not None))


def own_size(attributes: Mapping[str, Any]) -> PixelSize | None:
    """Return the pixel size that this program wrote among attributes, None if it did not."""
    said = attributes.get(OWN_SIZE)
    if not isinstance(said, Mapping):
        return None
    return stated_size(said.get("row"), said.get("col"), said.get("plane"), said.get("unit"))


def _distance(value: Any, unit: Any) -> float | None:
    """Return a distance in metres, None if it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    known = unit_of_length(unit) if isinstance(unit, str) else None
    if known is None or not (math.isfinite(number) and number > 0):
        return None
    return PixelSize(number, number, unit=known).to("m").row
