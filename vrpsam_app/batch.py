"""Segment many files with the same references: one failure never stops the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import AnnotationError, Cancelled, VRPSAMError
from vrpsam_app.image_files import MAX_PIXELS, read_image, write_image, write_mask
from vrpsam_app.images import IntensityRange, intensity_range_of, to_rgb
from vrpsam_app.output_paths import OutputPaths
from vrpsam_app.overlays import overlay
from vrpsam_app.prefetch import ahead
from vrpsam_app.progress import CancelToken, ProgressCallback, ProgressMeter
from vrpsam_app.recipe import TargetRecord
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction, Segmenter
from vrpsam_app.tile_plan import TileOptions, Tiling
from vrpsam_app.tiling import predict_classes_tiled, predict_tiled

if TYPE_CHECKING:
    from vrpsam_app.cluster import Client

# What makes one target fail and lets the rest go on.
_FAILURES = (VRPSAMError, OSError, MemoryError)
# Targets that lie read while the model works.
_AHEAD = 1


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


@dataclass(frozen=True, eq=False)
class FileWork:
    """All that is the same for every target; it goes to each worker of a cluster once."""

    segmenter: Segmenter
    references: Sequence[Reference]
    intensity_range: IntensityRange | None
    threshold: float
    max_pixels: int
    tiling: Tiling | TileOptions

    def read(self, outputs: OutputPaths) -> NDArray[Any] | Exception:
        """Read a target, or say why it cannot be read."""
        try:
            return read_image(outputs.target, max_pixels=self.max_pixels)
        except _FAILURES as error:
            return error

    def answer(
        self, outputs: OutputPaths, image: NDArray[Any], cancel: CancelToken | None = None
    ) -> FileAnswer:
        """Find the classes that are to be written, all of them in one picture."""
        if outputs.labels is None:
            prediction = predict_tiled(
                self.segmenter,
                image,
                self.references,
                tiling=self.tiling,
                intensity_range=self.intensity_range,
                threshold=self.threshold,
                cancel=cancel,
            )
            return FileAnswer(image, (prediction,), None)
        classes = predict_classes_tiled(
            self.segmenter,
            image,
            self.references,
            tiling=self.tiling,
            intensity_range=self.intensity_range,
            threshold=self.threshold,
            cancel=cancel,
        )
        found = tuple(classes.predictions[label] for label in outputs.masks)
        return FileAnswer(image, found, classes.labels)

    def read_and_answer(self, outputs: OutputPaths) -> FileAnswer | Exception:
        """Do both, as a worker does that sees the files."""
        image = self.read(outputs)
        if isinstance(image, Exception):
            return image
        try:
            return self.answer(outputs, image)
        except _FAILURES as error:
            return error


@dataclass(frozen=True, eq=False)
class FileAnswer:
    """A target, its predictions, and who won each pixel if there are several classes."""

    image: NDArray[Any]
    predictions: tuple[Prediction, ...]
    labels: NDArray[np.int32] | None


def segment_files(
    segmenter: Segmenter,
    references: Sequence[Reference],
    plan: Iterable[OutputPaths],
    *,
    intensity_range: IntensityRange | None = None,
    threshold: float = 0.5,
    max_pixels: int = MAX_PIXELS,
    overwrite: bool = False,
    tiling: Tiling | TileOptions = "auto",
    client: Client | None = None,
    cancel: CancelToken | None = None,
    progress: ProgressCallback | None = None,
) -> Iterator[FileResult]:
    """Segment the targets of `plan` one after the other and write what it names.

    Parameters
    ----------
    plan
        From :func:`vrpsam_app.output_paths.plan_outputs`.
    intensity_range
        From :func:`shared_intensity_range`.
    tiling
        How large targets are shown to the model, as for :func:`vrpsam_app.tiling.predict_tiled`.
    client
        Of a cluster whose workers see the targets (:func:`vrpsam_app.cluster.connect`).
    cancel, progress
        Looked at, and told, after each target.

    Yields
    ------
    result : FileResult
        One for each target, in order, failed ones with their error.

    Raises
    ------
    Cancelled
        If that was asked for; what was yielded is written.
    """
    plan = list(plan)
    work = FileWork(segmenter, references, intensity_range, threshold, max_pixels, tiling)
    meter = ProgressMeter(len(plan), progress, cancel=cancel)
    answers = _answers(work, plan, cancel) if client is None else _answers_of(client, work, plan)
    for outputs, answer in answers:
        yield _written(outputs, answer, intensity_range, overwrite)
        meter.finished(outputs.target.name)


def _written(
    outputs: OutputPaths,
    answer: FileAnswer | Exception,
    intensity_range: IntensityRange | None,
    overwrite: bool,
) -> FileResult:
    """Write an answer; say what became of it."""
    if isinstance(answer, Exception):
        return FileResult(outputs, error=answer)
    try:
        _write(outputs, answer, intensity_range, overwrite)
    except _FAILURES as error:
        return FileResult(outputs, error=error)
    record = TargetRecord.from_image(outputs.target.name, answer.image)
    return FileResult(outputs, answer.predictions, record)


def _answers(
    work: FileWork, plan: Sequence[OutputPaths], cancel: CancelToken | None
) -> Iterator[tuple[OutputPaths, FileAnswer | Exception]]:
    """Ask about one target while the next one is read."""
    with closing(ahead(((outputs, work.read(outputs)) for outputs in plan), _AHEAD)) as pictures:
        for outputs, image in pictures:
            if isinstance(image, Exception):
                yield outputs, image
                continue
            try:
                answer: FileAnswer | Exception = work.answer(outputs, image, cancel)
            except Cancelled:
                raise
            except _FAILURES as error:
                answer = error
            yield outputs, answer


def _answers_of(
    client: Client, work: FileWork, plan: Sequence[OutputPaths]
) -> Iterator[tuple[OutputPaths, FileAnswer | Exception]]:
    from vrpsam_app.cluster import map_on

    return map_on(
        client, FileWork.read_and_answer, work, plan, describe=lambda outputs: str(outputs.target)
    )


def _write(
    outputs: OutputPaths,
    answer: FileAnswer,
    intensity_range: IntensityRange | None,
    overwrite: bool,
) -> None:
    for path, prediction in zip(outputs.masks.values(), answer.predictions, strict=True):
        write_mask(path, prediction.mask, overwrite=overwrite)
    labels = answer.labels
    if outputs.labels is not None and labels is not None:
        dtype = np.uint8 if labels.max(initial=0) < 256 else np.uint16
        write_image(outputs.labels, labels.astype(dtype), overwrite=overwrite)
    if outputs.overlay is not None:
        found = answer.predictions[0].mask if labels is None else labels
        drawn = overlay(to_rgb(answer.image, intensity_range), found)
        write_image(outputs.overlay, drawn, overwrite=overwrite)
