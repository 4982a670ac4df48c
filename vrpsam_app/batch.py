"""Segment many files with the same references: one failure never stops the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import AnnotationError, VRPSAMError
from vrpsam_app.image_files import MAX_PIXELS, read_image, write_image, write_mask
from vrpsam_app.images import IntensityRange, intensity_range_of, to_rgb
from vrpsam_app.output_paths import OutputPaths
from vrpsam_app.overlays import overlay
from vrpsam_app.recipe import TargetRecord
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction, Segmenter


@dataclass(frozen=True, eq=False)
class FileResult:
    """What became of one target.

    Parameters
    ----------
    outputs
        The target and the files written for it.
    predictions
        One for each class; empty if the target failed.
    record
        The target as a recipe names it; None if it could not be read.
    error
        Why the target failed; None if it did not.
    """

    outputs: OutputPaths
    predictions: tuple[Prediction, ...] = ()
    record: TargetRecord | None = None
    error: Exception | None = None


def labels_of(references: Iterable[Reference]) -> tuple[str, ...]:
    """Return the classes in the order in which their first example comes.

    Raises
    ------
    AnnotationError
        If a class has only "not this" references, so that nothing shows what it looks like.
    """
    references = list(references)
    labels = tuple(dict.fromkeys(r.label for r in references if not r.is_not_this))
    if orphans := sorted({r.label for r in references} - set(labels)):
        raise AnnotationError(
            f"The class {orphans[0]!r} has only 'not this' references: mark at least one example "
            "of the object itself."
        )
    return labels


def shared_intensity_range(
    references: Iterable[Reference], targets: Iterable[Path], *, max_pixels: int = MAX_PIXELS
) -> IntensityRange | None:
    """Return the one range in which references and targets are shown to the model.

    Targets that cannot be read are left out; :func:`segment_files` reports them.
    """

    def images() -> Iterator[NDArray[Any]]:
        for reference in references:
            yield reference.image
        for path in targets:
            try:
                yield read_image(path, max_pixels=max_pixels)
            except VRPSAMError:
                continue

    return intensity_range_of(images())


def segment_files(
    segmenter: Segmenter,
    references: Sequence[Reference],
    plan: Iterable[OutputPaths],
    *,
    intensity_range: IntensityRange | None = None,
    threshold: float = 0.5,
    max_pixels: int = MAX_PIXELS,
    overwrite: bool = False,
) -> Iterator[FileResult]:
    """Segment the targets of `plan` one after the other and write what it names.

    Parameters
    ----------
    plan
        From :func:`vrpsam_app.output_paths.plan_outputs`.
    intensity_range
        From :func:`shared_intensity_range`.

    Yields
    ------
    result : FileResult
        One for each target, in order, failed ones with their error.
    """
    for outputs in plan:
        try:
            image = read_image(outputs.target, max_pixels=max_pixels)
            predictions, labels = _predict(
                segmenter, image, references, outputs, intensity_range, threshold
            )
            _write(outputs, image, predictions, labels, intensity_range, overwrite)
        except (VRPSAMError, OSError, MemoryError) as error:
            yield FileResult(outputs, error=error)
        else:
            record = TargetRecord.from_image(outputs.target.name, image)
            yield FileResult(outputs, predictions, record)


def _predict(
    segmenter: Segmenter,
    image: NDArray[Any],
    references: Sequence[Reference],
    outputs: OutputPaths,
    intensity_range: IntensityRange | None,
    threshold: float,
) -> tuple[tuple[Prediction, ...], NDArray[np.int32] | None]:
    if outputs.labels is None:
        prediction = segmenter.predict(
            image, references, intensity_range=intensity_range, threshold=threshold
        )
        return (prediction,), None
    classes = segmenter.predict_classes(
        image, references, intensity_range=intensity_range, threshold=threshold
    )
    return tuple(classes.predictions[label] for label in outputs.masks), classes.labels


def _write(
    outputs: OutputPaths,
    image: NDArray[Any],
    predictions: Sequence[Prediction],
    labels: NDArray[np.int32] | None,
    intensity_range: IntensityRange | None,
    overwrite: bool,
) -> None:
    for path, prediction in zip(outputs.masks.values(), predictions, strict=True):
        write_mask(path, prediction.mask, overwrite=overwrite)
    if outputs.labels is not None and labels is not None:
        dtype = np.uint8 if labels.max(initial=0) < 256 else np.uint16
        write_image(outputs.labels, labels.astype(dtype), overwrite=overwrite)
    if outputs.overlay is not None:
        drawn = overlay(
            to_rgb(image, intensity_range), predictions[0].mask if labels is None else labels
        )
        write_image(outputs.overlay, drawn, overwrite=overwrite)
