"""Where a model looks to hear marks on a target: all of it, or windows as large as its tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotations import Annotation, Box, Mask, Point, Scribble, rasterize
from vrpsam_app.corrections import Corrections
from vrpsam_app.marked_parts import Window


def windows_around(
    marked: NDArray[np.bool_], tile_hw: tuple[int, int], known: Sequence[Window]
) -> list[Window]:
    """Return windows beside the known ones, so that each marked pixel lies well inside one.

    Well inside is the inner half, and what lies as near to a side that is the plane's own.
    """
    left = marked.copy()
    for window in known:
        left[_inner(window, marked.shape)] = False
    windows: list[Window] = []
    while left.any():
        row, col = np.argwhere(left)[0]
        rows, cols = (
            _around(int(at), side, length)
            for at, side, length in zip((row, col), tile_hw, marked.shape, strict=True)
        )
        windows.append((rows, cols))
        left[_inner((rows, cols), marked.shape)] = False
    return windows


def standing(marks: Sequence[Annotation], hw: tuple[int, int]) -> list[Annotation]:
    """Return the marks without those taken back: that others of the negative sign cover."""
    refused = rasterize([m for m in marks if not m.positive], hw).negative
    return [
        mark
        for mark in marks
        if not mark.positive or (rasterize([mark], hw).positive & ~refused).any()
    ]


def hearable(marks: Sequence[Annotation], hw: tuple[int, int]) -> list[Annotation]:
    """Return marks as a model can hear them: SAM takes one box, so that others become areas."""
    boxes = [mark for mark in marks if isinstance(mark, Box) and mark.positive]
    return [
        Mask(rasterize([mark], hw).positive) if any(mark is box for box in boxes[1:]) else mark
        for mark in marks
    ]


def seen_in(corrections: Corrections, window: Window) -> Corrections:
    """Return the marks that lie in a window, by its own coordinates."""
    rows, cols = window
    logits = corrections.mask_logits
    seen = tuple(part for mark in corrections.annotations for part in _parts(mark, rows, cols))
    return Corrections(seen, None if logits is None else logits[window])


def _inner(window: Window, shape: tuple[int, ...]) -> Window:
    rows, cols = (
        slice(
            span.start + (span.stop - span.start) // 4 if span.start > 0 else 0,
            span.stop - (span.stop - span.start) // 4 if span.stop < length else length,
        )
        for span, length in zip(window, shape, strict=True)
    )
    return rows, cols


def _around(middle: int, side: int, length: int) -> slice:
    start = min(max(middle - side // 2, 0), max(length - side, 0))
    return slice(start, min(start + side, length))


def _parts(mark: Annotation, rows: slice, cols: slice) -> Iterator[Annotation]:
    """Yield the parts of a mark that lie in a window, by its coordinates."""
    height, width = rows.stop - rows.start, cols.stop - cols.start
    if isinstance(mark, Mask):
        if (inside := mark.mask[rows, cols]).any():
            yield replace(mark, mask=inside)
    elif isinstance(mark, Box):
        top, bottom = max(mark.top - rows.start, 0), min(mark.bottom - rows.start, height)
        left, right = max(mark.left - cols.start, 0), min(mark.right - cols.start, width)
        if top < bottom and left < right:
            yield replace(mark, top=top, left=left, bottom=bottom, right=right)
    elif isinstance(mark, Point):
        row, col = mark.row - rows.start, mark.col - cols.start
        if 0 <= row <= height and 0 <= col <= width:
            yield replace(mark, row=row, col=col)
    elif isinstance(mark, Scribble):
        path = _dense(np.asarray(mark.vertices, float)) - (rows.start, cols.start)
        inside = ((path >= 0) & (path <= (height, width))).all(axis=1)
        ends = np.flatnonzero(np.diff(np.pad(inside, 1).astype(np.int8)))
        for first, last in zip(ends[::2], ends[1::2], strict=True):
            line = tuple((float(r), float(c)) for r, c in path[first:last])
            yield replace(mark, vertices=line)


def _dense(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points along a polyline, a pixel apart at the most."""
    pieces = [path[:1]]
    for start, end in pairwise(path):
        steps = max(1, int(np.ceil(np.hypot(*(end - start)))))
        pieces.append(start + (end - start) * (np.arange(1, steps + 1)[:, None] / steps))
    return np.concatenate(pieces)
