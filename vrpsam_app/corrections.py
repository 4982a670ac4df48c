"""Marks on the *target*: what a person clicks to correct a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.annotation_types import as_annotations
from vrpsam_app.annotations import Annotation, Box, Point, Scribble
from vrpsam_app.errors import AnnotationError
from vrpsam_app.references import Reference

SCRIBBLE_CLICKS = 8
"""A scribble also becomes this many clicks for SAM's prompt encoder, which knows no strokes."""


@dataclass(frozen=True, slots=True, eq=False)
class Corrections:
    """Positive and negative marks on the target, and optionally the answer they correct.

    Attributes
    ----------
    annotations : tuple of Annotation
        In continuous (row, column) coordinates of the target.
    mask_logits : shape (H, W), float, or None
        Logits of a previous answer at the target's size, given to SAM as mask prompt.

    Raises
    ------
    AnnotationError
        If there is something else among the annotations, or the logits are not finite numbers.
    """

    annotations: tuple[Annotation, ...] = ()
    mask_logits: NDArray[np.floating] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "annotations", as_annotations(self.annotations))
        if self.mask_logits is not None:
            object.__setattr__(self, "mask_logits", _as_logits(self.mask_logits))

    @property
    def is_empty(self) -> bool:
        """True if they say nothing."""
        return not self.annotations and self.mask_logits is None

    def as_references(self, target: NDArray[np.generic], label: str) -> list[Reference]:
        """Return the marks as a reference on the target itself, or nothing if there are none."""
        if not self.annotations:
            return []
        return [Reference.from_annotations(target, self.annotations, label=label)]

    def clicks_xy(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return clicks for SAM's prompt encoder.

        Returns
        -------
        points_xy : shape (N, 2), float32
            Points, and points along scribbles, in (x, y).
        labels : shape (N,)
            1 on the object, 0 beside it.
        """
        points: list[tuple[float, float]] = []
        labels: list[int] = []
        for mark in self.annotations:
            if isinstance(mark, Point):
                rows_columns = [(mark.row, mark.col)]
            elif isinstance(mark, Scribble):
                rows_columns = _along(mark.vertices, SCRIBBLE_CLICKS)
            else:
                continue
            points += [(col, row) for row, col in rows_columns]
            labels += [int(mark.positive)] * len(rows_columns)
        return np.array(points, np.float32).reshape(-1, 2), np.array(labels, np.int64)

    def box_xyxy(self) -> NDArray[np.float32] | None:
        """Return the one positive box for SAM's prompt encoder, or None.

        Raises
        ------
        AnnotationError
            If there are several: SAM takes one box per object.
        """
        boxes = [a for a in self.annotations if isinstance(a, Box) and a.positive]
        if len(boxes) > 1:
            raise AnnotationError(
                f"The corrections hold {len(boxes)} boxes: expected at most one. Correct with one "
                "box, or with points and scribbles."
            )
        if not boxes:
            return None
        box = boxes[0]
        return np.array([box.left, box.top, box.right, box.bottom], np.float32)


def _as_logits(given: ArrayLike) -> NDArray[Any]:
    """Return logits as an array, not copied if it is one."""
    try:
        logits = np.asarray(given)
    except (ValueError, TypeError, RuntimeError) as error:  # the last two: tensors of torch
        raise AnnotationError(f"mask_logits are no array ({error}): expected (H, W).") from error
    if logits.ndim != 2 or logits.dtype.kind not in "iuf":
        raise AnnotationError(
            f"mask_logits have shape {logits.shape} and type {logits.dtype}: expected (H, W) of "
            "numbers, positive on the object."
        )
    if not np.isfinite(logits).all():
        raise AnnotationError(
            "mask_logits hold NaN or infinity: expected finite numbers. Clip probabilities before "
            "they become logits."
        )
    return logits


def _along(vertices: tuple[tuple[float, float], ...], count: int) -> list[tuple[float, float]]:
    """Space points evenly along a polyline; a single vertex is one point."""
    line = np.array(vertices, float)
    steps = np.hypot(*np.diff(line, axis=0).T) if len(line) > 1 else np.zeros(0)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    if travelled[-1] == 0:
        return [(float(line[0, 0]), float(line[0, 1]))]
    at = np.linspace(0, travelled[-1], count)
    rows = np.interp(at, travelled, line[:, 0])
    cols = np.interp(at, travelled, line[:, 1])
    return [(float(r), float(c)) for r, c in zip(rows, cols, strict=True)]
