"""Discs and thick line segments drawn into a boolean image, all at once.

A capsule is every position closer than a radius to a line segment; a disc is a capsule whose ends
coincide. Each one cuts a row of pixels in a single interval, so many thousands are drawn by marking
where intervals begin and end and summing along the rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Rows handled at once: bounds the memory of long strokes (about 100 bytes are needed for each).
_ROWS_PER_CHUNK = 1_000_000
# Added to both ends of an interval, so that a pixel centre exactly on the rim counts as inside.
_RIM = 1e-9


def paint_capsules(
    hw: tuple[int, int],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    radius: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Draw the union of capsules.

    Parameters
    ----------
    hw : (height, width)
        Size of the image in pixels.
    start, end : shape (N, 2)
        Ends of the segments as (row, col), continuous: pixel i covers [i, i + 1).
    radius : shape (N,)
        Radius of each capsule in pixels.

    Returns
    -------
    mask : shape (height, width), bool
        True where a pixel's centre is at most `radius` from a segment.
    """
    height, width = hw
    # The first and last row whose centre a capsule can reach.
    low = np.minimum(start[:, 0], end[:, 0]) - radius
    high = np.maximum(start[:, 0], end[:, 0]) + radius
    first = np.maximum(np.ceil(low - 0.5 - _RIM), 0).astype(np.int64)
    last = np.minimum(np.floor(high - 0.5 + _RIM), height - 1).astype(np.int64)
    rows = np.maximum(last - first + 1, 0)
    # One more column than the image has: intervals that reach the right border end there.
    steps = np.zeros((height, width + 1), dtype=np.int32)
    ends_of_chunks = np.cumsum(rows) // _ROWS_PER_CHUNK
    for chunk in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(ends_of_chunks)) + 1):
        _mark_intervals(steps, start[chunk], end[chunk], radius[chunk], first[chunk], rows[chunk])
    return np.cumsum(steps, axis=1)[:, :width] > 0


def reaches_image(
    hw: tuple[int, int],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    radius: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Tell for each capsule whether it comes within its radius of the image.

    Parameters are those of :func:`paint_capsules`. The distance is measured along rows and columns,
    so a segment that cuts just past a corner of the image still counts; discs are exact.

    Returns
    -------
    reaches : shape (N,), bool
    """
    size = np.asarray(hw, dtype=np.float64)
    delta = end - start
    margin = radius[:, None]
    enter, leave = np.zeros_like(start), np.ones_like(start)
    # Liang-Barsky: the part of each segment between the two borders of an axis, as a share of it.
    moving = delta != 0
    step = np.where(moving, delta, 1.0)
    with np.errstate(over="ignore"):  # a denormal step gives an infinite share, which is right
        near, far = (-margin - start) / step, (size + margin - start) / step
    enter = np.where(moving, np.minimum(near, far), enter)
    leave = np.where(moving, np.maximum(near, far), leave)
    between = (start >= -margin) & (start <= size + margin)
    crosses = np.maximum(enter.max(axis=1), 0) <= np.minimum(leave.min(axis=1), 1)
    reaches: NDArray[np.bool_] = crosses & (between | moving).all(axis=1)
    still = ~moving.any(axis=1)
    outside = start - np.clip(start, 0, size)
    reaches[still] = np.hypot(outside[still, 0], outside[still, 1]) <= radius[still]
    return reaches


def _mark_intervals(
    steps: NDArray[np.int32],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    radius: NDArray[np.float64],
    first: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> None:
    """Add +1 where each capsule begins in each of its rows and -1 just after it ends."""
    owner = np.repeat(np.arange(len(rows)), rows)
    row = np.arange(len(owner)) - np.repeat(np.cumsum(rows) - rows, rows) + first[owner]
    a, b, r = start[owner], end[owner], radius[owner]
    y = row + 0.5

    # The discs at both ends: x within the root of r^2 - dy^2; an empty interval where that is < 0.
    left, right = np.full(len(row), np.inf), np.full(len(row), -np.inf)
    for centre in (a, b):
        square = r**2 - (y - centre[:, 0]) ** 2
        half = np.where(square >= 0, np.sqrt(np.maximum(square, 0)), -np.inf)
        left = np.minimum(left, centre[:, 1] - half)
        right = np.maximum(right, centre[:, 1] + half)

    # The rectangle between them: beside the segment (along) and no further than r from it (across).
    dy, dx = b[:, 0] - a[:, 0], b[:, 1] - a[:, 1]
    length = np.hypot(dy, dx)
    offset = y - a[:, 0]
    along = _solve(dx, -offset * dy, length**2 - offset * dy)
    across = _solve(dy, offset * dx - r * length, offset * dx + r * length)
    inner_left = np.maximum(along[0], across[0]) + a[:, 1]
    inner_right = np.minimum(along[1], across[1]) + a[:, 1]
    filled = (length > 0) & (inner_left <= inner_right)
    left = np.where(filled, np.minimum(left, inner_left), left)
    right = np.where(filled, np.maximum(right, inner_right), right)

    # Pixels whose centre (column + 0.5) lies in [left, right].
    width = steps.shape[1] - 1
    hit = left <= right
    begin = np.ceil(np.clip(left[hit] - 0.5 - _RIM, 0, width)).astype(np.int64)
    stop = np.floor(np.clip(right[hit] - 0.5 + _RIM, -1, width - 1)).astype(np.int64) + 1
    drawn = begin < stop
    np.add.at(steps, (row[hit][drawn], begin[drawn]), 1)
    np.add.at(steps, (row[hit][drawn], stop[drawn]), -1)


def _solve(
    slope: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the interval of x for which ``low <= slope * x <= high``, (inf, -inf) if empty."""
    flat = slope == 0
    safe = np.where(flat, 1.0, slope)
    with np.errstate(over="ignore"):  # a denormal slope gives an infinite border, which is right
        one, other = low / safe, high / safe
    possible = (low <= 0) & (high >= 0)
    left = np.where(flat, np.where(possible, -np.inf, np.inf), np.minimum(one, other))
    right = np.where(flat, np.where(possible, np.inf, -np.inf), np.maximum(one, other))
    return left, right
