"""Answers about a target on which a person has marked what is right and what is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotations import Annotation, Box, Mask, Point, Scribble
from vrpsam_app.corrected_objects import Corrected, Reply, Window, corrected_objects
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import ConfigError
from vrpsam_app.images import IntensityRange, check_plane
from vrpsam_app.progress import CancelToken
from vrpsam_app.reference_segmenter import range_of
from vrpsam_app.references import Reference, labels_of, references_for
from vrpsam_app.segmenter import ClassPredictions, Prediction, Segmenter
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.tiles.plan import TileOptions, TilePlan, Tiling, plan_tiles
from vrpsam_app.tiles.tiling import predict_each_tiled


def predict_corrected(
    segmenter: Segmenter,
    target: NDArray[Any],
    references: Sequence[Reference],
    corrections: Mapping[str, Corrections],
    *,
    tiling: Tiling | TileOptions = "auto",
    pixel_size: PixelSize | None = None,
    intensity_range: IntensityRange | None = None,
    threshold: float = 0.5,
    cancel: CancelToken | None = None,
) -> ClassPredictions:
    """Find every class of the references in a target, and obey the marks on the target itself.

    The answer is the one without marks, but for the objects that they are about
    (:mod:`vrpsam_app.corrected_objects`). In a plane that is shown in tiles the model is asked
    about the neighbourhood of each mark.

    Parameters
    ----------
    target : shape (H, W), (H, W, 3) or (H, W, 4)
    references : of one class or several
    corrections : marks by the class they are about; a class that is left out has none
    tiling, pixel_size : as for :func:`vrpsam_app.tiles.tiling.predict_tiled`
    intensity_range, threshold : as for :meth:`VRPSAMPredictor.predict`
    cancel : looked at before each class, and after each tile

    Returns
    -------
    classes : ClassPredictions
        The classes compete for each pixel; objects that a person gave to one are not another's.

    Raises
    ------
    ConfigError
        If marks belong to a class that has no reference.
    Cancelled
        If that was asked for.
    AnnotationError, EmptyReferenceError, ImageError
        As for ``segmenter.predict``.
    """
    labels = labels_of(references)
    if unknown := sorted(set(corrections) - set(labels)):
        raise ConfigError(
            f"The marks on the target belong to the class {unknown[0]!r}: expected one of the "
            f"classes that have references ({', '.join(labels) or 'none'})."
        )
    if cancel is not None:
        cancel.raise_if_cancelled()
    target = check_plane(target, name="target")
    intensity_range = intensity_range or range_of(target, references)
    shown = tiling if isinstance(tiling, TileOptions) else TileOptions(tiling)
    found = predict_each_tiled(
        segmenter, target, references, tiling=shown, pixel_size=pixel_size,
        intensity_range=intensity_range, threshold=threshold, cancel=cancel,
    )  # fmt: skip
    if all(marks.is_empty for marks in corrections.values()):
        return ClassPredictions.compete(found)
    # What one class loses by its marks is another's: each begins as if it had not competed.
    alone = {k: replace(p, won=None).at_threshold(p.threshold) for k, p in found.items()}
    plan = plan_tiles(
        segmenter, (target.shape[0], target.shape[1]), references, shown,
        pixel_size=pixel_size, intensity_range=intensity_range,
    )  # fmt: skip
    asking = _Asking(segmenter, target, plan, len(labels) > 1, intensity_range, threshold, cancel)
    corrected = {
        label: asking.corrected(alone[label], marks)
        for label, marks in corrections.items()
        if not marks.is_empty
    }
    for label in labels:
        if label in corrected:
            alone[label] = corrected[label].prediction
        for other, given in corrected.items():
            if other != label and given.claimed.any():
                alone[label] = _without(alone[label], given.claimed)
    return ClassPredictions.compete(alone)


class _Asking:
    """Asks the model about marks on one target."""

    def __init__(
        self,
        segmenter: Segmenter,
        target: NDArray[Any],
        plan: TilePlan,
        several: bool,
        intensity_range: IntensityRange | None,
        threshold: float,
        cancel: CancelToken | None,
    ) -> None:
        self._segmenter, self._target, self._plan = segmenter, target, plan
        self._several = several
        self._range, self._threshold, self._cancel = intensity_range, threshold, cancel

    def corrected(self, found: Prediction, corrections: Corrections) -> Corrected:
        """Return the answer about a class as the marks on it want it."""
        if getattr(self._segmenter, "answers_marks", False):
            (reply,) = self._replies(found.label, corrections, [_EVERYWHERE])
            return Corrected(reply.found, np.zeros(found.mask.shape, np.bool_))
        known: list[Reply] = []

        def ask(marks: Sequence[Annotation]) -> list[Reply]:
            windows = self._windows(marks, [reply.window for reply in known])
            known.extend(self._replies(found.label, corrections, windows))
            return known

        return corrected_objects(found, corrections.annotations, ask)

    def _windows(self, marks: Sequence[Annotation], known: Sequence[Window]) -> list[Window]:
        """Return what is shown beside what is known: the plane, or a tile around each mark."""
        if self._plan.grid is None:
            return [] if known else [_EVERYWHERE]
        windows: list[Window] = []
        for mark in marks:
            row, col = _middle(mark)
            if not any(_holds(window, row, col) for window in (*known, *windows)):
                middles = zip((row, col), self._plan.grid.tile_hw, self._target.shape, strict=False)
                rows, cols = (_around(*each) for each in middles)
                windows.append((rows, cols))
        return windows

    def _replies(
        self, label: str, corrections: Corrections, windows: Sequence[Window]
    ) -> list[Reply]:
        references: Sequence[Reference] = self._plan.references
        if self._several:
            references = references_for(references, label)
        replies = []
        for window in windows:
            if self._cancel is not None:
                self._cancel.raise_if_cancelled()
            found = self._segmenter.predict(
                np.ascontiguousarray(self._target[window]),
                references,
                corrections=_seen_in(corrections, window, self._target.shape),
                intensity_range=self._range,
                threshold=self._threshold,
            )
            replies.append(Reply(window, found))
        return replies


_EVERYWHERE: Window = (slice(None), slice(None))


def _middle(mark: Annotation) -> tuple[float, float]:
    if isinstance(mark, Point):
        return mark.row, mark.col
    if isinstance(mark, Box):
        return (mark.top + mark.bottom) / 2, (mark.left + mark.right) / 2
    if isinstance(mark, Scribble):
        row, col = np.asarray(mark.vertices).mean(axis=0)
        return float(row), float(col)
    row, col = np.argwhere(mark.mask).mean(axis=0)
    return float(row), float(col)


def _holds(window: Window, row: float, col: float) -> bool:
    """Tell whether a place lies in the inner half of a window."""
    for span, at in zip(window, (row, col), strict=True):
        quarter = (span.stop - span.start) / 4
        if not span.start + quarter <= at <= span.stop - quarter:
            return False
    return True


def _around(middle: float, side: int, length: int) -> slice:
    start = min(max(round(middle - side / 2), 0), max(length - side, 0))
    return slice(start, min(start + side, length))


def _seen_in(corrections: Corrections, window: Window, shape: tuple[int, ...]) -> Corrections:
    """Return the marks that lie in a window, by its own coordinates."""
    if window == _EVERYWHERE:
        return corrections
    rows, cols = window
    logits = corrections.mask_logits
    moved = (_moved(mark, rows, cols) for mark in corrections.annotations)
    return Corrections(
        tuple(mark for mark in moved if mark is not None),
        None if logits is None else logits[window],
    )


def _moved(mark: Annotation, rows: slice, cols: slice) -> Annotation | None:
    """Return a mark in a window's coordinates, None if no part of it lies there."""
    if isinstance(mark, Mask):
        inside = mark.mask[rows, cols]
        return replace(mark, mask=inside) if inside.any() else None
    height, width = rows.stop - rows.start, cols.stop - cols.start
    if isinstance(mark, Box):
        top, bottom = max(mark.top - rows.start, 0), min(mark.bottom - rows.start, height)
        left, right = max(mark.left - cols.start, 0), min(mark.right - cols.start, width)
        if top >= bottom or left >= right:
            return None
        return replace(mark, top=top, left=left, bottom=bottom, right=right)
    if isinstance(mark, Point):
        row, col = mark.row - rows.start, mark.col - cols.start
        inside_it = 0 <= row <= height and 0 <= col <= width
        return replace(mark, row=row, col=col) if inside_it else None
    vertices = np.asarray(mark.vertices) - (rows.start, cols.start)
    near = ((vertices >= 0) & (vertices <= (height, width))).all(axis=1)
    if not near.any():
        return None
    return replace(mark, vertices=tuple((float(r), float(c)) for r, c in vertices))


def _without(prediction: Prediction, claimed: NDArray[np.bool_]) -> Prediction:
    """Return a prediction without the pixels that a person gave to another class."""
    probability = np.where(claimed, np.float32(0), prediction.probability)
    objects = prediction.instance_labels
    return replace(
        prediction,
        probability=probability,
        mask=prediction.mask & ~claimed,
        instance_labels=None if objects is None else np.where(claimed, 0, objects).astype(np.int32),
    )
