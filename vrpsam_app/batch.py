"""Segment many files with the same references: one failure never stops the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.corrected import predict_corrected
from vrpsam_app.corrected_targets import NO_CORRECTIONS, CorrectedTargets
from vrpsam_app.errors import Cancelled, VRPSAMError
from vrpsam_app.image_files import MAX_PIXELS, read_image, write_image, write_mask
from vrpsam_app.images import IntensityRange, intensity_range_of, to_rgb
from vrpsam_app.objects.files import write_objects
from vrpsam_app.objects.finding import FoundObjects, can_be_prompted, find_objects
from vrpsam_app.objects.instances import ObjectOptions, without_small_pieces
from vrpsam_app.objects.measurements import require_pandas
from vrpsam_app.objects.paths import ObjectPaths
from vrpsam_app.output_paths import OutputPaths
from vrpsam_app.overlays import overlay
from vrpsam_app.prefetch import ahead
from vrpsam_app.progress import CancelToken, ProgressCallback, ProgressMeter
from vrpsam_app.recipe import TargetRecord
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction, Segmenter
from vrpsam_app.stack_runs.targets import (
    ReadPicture,
    StackReading,
    common_pixel_size,
    read_picture,
)
from vrpsam_app.stacks.intensity_sample import sampled
from vrpsam_app.stacks.stack import PixelSize, Stack
from vrpsam_app.tiles.plan import TileOptions, Tiling
from vrpsam_app.tiles.tiling import predict_classes_tiled, predict_tiled

if TYPE_CHECKING:
    from vrpsam_app.stack_runs.cluster import Client

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
    objects
        Files of the objects of each class, if they were asked for.
    """

    outputs: OutputPaths
    predictions: tuple[Prediction, ...] = ()
    record: TargetRecord | None = None
    error: Exception | None = None
    objects: Mapping[str, ObjectPaths] = field(default_factory=dict)


def object_paths(outputs: OutputPaths) -> dict[str, ObjectPaths]:
    """Return where the objects of each class of a picture go: beside its mask, by its name."""
    return {
        label: ObjectPaths.of(mask.parent, mask.stem.removesuffix("_mask"), stack=False)
        for label, mask in outputs.masks.items()
    }


def shared_intensity_range(
    references: Iterable[Reference],
    targets: Iterable[Path],
    *,
    max_pixels: int = MAX_PIXELS,
    reading: StackReading | None = None,
    large: Iterable[Stack] = (),
) -> IntensityRange | None:
    """Return the one range in which references and targets are shown to the model.

    Targets that cannot be read are left out; :func:`segment_files` reports them.

    Parameters
    ----------
    max_pixels, reading : as for :func:`segment_files`
    large : further targets, planes that are not held in memory; a part of their pixels is read
    """

    def images() -> Iterator[NDArray[Any]]:
        for reference in references:
            yield reference.image
        for path in targets:
            with suppress(*_FAILURES):
                yield _read(path, max_pixels, reading).pixels
        for plane in large:
            with suppress(*_FAILURES):
                yield sampled(plane.data)

    return intensity_range_of(images())


def _read(path: Path, max_pixels: int, reading: StackReading | None) -> ReadPicture:
    if reading is None:
        return ReadPicture(read_image(path, max_pixels=max_pixels))
    return read_picture(path, reading)


@dataclass(frozen=True, eq=False)
class FileWork:
    """All that is the same for every target; it goes to each worker of a cluster once."""

    segmenter: Segmenter
    references: Sequence[Reference]
    intensity_range: IntensityRange | None
    threshold: float
    max_pixels: int
    tiling: Tiling | TileOptions
    objects: ObjectOptions | None = None
    reading: StackReading | None = None
    corrections: CorrectedTargets = NO_CORRECTIONS
    smallest_piece: int = 0

    def read(self, outputs: OutputPaths) -> ReadPicture | Exception:
        """Read a target, or say why it cannot be read."""
        try:
            return _read(outputs.target, self.max_pixels, self.reading)
        except _FAILURES as error:
            return error

    def answer(
        self, outputs: OutputPaths, picture: ReadPicture, cancel: CancelToken | None = None
    ) -> FileAnswer:
        """Find the classes that are to be written, all of them in one picture."""
        image = picture.pixels
        pixel_size = self._pixel_size_of(outputs.target)
        found, labels = self._found(outputs, image, pixel_size, cancel)
        if self.smallest_piece > 1:
            found = tuple(
                replace(p, mask=without_small_pieces(p.mask, self.smallest_piece)) for p in found
            )
            if labels is not None:
                labels = np.where(np.logical_or.reduce([p.mask for p in found]), labels, 0)
        objects: tuple[FoundObjects, ...] = ()
        if self.objects is not None:
            objects = tuple(self._cut(self.objects, p, image, pixel_size, cancel) for p in found)
        return FileAnswer(picture, found, labels, objects, pixel_size)

    def _found(
        self,
        outputs: OutputPaths,
        image: NDArray[Any],
        pixel_size: PixelSize | None,
        cancel: CancelToken | None,
    ) -> tuple[tuple[Prediction, ...], NDArray[np.int32] | None]:
        """Ask the segmenter, with the marks on a corrected picture."""
        asked: dict[str, Any] = {
            "intensity_range": self.intensity_range,
            "threshold": self.threshold,
            "cancel": cancel,
        }
        segmenter, references = self.segmenter, self.references
        tiled = {**asked, "tiling": self.tiling, "pixel_size": pixel_size}
        if marks := self.corrections.of(image):
            classes = predict_corrected(segmenter, image, references, marks, **tiled)
        elif outputs.labels is None:
            return (predict_tiled(segmenter, image, references, **tiled),), None
        else:
            classes = predict_classes_tiled(segmenter, image, references, **tiled)
        found = tuple(classes.predictions[label] for label in outputs.masks)
        return found, None if outputs.labels is None else classes.labels

    def _pixel_size_of(self, target: Path) -> PixelSize | None:
        """Return it where something depends on it."""
        scaled = isinstance(self.tiling, TileOptions) and self.tiling.reference_pixel_size
        reading = self.reading or StackReading(max_pixels=self.max_pixels)
        if reading.pixel_size is not None or not (self.objects or scaled):
            return reading.pixel_size
        return common_pixel_size([target], reading)

    def _cut(
        self,
        options: ObjectOptions,
        prediction: Prediction,
        image: NDArray[Any],
        pixel_size: PixelSize | None,
        cancel: CancelToken | None,
    ) -> FoundObjects:
        shown = self.tiling.reference_pixel_size if isinstance(self.tiling, TileOptions) else None
        return find_objects(
            prediction,
            options,
            image=image,
            references=[r for r in self.references if r.label == prediction.label],
            segmenter=can_be_prompted(self.segmenter) if options.prompts else None,
            intensity_range=self.intensity_range,
            pixel_size=pixel_size,
            reference_pixel_size=shown,
            cancel=cancel,
        )

    def read_and_answer(self, outputs: OutputPaths) -> FileAnswer | Exception:
        """Do both, as a worker does that sees the files."""
        picture = self.read(outputs)
        if isinstance(picture, Exception):
            return picture
        try:
            return self.answer(outputs, picture)
        except _FAILURES as error:
            return error


@dataclass(frozen=True, eq=False)
class FileAnswer:
    """What was found in a target.

    Attributes
    ----------
    picture : the target
    predictions : of each class
    labels : who won each pixel, if there are several classes
    objects : of each class, if they were asked for
    pixel_size : of the target, None if unknown
    """

    picture: ReadPicture
    predictions: tuple[Prediction, ...]
    labels: NDArray[np.int32] | None
    objects: tuple[FoundObjects, ...] = ()
    pixel_size: PixelSize | None = None


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
    objects: ObjectOptions | None = None,
    reading: StackReading | None = None,
    corrections: CorrectedTargets = NO_CORRECTIONS,
    smallest_piece: int = 0,
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
    max_pixels
        Larger targets are refused; `reading` has a limit of its own.
    tiling
        How large targets are shown to the model, as for
        :func:`vrpsam_app.tiles.tiling.predict_tiled`.
    objects
        Cut what is found into single objects, numbered and measured, see :func:`object_paths`; None
        does not.
    reading
        How targets are opened that may be single planes of any file; None takes plain pictures.
    corrections
        Marks on some of the targets, which are asked about again with them.
    smallest_piece
        Connected pieces of fewer pixels are left out of the masks; 0 leaves all in.
    client
        Of a cluster whose workers see the targets (:func:`vrpsam_app.stack_runs.cluster.connect`).
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
    ConfigError
        If objects are to be asked of the model again, and the method answers no such question.
    MissingExtraError
        If objects are asked for and pandas is not installed.
    """
    plan = list(plan)
    if objects is not None:
        require_pandas()
        if objects.prompts:
            can_be_prompted(segmenter)
    work = FileWork(
        segmenter, references, intensity_range, threshold, max_pixels, tiling, objects, reading,
        corrections, smallest_piece,
    )  # fmt: skip
    meter = ProgressMeter(len(plan), progress, cancel=cancel)
    answers = _answers(work, plan, cancel) if client is None else _answers_of(client, work, plan)
    # What is found is written here, while another thread asks about the next target.
    with closing(ahead(answers, _AHEAD)) as found:
        for outputs, answer in found:
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
    record = TargetRecord.from_image(outputs.target.name, answer.picture.pixels)
    written = object_paths(outputs) if answer.objects else {}
    return FileResult(outputs, answer.predictions, record, objects=written)


def _answers(
    work: FileWork, plan: Sequence[OutputPaths], cancel: CancelToken | None
) -> Iterator[tuple[OutputPaths, FileAnswer | Exception]]:
    """Ask about one target while the next one is read."""
    with closing(ahead(((outputs, work.read(outputs)) for outputs in plan), _AHEAD)) as pictures:
        for outputs, picture in pictures:
            if isinstance(picture, Exception):
                yield outputs, picture
                continue
            try:
                answer: FileAnswer | Exception = work.answer(outputs, picture, cancel)
            except Cancelled:
                raise
            except _FAILURES as error:
                answer = error
            yield outputs, answer


def _answers_of(
    client: Client, work: FileWork, plan: Sequence[OutputPaths]
) -> Iterator[tuple[OutputPaths, FileAnswer | Exception]]:
    from vrpsam_app.stack_runs.cluster import map_on

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
        drawn = overlay(to_rgb(answer.picture.pixels, intensity_range), found)
        write_image(outputs.overlay, drawn, overwrite=overwrite)
    if answer.objects:
        named = object_paths(outputs).items()
        for (label, paths), cut in zip(named, answer.objects, strict=True):
            write_objects(
                paths,
                [cut.instance_labels],
                plane_hw=cut.instance_labels.shape,
                images=[answer.picture.intensities],
                pixel_size=answer.pixel_size,
                channels=answer.picture.channels or None,
                class_name=label,
                scores=[cut.scores_by_id()],
                overwrite=overwrite,
            )
