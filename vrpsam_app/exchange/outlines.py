"""Outlines along the edges of pixels, exact both ways: from masks to polygons and back.

Coordinates are (x, y), as every polygon format has them, and continuous: pixel i covers [i, i + 1).
What is traced here lies on whole numbers. A pixel belongs to a polygon if its centre does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.annotation_types import MAX_COORDINATE
from vrpsam_app.errors import ObjectFileError

Ring = NDArray[np.float64]
"""Corners of a closed line, shape (N, 2) in (x, y), the first one not repeated."""

MAX_CORNERS, MAX_CROSSINGS = 20_000_000, 100_000_000
"""Corners of one ring, and rows that its edges cross in all; more is no outline of anything."""

# Steps in (x, y) to the right, down, left and up: a turn to the left is one less.
_STEPS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])


@dataclass(frozen=True, eq=False)
class Outline:
    """One piece of an object: its border, and those of its holes.

    Attributes
    ----------
    border : shape (N, 2), (x, y)
        Clockwise as one sees it.
    holes : each as `border`, counter-clockwise
        Pieces and holes are valid polygons in the sense of the OGC's simple features: no ring
        touches itself, and rings touch each other in single points only.
    """

    border: Ring
    holes: tuple[Ring, ...] = ()


@dataclass(frozen=True, eq=False)
class Patch:
    """A mask in a window of an image.

    Attributes
    ----------
    top, left : of the window, in pixels
    mask : shape (h, w), bool
    """

    top: int
    left: int
    mask: NDArray[np.bool_]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns that the mask covers."""
        height, width = self.mask.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def outlines_of(patch: Patch) -> list[Outline]:
    """Trace a mask along the edges of its pixels.

    Returns
    -------
    outlines : one for each part that shares no edge with the others, from the top; corners only
        where the line turns
    """
    from scipy import ndimage

    parts, _ = ndimage.label(patch.mask)
    outlines = []
    for number, (rows, cols) in enumerate(ndimage.find_objects(parts), start=1):
        rings = _trace(parts[rows, cols] == number)
        corner = np.array([patch.left + cols.start, patch.top + rows.start])
        border, *holes = sorted((ring + corner for ring in rings), key=signed_area, reverse=True)
        outlines.append(Outline(border, tuple(holes)))
    return outlines


def signed_area(ring: Ring) -> float:
    """Return the area inside a ring in pixels, negative if it runs counter-clockwise."""
    x, y = ring[:, 0], ring[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y)) / 2


def as_one_ring(outlines: Sequence[Outline]) -> Ring:
    """Join borders and holes to one ring, for formats that know no more.

    Bridges run to and fro along the same line, so that they enclose nothing: filled by the even-odd
    rule the ring gives the same pixels.
    """
    from scipy.spatial import cKDTree

    rings = [ring for outline in outlines for ring in (outline.border, *outline.holes)]
    corners = np.concatenate(rings)
    bridges: dict[int, list[Sequence[int]]] = {}
    trees: list[tuple[int, cKDTree]] = []  # of the corners of rings that are joined, from where on
    stop = 0
    for ring in rings:
        start, stop = stop, stop + len(ring)
        if trees:
            found = [(*tree.query(ring, p=1), first) for first, tree in trees]
            away, nearest, first = min(found, key=lambda one: float(one[0].min()))
            there = int(away.argmin())
            around = (*range(start + there, stop), *range(start, start + there + 1))
            bridges.setdefault(first + int(nearest[there]), []).append(around)
        # Trees are joined as digits are carried over, so that no corner is sorted in very often.
        while trees and trees[-1][1].n <= stop - start:
            start = trees.pop()[0]
        trees.append((start, cKDTree(corners[start:stop])))
    order, ahead = list[int](), list(range(len(rings[0])))[::-1]
    while ahead:
        corner = ahead.pop()
        order.append(corner)
        if bridges.get(corner):
            ahead += [corner, *reversed(bridges[corner].pop())]
    return corners[order]


def fill_rings(rings: Sequence[ArrayLike], hw: tuple[int, int], *, name: str) -> Patch | None:
    """Return the pixels whose centre is inside an odd number of rings.

    Parameters
    ----------
    rings : each of shape (N, 2), (x, y), closed or not; holes among them
    hw : height and width of the image; what reaches over its border is cut off
    name : what messages call it

    Returns
    -------
    patch : None if no pixel is inside

    Raises
    ------
    ObjectFileError
        If a ring has fewer than three corners, or corners that are no finite numbers.
    """
    starts, ends = [], []
    for ring in rings:
        corners = _checked(ring, name)
        starts.append(corners)
        ends.append(np.roll(corners, -1, axis=0))
    start, end = np.concatenate(starts), np.concatenate(ends)
    # Each edge from its upper end, so that one and the same line crosses a row at the same place,
    # whichever way it runs.
    down = (start[:, 1] <= end[:, 1])[:, None]
    (x0, y0), (x1, y1) = np.where(down, start, end).T, np.where(down, end, start).T
    first = np.clip(np.ceil(y0 - 0.5), 0, hw[0]).astype(np.int64)
    stop = np.clip(np.ceil(y1 - 0.5), 0, hw[0]).astype(np.int64)
    if not (stop > first).any():
        return None
    low, high = start.min(axis=0), start.max(axis=0)
    left, right = (int(np.clip(np.ceil(x - 0.5), 0, hw[1])) for x in (low[0], high[0]))
    crossing = stop > first
    top, bottom = int(first[crossing].min()), int(stop[crossing].max())
    rows = np.maximum(stop - first, 0)
    if rows.sum() > MAX_CROSSINGS:
        raise ObjectFileError(f"{name} crosses {rows.sum()} rows of pixels: it is no outline.")
    edge = np.repeat(np.arange(len(rows)), rows)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(rows) - rows, rows) + first[edge]
    share = (row + 0.5 - y0[edge]) / (y1[edge] - y0[edge])
    col = np.ceil(x0[edge] + share * (x1[edge] - x0[edge]) - 0.5)
    flips = np.zeros((bottom - top, right - left + 1), np.int64)
    np.add.at(flips, (row - top, np.clip(col, left, right).astype(np.int64) - left), 1)
    mask = np.cumsum(flips, axis=1)[:, :-1] % 2 == 1
    return Patch(top, left, mask) if mask.any() else None


def _checked(ring: ArrayLike, name: str) -> Ring:
    try:
        corners = np.asarray(ring, np.float64)
    except (TypeError, ValueError) as error:
        raise ObjectFileError(f"{name} has corners that are no numbers ({error}).") from error
    if corners.ndim != 2 or corners.shape[1] != 2 or not 3 <= len(corners) <= MAX_CORNERS:
        raise ObjectFileError(
            f"{name} has corners of shape {corners.shape}: expected at least three, each (x, y)."
        )
    if not (np.abs(corners) <= MAX_COORDINATE).all():
        raise ObjectFileError(
            f"{name} has a corner that is not finite or beyond {MAX_COORDINATE:g} pixels: expected "
            "positions in pixels of the image."
        )
    return corners


def _trace(mask: NDArray[np.bool_]) -> list[Ring]:
    """Return the rings of one connected part, the inside to the right of the way they run."""
    padded = np.pad(mask, 1)
    inside, above, beside = padded[1:, 1:], padded[:-1, 1:], padded[1:, :-1]
    # Edges between a pixel and that above it, and between a pixel and that to its left.
    corners_of, ways_of = [], []
    for present, direction, dx, dy in (
        (inside & ~above, 0, 0, 0),
        (beside & ~inside, 1, 0, 0),
        (above & ~inside, 2, 1, 0),
        (inside & ~beside, 3, 0, 1),
    ):
        y, x = np.nonzero(present)
        corners_of.append(np.column_stack([x + dx, y + dy]))
        ways_of.append(np.full(len(x), direction))
    start, way = np.concatenate(corners_of), np.concatenate(ways_of)
    width = mask.shape[1] + 2
    key = (start[:, 1] * width + start[:, 0]) * 4 + way
    order = np.argsort(key)
    start, way, key = start[order], way[order], key[order]
    after = start + _STEPS[way]
    target = (after[:, 1] * width + after[:, 0]) * 4
    # Where two pixels touch at a corner the line turns left, which keeps them together and the two
    # sides of the background apart; elsewhere there is one way to go on.
    left_turn = np.searchsorted(key, target + (way - 1) % 4)
    left_turn = np.minimum(left_turn, len(key) - 1)
    follow = np.searchsorted(key, target)
    forked = key[left_turn] == target + (way - 1) % 4
    follow = np.where(forked, left_turn, follow)
    turns = (way[follow] != way).tolist()
    following, seen = follow.tolist(), np.zeros(len(key), np.bool_)
    rings = []
    for begin in range(len(key)):
        if seen[begin]:
            continue
        corners, edge = [], begin
        while not seen[edge]:
            seen[edge] = True
            if turns[edge]:
                corners.append(following[edge])
            edge = following[edge]
        rings.append(start[corners].astype(np.float64))
    return rings
