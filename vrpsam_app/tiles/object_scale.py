"""How large the annotated object is, and references cut so that it looks as large as in tiles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.images import IntensityRange
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Segmenter
from vrpsam_app.stacks.stack import PixelSize

# Parts of a mask below this share of the largest one are specks and say nothing about the size.
_SPECK = 0.1
# A reference whose longer side is within these factors of the window is shown as it is.
_ALIKE = (0.8, 1.25)
# A small reference is surrounded by its mirror image up to this many times its longer side.
_MOST_PADDING = 4
# Windows are tried around this many marks at most.
_MOST_CANDIDATES = 500


def object_size(references: Sequence[Reference]) -> float | None:
    """Return the size of the annotated object in pixels of the reference images.

    The size is the square root of the area of a box or of a connected part of a mask, and the
    longer side of a stroke, which a person draws along the object. Of several the median counts,
    first within a reference and then over them.

    Returns
    -------
    size : float, or None
        None if only points show the object, which say where it is and not how large.
    """
    sizes = [size for r in references if (size := _size_in(r)) is not None]
    return float(np.median(sizes)) if sizes else None


def clicked_object_size(
    segmenter: Segmenter,
    references: Sequence[Reference],
    side: int,
    *,
    intensity_range: IntensityRange | None = None,
) -> float | None:
    """Return the size of clicked objects, as the segmenter itself finds them around the clicks.

    Parameters
    ----------
    side : pixels of the window around a click that is shown to the segmenter

    Returns
    -------
    size : float, or None
        Square root of the area of what is found under the clicks; the median over references.
        None if nothing is found there.
    """
    from scipy import ndimage

    sizes = []
    for reference in references:
        if reference.is_not_this:
            continue
        (window, *_) = reference_windows(reference, side, 1)
        found = segmenter.predict(window.image, [window], intensity_range=intensity_range)
        parts, _ = ndimage.label(found.probability > 0.5)
        clicked = np.setdiff1d(parts[window.positive], 0)
        if clicked.size:
            sizes.append(math.sqrt(np.isin(parts, clicked).sum() / clicked.size))
    return float(np.median(sizes)) if sizes else None


def pixel_ratio(reference: PixelSize | None, target: PixelSize | None) -> float:
    """Return how many pixels of the target one pixel of the reference spans; 1 if unknown."""
    if reference is None or target is None:
        return 1.0
    same = target.to(reference.unit)
    return math.sqrt(reference.row * reference.col / (same.row * same.col))


def reference_windows(reference: Reference, side: int, most: int) -> list[Reference]:
    """Cut a reference into square windows around its marks, as large as a tile.

    Parameters
    ----------
    reference : Reference
    side : of each window, in pixels of the reference
    most : windows at the most; those that hold most of the marks are taken

    Returns
    -------
    windows : one or more
        The reference itself if its longer side is about `side` (within a fifth or so). Where a
        window reaches over the border, the mirrored image continues it, and nothing is known there.
    """
    longest = max(reference.positive.shape)
    if _ALIKE[0] * side <= longest <= _ALIKE[1] * side:
        return [reference]
    side = min(side, _MOST_PADDING * longest)
    shown = _corners(reference.positive, side, most)
    # What was said against the object is kept as well, where no window holds it yet.
    elsewhere = reference.negative.copy()
    for top, left in shown:
        elsewhere[max(top, 0) : top + side, max(left, 0) : left + side] = False
    shown += _corners(elsewhere, side, max(1, most - len(shown)))
    return [part for top, left in shown for part in _window(reference, top, left, side)]


def _size_in(reference: Reference) -> float | None:
    from scipy import ndimage

    if reference.is_not_this or reference.kind == "point":
        return None
    parts, _ = ndimage.label(reference.positive)
    boxes = ndimage.find_objects(parts)
    if reference.kind == "scribble":
        sides = [max(rows.stop - rows.start, cols.stop - cols.start) for rows, cols in boxes]
        return float(np.median(sides))
    areas = np.bincount(parts.ravel())[1:]
    return float(np.median(np.sqrt(areas[areas >= _SPECK * areas.max()])))


def _corners(marks: NDArray[np.bool_], side: int, most: int) -> list[tuple[int, int]]:
    """Return top left corners of windows that hold most of the marks, one after the other."""
    from scipy import ndimage

    left_over = marks.copy()
    corners: list[tuple[int, int]] = []
    while left_over.any() and len(corners) < most:
        parts, count = ndimage.label(left_over)
        chosen = np.unique(np.linspace(0, count - 1, min(count, _MOST_CANDIDATES)).round())
        boxes = ndimage.find_objects(parts)
        candidates = [_around(boxes[int(i)], side, marks.shape) for i in chosen]
        held = [_count(left_over, top, left, side) for top, left in candidates]
        best = candidates[int(np.argmax(held))]
        if max(held) == 0:  # a ring so wide that its middle holds nothing of it
            row, col = np.argwhere(left_over)[0]
            spot = (slice(row, row + 1), slice(col, col + 1))
            best = _around(spot, side, marks.shape)
        corners.append(best)
        top, left = best
        left_over[max(top, 0) : top + side, max(left, 0) : left + side] = False
    return corners


def _around(box: tuple[slice, ...], side: int, hw: tuple[int, ...]) -> tuple[int, int]:
    """Return the corner of a window in whose middle a box lies, inside the image if it fits."""
    corner = []
    for span, length in zip(box, hw, strict=True):
        start = (span.start + span.stop - side) // 2
        low, high = sorted((0, length - side))
        corner.append(min(max(start, low), high))
    return corner[0], corner[1]


def _count(marks: NDArray[np.bool_], top: int, left: int, side: int) -> int:
    return int(marks[max(top, 0) : top + side, max(left, 0) : left + side].sum())


def _window(reference: Reference, top: int, left: int, side: int) -> Iterator[Reference]:
    """Yield a window; one that is continued is spelled out, as it no longer can be later."""
    height, width = reference.positive.shape
    rows = slice(max(top, 0), min(top + side, height))
    cols = slice(max(left, 0), min(left + side, width))
    before = (rows.start - top, cols.start - left)
    after = (top + side - rows.stop, left + side - cols.stop)
    edges = tuple(zip(before, after, strict=True))
    positive = reference.positive[rows, cols]
    cut = replace(
        reference,
        image=reference.image[rows, cols],
        positive=positive,
        negative=reference.negative[rows, cols],
        # What somebody pointed at would drown; the object's windows show background enough.
        exhaustive=reference.exhaustive and (reference.is_not_this or bool(positive.any())),
    )
    if not any(map(any, edges)):
        yield cut
        return
    colours = ((0, 0),) * (cut.image.ndim - 2)
    # Outside nothing is known, so that "everything is marked" becomes marks where it was said.
    for part in cut.spelled_out():
        yield replace(
            part,
            image=np.pad(part.image, (*edges, *colours), mode="symmetric"),
            positive=np.pad(part.positive, edges),
            negative=np.pad(part.known_background().certain, edges),
            exhaustive=False,
        )
