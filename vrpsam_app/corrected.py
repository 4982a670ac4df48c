"""Answers about a target on which a person has marked what is right and what is not."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotations import Annotation, rasterize
from vrpsam_app.corrected_objects import (
    Corrected,
    Reply,
    corrected_objects,
    nearer,
    numbered,
)
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import ConfigError
from vrpsam_app.images import IntensityRange, check_plane, plane_key
from vrpsam_app.mark_windows import hearable, seen_in, standing, windows_around
from vrpsam_app.marked_parts import Window
from vrpsam_app.progress import CancelToken
from vrpsam_app.reference_segmenter import range_of
from vrpsam_app.references import Reference, labels_of, references_for
from vrpsam_app.segmenter import ClassPredictions, Prediction, Segmenter, check_threshold
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.tiles.plan import TileOptions, TilePlan, Tiling, plan_tiles
from vrpsam_app.tiles.tiling import predict_each_tiled, predict_tiled


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
        Marks are worked in at a threshold of 0.5, and the result is cut at this one, so that both
        ways of choosing it, beforehand and afterwards, give the same.
    cancel : looked at before each class, and after each tile

    Returns
    -------
    classes : ClassPredictions
        The classes compete for each pixel; objects that a person gave to one are not another's.

    Raises
    ------
    ConfigError
        If marks belong to a class that has no reference, or there are logits and no marks.
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
    if any(c.mask_logits is not None and not c.annotations for c in corrections.values()):
        raise ConfigError(
            "The corrections hold mask_logits and no marks: expected annotations, which logits may "
            "go with. For logits alone call predict(..., corrections=...)."
        )
    threshold = check_threshold(threshold)
    if cancel is not None:
        cancel.raise_if_cancelled()
    target = check_plane(target, name="target")
    intensity_range = intensity_range or range_of(target, references)
    shown = tiling if isinstance(tiling, TileOptions) else TileOptions(tiling)
    asking = _Asking(segmenter, target, references, shown, pixel_size, intensity_range, cancel)
    marked = {label: marks for label, marks in corrections.items() if marks.annotations}
    if marked and getattr(segmenter, "answers_marks", False):
        alone = {k: asking.by_marks(k, marked.get(k)) for k in labels}
        return ClassPredictions.compete(alone).at_threshold(threshold)
    found = asking.without_marks()
    if not marked:
        return ClassPredictions.compete(found).at_threshold(threshold)
    # What one class loses by its marks is another's: each begins as if it had not competed.
    alone = {k: replace(p, won=None).at_threshold(_CUT) for k, p in found.items()}
    corrected = {label: asking.corrected(alone[label], marks) for label, marks in marked.items()}
    for label in labels:
        own = corrected.get(label)
        alone[label] = alone[label] if own is None else own.prediction
        for other, given in corrected.items():
            if other != label:
                alone[label] = _without(alone[label], _taken(own, given))
    return _numbered(ClassPredictions.compete(alone).at_threshold(threshold))


_CUT = 0.5
"""Threshold at which marks are worked in."""
_EVERYWHERE: Window = (slice(None), slice(None))
_MOST_KEPT = 2**28
"""Bytes of an answer that is kept for the next mark."""


class _Asking:
    """Asks the model about one target, and about marks on it."""

    def __init__(
        self,
        segmenter: Segmenter,
        target: NDArray[Any],
        references: Sequence[Reference],
        shown: TileOptions,
        pixel_size: PixelSize | None,
        intensity_range: IntensityRange | None,
        cancel: CancelToken | None,
    ) -> None:
        self._segmenter, self._target, self._references = segmenter, target, references
        self._shown, self._pixel_size = shown, pixel_size
        self._range, self._cancel = intensity_range, cancel
        self._hw = (target.shape[0], target.shape[1])
        self._plan: TilePlan = plan_tiles(
            segmenter, self._hw, references, shown,
            pixel_size=pixel_size, intensity_range=intensity_range,
        )  # fmt: skip

    def without_marks(self) -> Mapping[str, Prediction]:
        """Return the answer that marks correct; about a plane in tiles it is kept for the next."""
        key = ""
        if self._plan.grid is not None:
            contents = [(r.label, r.content_key) for r in self._references]
            key = f"{plane_key(self._target)} {self._range} {contents} {self._shown} "
            key += str(self._pixel_size)
        if key and (kept := _last.get(self._segmenter, key)) is not None:
            return kept
        found = predict_each_tiled(
            self._segmenter, self._target, self._references, tiling=self._shown,
            pixel_size=self._pixel_size, intensity_range=self._range, threshold=_CUT,
            cancel=self._cancel,
        )  # fmt: skip
        held = sum(p.probability.nbytes + 2 * p.mask.nbytes for p in found.values())
        if key and held <= _MOST_KEPT:
            _last.keep(self._segmenter, key, found)
        return found

    def by_marks(self, label: str, marks: Corrections | None) -> Prediction:
        """Return what a method says that is asked by marks, if there are any."""
        references = references_for(self._references, label)
        if marks is None:
            return predict_tiled(
                self._segmenter, self._target, references, tiling=self._shown,
                pixel_size=self._pixel_size, intensity_range=self._range, cancel=self._cancel,
            )  # fmt: skip
        return self._heard(_EVERYWHERE, references, marks).found

    def corrected(self, found: Prediction, corrections: Corrections) -> Corrected:
        """Return the answer about a class as the marks on it want it."""
        marks = standing(corrections.annotations, self._hw)
        heard = replace(corrections, annotations=tuple(hearable(marks, self._hw)))
        references: Sequence[Reference] = self._plan.references
        if len(labels_of(references)) > 1:
            references = references_for(references, found.label)
        known: list[Reply] = []

        def ask(about: Sequence[Annotation]) -> list[Reply]:
            for window in self._windows(about, [reply.window for reply in known]):
                known.append(self._heard(window, references, heard))
            return known

        return corrected_objects(found, marks, ask)

    def _windows(self, marks: Sequence[Annotation], known: Sequence[Window]) -> list[Window]:
        if self._plan.grid is None:
            return [] if known else [_EVERYWHERE]
        marked = rasterize([replace(mark, positive=True) for mark in marks], self._hw).positive
        return windows_around(marked, self._plan.grid.tile_hw, known)

    def _heard(self, window: Window, references: Sequence[Reference], marks: Corrections) -> Reply:
        if self._cancel is not None:
            self._cancel.raise_if_cancelled()
        seen = marks if window == _EVERYWHERE else seen_in(marks, window)
        found = self._segmenter.predict(
            np.ascontiguousarray(self._target[window]),
            references,
            corrections=seen if seen.annotations else None,
            intensity_range=self._range,
            threshold=_CUT,
        )
        return Reply(window, found)


class _LastAnswer:
    """The last answer about a plane in tiles, so that a mark asks about its surroundings alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[weakref.ref[Any], str, Mapping[str, Prediction]] | None = None

    def get(self, segmenter: Segmenter, key: str) -> Mapping[str, Prediction] | None:
        with self._lock:
            if self._kept is None:
                return None
            of, kept_key, found = self._kept
            return found if of() is segmenter and kept_key == key else None

    def keep(self, segmenter: Segmenter, key: str, found: Mapping[str, Prediction]) -> None:
        with self._lock:
            self._kept = (weakref.ref(segmenter), key, found)


_last = _LastAnswer()


def _taken(own: Corrected | None, other: Corrected) -> NDArray[np.bool_]:
    """Return what a class gives up because a person gave it to another."""
    if own is None:
        return other.claimed
    both = own.claimed & other.claimed
    farther = nearer(both, own.pointed, other.pointed)
    return np.asarray((other.claimed & ~own.claimed) | farther)


def _without(prediction: Prediction, taken: NDArray[np.bool_]) -> Prediction:
    """Return a prediction without some pixels, at any threshold."""
    if not taken.any():
        return prediction
    probability = np.where(taken, np.float32(0), prediction.probability)
    return replace(prediction, probability=probability, mask=prediction.mask & ~taken)


def _numbered(classes: ClassPredictions) -> ClassPredictions:
    """Give a number to what a class got without one, where a method tells objects apart."""
    predictions = {
        label: p
        if p.instance_labels is None
        else replace(p, instance_labels=numbered(p.mask, p.instance_labels))
        for label, p in classes.predictions.items()
    }
    return replace(classes, predictions=predictions)
