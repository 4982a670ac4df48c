"""Many photos, cut out: found by a segmenter or taken from masks on disk, written as PNGs."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.batch import shared_intensity_range
from vrpsam_app.cutouts import CutoutOptions, cut_out
from vrpsam_app.errors import ImageError, ImageFileError, OutputError, VRPSAMError
from vrpsam_app.image_files import read_image, write_image
from vrpsam_app.images import IntensityRange
from vrpsam_app.label_files import read_labels
from vrpsam_app.objects.finding import find_objects
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.saved_labels import label_classes
from vrpsam_app.output_paths import (
    by_result_stem,
    image_stem,
    plan_outputs,
    prepare_folder,
    result_stems,
)
from vrpsam_app.progress import CancelToken, ProgressCallback, ProgressMeter
from vrpsam_app.reference_segmenter import References, as_sequence
from vrpsam_app.references import Reference, labels_of
from vrpsam_app.segmenter import Prediction, Segmenter

CONNECTED = ObjectOptions(method="components")
"""Things in photographs have necks and waists: only what hangs apart is several objects."""

# What makes one photo fail and lets the rest go on.
_FAILURES = (VRPSAMError, OSError, MemoryError)
_ENDINGS = ("_objects.tif", "_labels.png", "_labels.tif", "_mask.png", ".png", ".tif")


@dataclass(frozen=True, eq=False)
class FoundInPhoto:
    """Objects of one class in one photo.

    Attributes
    ----------
    labels : shape (H, W), integer
        1 to N, 0 for background.
    probability : shape (H, W), or None if only masks are known
    threshold : of the probability at the edge
    """

    labels: NDArray[np.integer]
    probability: NDArray[np.float32] | None = None
    threshold: float = 0.5


class Finder(Protocol):
    """Says where objects are in photos."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; with one, names of files do without."""
        ...

    @property
    def intensity_range(self) -> IntensityRange | None:
        """In which photos of more than 8 bits are shown."""
        ...

    def find(self, photo: Path, image: NDArray[Any]) -> dict[str, FoundInPhoto]:
        """Return what is in a photo, by class."""
        ...


@dataclass(frozen=True, eq=False)
class FoundBySegmenter:
    """Objects that look like the references.

    Attributes
    ----------
    segmenter : anything that predicts
    references : of one class or several
    intensity_range : of photos and references
    threshold : on the probability
    objects : how what is found becomes single objects
    """

    segmenter: Segmenter
    references: tuple[Reference, ...]
    intensity_range: IntensityRange | None = None
    threshold: float = 0.5
    objects: ObjectOptions = CONNECTED

    @classmethod
    def of(
        cls,
        segmenter: Segmenter,
        references: References,
        photos: Sequence[Path],
        *,
        threshold: float = 0.5,
        objects: ObjectOptions = CONNECTED,
    ) -> FoundBySegmenter:
        """Settle the intensity range that photos and references share."""
        asked = tuple(as_sequence(references))
        labels_of(asked)
        shared = shared_intensity_range(asked, photos)
        return cls(segmenter, asked, shared, threshold, objects)

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels of the references."""
        return labels_of(self.references)

    def find(self, photo: Path, image: NDArray[Any]) -> dict[str, FoundInPhoto]:
        """Ask the segmenter."""
        if len(self.classes) == 1:
            alone = self.segmenter.predict(
                image,
                self.references,
                intensity_range=self.intensity_range,
                threshold=self.threshold,
            )
            return {self.classes[0]: self._objects(alone)}
        found = self.segmenter.predict_classes(
            image,
            self.references,
            intensity_range=self.intensity_range,
            threshold=self.threshold,
        )
        return {name: self._objects(own) for name, own in found.predictions.items()}

    def _objects(self, prediction: Prediction) -> FoundInPhoto:
        labels = find_objects(prediction, self.objects, references=self.references).instance_labels
        return FoundInPhoto(labels, prediction.probability, prediction.threshold)


@dataclass(frozen=True, eq=False)
class FoundOnDisk:
    """Masks or labels in a folder, under names that this program gives them or the photo's own.

    Attributes
    ----------
    folder : where they are
    photos : by the names that their masks may have; no other may have the mask of one
    """

    folder: Path
    intensity_range: IntensityRange | None = None
    classes: tuple[str, ...] = ("object",)
    photos: Mapping[str, Sequence[Path]] = field(default_factory=dict)

    def find(self, photo: Path, image: NDArray[Any]) -> dict[str, FoundInPhoto]:
        """Read the first that is there; a mask or class of several parts is several objects.

        Raises
        ------
        ImageFileError
            If there is none, or it may be that of another photo.
        """
        path, stem = self._mask_of(photo)
        if path is None:
            names = (f"{image_stem(photo)}{ending}" for ending in _ENDINGS)
            raise ImageFileError(
                f"{self.folder} holds no mask of {photo.name}: expected one of {', '.join(names)}."
            )
        alike = (p for p in self.photos.get(stem, ()) if p != photo)
        if (other := next((p for p in alike if self._mask_of(p)[0] == path), None)) is not None:
            raise ImageFileError(
                f"{path} may be the mask of {photo} and of {other}: expected one for each. Leave "
                "the photo out that it is not of."
            )
        labels = read_labels(path)
        numbers = np.unique(labels[labels > 0])
        if len(numbers) == 1 or label_classes(path):
            pieces = np.zeros(labels.shape, np.int32)
            for number in numbers:
                own = ndimage.label(labels == number, np.ones((3, 3)))[0]
                pieces[own > 0] = own[own > 0] + pieces.max()
            labels = pieces
        return {self.classes[0]: FoundInPhoto(labels)}

    def _mask_of(self, photo: Path) -> tuple[Path | None, str]:
        """Return the mask of a photo, None if there is none, and its name without ending."""
        for stem in result_stems(photo):
            for ending in _ENDINGS:
                path = self.folder / f"{stem}{ending}"
                if path.is_file() and path.resolve() != photo.resolve():
                    return path, stem
        return None, ""


@dataclass(frozen=True, eq=False)
class CutoutResult:
    """What became of one photo.

    Attributes
    ----------
    target : the photo
    paths : cut-outs that were written
    error : why there are none; None if there are
    """

    target: Path
    paths: tuple[Path, ...] = ()
    error: Exception | None = None


def cut_out_files(
    finder: Finder,
    photos: Sequence[Path],
    folder: str | Path,
    options: CutoutOptions | None = None,
    *,
    overwrite: bool = False,
    cancel: CancelToken | None = None,
    progress: ProgressCallback | None = None,
) -> Iterator[CutoutResult]:
    """Cut objects out of photos and write them: one failure never stops the rest.

    Parameters
    ----------
    finder : FoundBySegmenter or FoundOnDisk
    photos : none of them twice
    folder : made if need be; gets ``<name>_cutout.png``, or ``<name>_cutout_1.png`` and so on
        where every object is alone, with the class between where there are several
    options : None takes the defaults
    overwrite : replace what exists
    cancel, progress : looked at, and told, after each photo

    Yields
    ------
    result : CutoutResult
        One for each photo, in order.

    Raises
    ------
    OutputError
        If the folder cannot be made.
    Cancelled
        If that was asked for; what was yielded is written.
    """
    options = options or CutoutOptions()
    if isinstance(finder, FoundOnDisk):
        finder = replace(finder, photos=by_result_stem(photos))
    folder = prepare_folder(Path(folder).expanduser())
    plan = plan_outputs(list(photos), folder, finder.classes)
    inputs = {photo.resolve() for photo in photos}
    meter = ProgressMeter(len(plan), progress, cancel=cancel)
    for outputs in plan:
        stems = {name: path.name.removesuffix("_mask.png") for name, path in outputs.masks.items()}
        try:
            paths = _cut_photo(finder, outputs.target, folder, stems, options, inputs, overwrite)
            yield CutoutResult(outputs.target, tuple(paths))
        except _FAILURES as error:
            yield CutoutResult(outputs.target, error=error)
        meter.finished(outputs.target.name)


def _cut_photo(
    finder: Finder,
    photo: Path,
    folder: Path,
    stems: dict[str, str],
    options: CutoutOptions,
    inputs: set[Path],
    overwrite: bool,
) -> list[Path]:
    image = read_image(photo)
    pictures: dict[Path, NDArray[np.uint8]] = {}
    for name, found in finder.find(photo, image).items():
        cutouts = cut_out(
            image,
            found.labels,
            probability=found.probability,
            threshold=found.threshold,
            intensity_range=finder.intensity_range,
            options=options,
        )
        for number, cutout in enumerate(cutouts, start=1):
            ending = f"_cutout_{number}.png" if options.which == "each" else "_cutout.png"
            pictures[folder / f"{stems[name]}{ending}"] = cutout.rgba
    if not pictures:
        raise ImageError(
            f"Nothing to cut out was found in {photo}: mark the object more fully, lower the "
            f"threshold, or allow objects of fewer than {options.smallest} pixels."
        )
    for path in pictures:  # all or none
        if path.resolve() in inputs:
            raise OutputError(f"{path} would be written over, and it is one of the photos.")
        if path.exists() and not overwrite:
            raise OutputError(
                f"{path} exists: choose another folder, or allow overwriting (--overwrite)."
            )
    if overwrite and options.which == "each":
        for stem in stems.values():
            for stale in folder.glob(f"{glob.escape(stem)}_cutout_*.png"):
                if stale not in pictures and stale.resolve() not in inputs:
                    stale.unlink()
    return [write_image(path, rgba, overwrite=overwrite) for path, rgba in pictures.items()]
