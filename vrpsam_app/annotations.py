"""Marks a person makes on an image - points, boxes, scribbles, masks - and the pixels they cover.

This module is the door to all of them: the kinds of annotation live in
:mod:`vrpsam_app.annotation_types`, their JSON in :mod:`vrpsam_app.annotation_json`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotation_json import annotation_from_json, annotation_to_json, check_amount
from vrpsam_app.annotation_types import (
    Annotation,
    Box,
    Kind,
    Mask,
    Point,
    Scribble,
    as_annotations,
    as_mask,
    check_kind,
    check_same_size,
    default_point_radius,
)
from vrpsam_app.capsules import paint_capsules, reaches_image
from vrpsam_app.errors import AnnotationError, VRPSAMError

__all__ = [
    "Annotation",
    "Box",
    "Kind",
    "Marks",
    "Mask",
    "Point",
    "Scribble",
    "annotations_from_json",
    "annotations_to_json",
    "default_point_radius",
    "rasterize",
]

# Rows of pixels that points and strokes read from JSON may cross in all; only hostile ones do more.
MAX_STROKE_ROWS = 10_000_000
# When kinds are mixed the loosest one counts, because it promises the least about each pixel.
_LOOSENESS: tuple[Kind, ...] = ("point", "scribble", "mask", "box")


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Pixels marked as the object and as not the object; where both are, only the latter.

    Attributes
    ----------
    positive, negative : shape (H, W), bool, read-only
    kind : kind of the positive marks, or of the negative ones if there are no others
        The loosest if mixed: box, then mask, scribble, point.
    """

    positive: NDArray[np.bool_]
    negative: NDArray[np.bool_]
    kind: Kind

    def __post_init__(self) -> None:
        positive, negative = as_mask(self.positive), as_mask(self.negative)
        check_same_size(negative.shape, positive.shape, "The negative mask", "the positive one")
        check_kind(self.kind)
        if (positive & negative).any():
            positive = positive & ~negative
            positive.flags.writeable = False
        object.__setattr__(self, "positive", positive)
        object.__setattr__(self, "negative", negative)


def rasterize(annotations: Sequence[Annotation], hw: tuple[int, int]) -> Marks:
    """Draw annotations as pixels.

    Parameters
    ----------
    annotations : points, boxes, scribbles and masks
        A pixel belongs to a disc or stroke if its centre is close enough, to a box if its centre
        is inside. A point, a vertex and a box always mark at least the pixel they lie in.
    hw : (height, width)
        Size of the image in pixels.

    Returns
    -------
    marks : Marks
        Where a positive and a negative mark overlap, the negative one wins.

    Raises
    ------
    AnnotationError
        If something else is among them, a mark lies wholly outside the image, or a mask has another
        size.

    Examples
    --------
    >>> marks = rasterize([Box(1, 1, 3, 3), Point(0, 0, positive=False, radius=1)], (4, 4))
    >>> int(marks.positive.sum()), int(marks.negative.sum()), marks.kind
    (4, 1, 'box')
    """
    hw = _check_size(hw)
    annotations = as_annotations(annotations)
    _refuse_outside(annotations, hw)
    positive = [a for a in annotations if a.positive]
    negative = [a for a in annotations if not a.positive]
    kinds = {_kind_of(a) for a in positive or negative}
    return Marks(
        positive=_draw(positive, hw),
        negative=_draw(negative, hw),
        kind=max(kinds, key=_LOOSENESS.index, default="point"),
    )


def annotations_from_json(items: object, hw: tuple[int, int]) -> tuple[Annotation, ...]:
    """Build annotations from JSON that may come from anywhere.

    Parameters
    ----------
    items : list of objects, in (x, y) order
        ``{"type": "point", "xy": [x, y], "radius": 4}``,
        ``{"type": "box", "xyxy": [x0, y0, x1, y1]}``,
        ``{"type": "scribble", "xy": [[x, y], ...], "width": 12}`` or
        ``{"type": "mask", "png": "<base64>"}``; ``radius`` and ``width`` are optional, and so is
        ``"positive"`` (true).
    hw : (height, width)
        Size of the image in pixels. Points and boxes that reach over its border are clipped to it;
        strokes keep their vertices and are clipped when they are drawn.

    Raises
    ------
    AnnotationError
        If an item is none of these, is not finite or lies wholly outside the image, or if there is
        more of them than a person draws. The message names the item.
    """
    hw = _check_size(hw)
    built: list[Annotation] = []
    for index, item in enumerate(check_amount(items, hw)):
        try:
            built.append(annotation_from_json(item, hw))
        except VRPSAMError as error:
            raise AnnotationError(f"annotations[{index}]: {error}") from error
    _refuse_outside(built, hw, name="annotations")
    _, start, end, radius = _capsules(built, hw)
    rows = np.minimum(np.abs(end[:, 0] - start[:, 0]) + 2 * radius, hw[0]).sum()
    if rows > MAX_STROKE_ROWS:
        raise AnnotationError(
            f"The points and strokes cross {rows:.0f} rows of pixels in all: at most "
            f"{MAX_STROKE_ROWS} are drawn. Draw fewer, or one mask instead."
        )
    return tuple(_clip(a, hw) for a in built)


def annotations_to_json(annotations: Sequence[Annotation]) -> list[dict[str, Any]]:
    """Return what :func:`annotations_from_json` reads, ready for :mod:`json`."""
    return [annotation_to_json(a) for a in annotations]


def _check_size(hw: tuple[int, int]) -> tuple[int, int]:
    height, width = (int(side) for side in hw)
    if min(height, width) < 1:
        raise AnnotationError(
            f"An image of {height} x {width} pixels cannot carry marks: expected at least 1 x 1."
        )
    return height, width


def _draw(annotations: Sequence[Annotation], hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Draw the union of annotations, whatever their sign, as a read-only mask."""
    mask = np.zeros(hw, dtype=np.bool_)
    _, start, end, radius = _capsules(annotations, hw)
    if len(start):
        mask = paint_capsules(hw, start, end, radius)
        vertices, reach = np.concatenate([start, end]), np.concatenate([radius, radius])
        # The right and bottom border count as the last pixel: browsers report clicks there.
        clipped = np.clip(vertices, 0, hw)
        held = np.hypot(*(vertices - clipped).T) <= reach
        row, col = np.minimum(clipped[held].astype(np.int64), np.array(hw) - 1).T
        mask[row, col] = True
    for a in annotations:
        if isinstance(a, Box):
            mask[_pixels_within(a.top, a.bottom, hw[0]), _pixels_within(a.left, a.right, hw[1])] = (
                True
            )
        elif isinstance(a, Mask):
            check_same_size(a.mask.shape, hw, "The mask", "the image")
            mask |= a.mask
    mask.flags.writeable = False
    return mask


def _capsules(
    annotations: Sequence[Annotation], hw: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return owner (index into annotations), start, end and radius of all discs and segments."""
    owner: list[int] = []
    tables = [np.empty((0, 5))]
    for index, a in enumerate(annotations):
        if isinstance(a, Point):
            radius = default_point_radius(hw) if a.radius is None else a.radius
            table = np.array([[a.row, a.col, a.row, a.col, radius]])
        elif isinstance(a, Scribble):
            path = np.asarray(a.vertices)
            ends = np.concatenate([path[1:], path[-1:]])
            radius = default_point_radius(hw) if a.width is None else max(a.width / 2, 0.5)
            table = np.column_stack([path, ends, np.full(len(path), radius)])
        else:
            continue
        owner += [index] * len(table)
        tables.append(table)
    capsules = np.concatenate(tables)
    return np.array(owner, dtype=np.int64), capsules[:, :2], capsules[:, 2:4], capsules[:, 4]


def _pixels_within(low: float, high: float, size: int) -> slice:
    """Return the pixels of one axis whose centre is in [low, high), or the one at its middle."""
    low, high = max(low, 0.0), min(high, float(size))
    first, stop = math.ceil(low - 0.5), math.ceil(high - 0.5)
    if first >= stop:
        first = min(int((low + high) / 2), size - 1)
        stop = first + 1
    return slice(first, stop)


def _refuse_outside(
    annotations: Sequence[Annotation], hw: tuple[int, int], name: str | None = None
) -> None:
    """Raise for the first annotation that has no part in the image."""
    inside = np.ones(len(annotations), dtype=np.bool_)
    owner, start, end, radius = _capsules(annotations, hw)
    inside[owner] = False
    inside[owner[reaches_image(hw, start, end, radius)]] = True
    for index, a in enumerate(annotations):
        if isinstance(a, Box):
            inside[index] = a.top < hw[0] and a.left < hw[1] and a.bottom > 0 and a.right > 0
    if not inside.all():
        index = int(np.argmin(inside))
        where = f"{name}[{index}]: " if name else ""
        raise AnnotationError(
            f"{where}{_describe(annotations[index])} lies outside the image of {hw[0]} x {hw[1]} "
            "pixels (rows x columns). Move it inside or remove it."
        )


def _clip(annotation: Annotation, hw: tuple[int, int]) -> Annotation:
    """Bring points and boxes that reach over the border into the image."""
    height, width = float(hw[0]), float(hw[1])
    if isinstance(annotation, Point):
        row, col = min(max(annotation.row, 0.0), height), min(max(annotation.col, 0.0), width)
        return replace(annotation, row=row, col=col)
    if isinstance(annotation, Box):
        return replace(
            annotation,
            top=max(annotation.top, 0.0),
            left=max(annotation.left, 0.0),
            bottom=min(annotation.bottom, height),
            right=min(annotation.right, width),
        )
    return annotation


def _kind_of(annotation: Annotation) -> Kind:
    if isinstance(annotation, Point):
        return "point"
    if isinstance(annotation, Box):
        return "box"
    return "scribble" if isinstance(annotation, Scribble) else "mask"


def _describe(annotation: Annotation) -> str:
    """Return a short text that lets a person find the annotation."""
    if isinstance(annotation, Point):
        return f"Point (row={annotation.row:g}, col={annotation.col:g})"
    if isinstance(annotation, Box):
        return (
            f"Box (top={annotation.top:g}, left={annotation.left:g}, "
            f"bottom={annotation.bottom:g}, right={annotation.right:g})"
        )
    if isinstance(annotation, Scribble):
        row, col = annotation.vertices[0]
        return f"Scribble of {len(annotation.vertices)} vertices from (row={row:g}, col={col:g})"
    return "Mask"
