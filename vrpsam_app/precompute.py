"""Encode targets now, into a store on disk, so that questions about them are answered at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.batch import shared_intensity_range
from vrpsam_app.embeddings.store import DiskEmbeddingStore
from vrpsam_app.errors import Cancelled, VRPSAMError
from vrpsam_app.images import IntensityRange
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.progress import CancelToken, ProgressCallback, ProgressMeter
from vrpsam_app.references import Reference, labels_of
from vrpsam_app.segmenter import ClassPredictions, Prediction
from vrpsam_app.stack_runs.reading import read_planes
from vrpsam_app.stack_runs.targets import (
    StackReading,
    common_pixel_size,
    open_target,
    read_picture,
)
from vrpsam_app.stacks.intensity_sample import stack_range
from vrpsam_app.stacks.stack import PixelSize, Stack
from vrpsam_app.tiles.object_scale import clicked_object_size, object_size
from vrpsam_app.tiles.plan import TileOptions
from vrpsam_app.tiles.tiling import predict_classes_tiled


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """What became of one file.

    Attributes
    ----------
    path : as given
    planes : how many it has; 1 for a picture
    stored, found : embeddings that were made now, and that were in the store before
        Large planes have several, one for each tile.
    intensity_range : in which it was shown; None for 8 bits
    error : why not all of it was encoded
    """

    path: Path
    planes: int
    stored: int
    found: int
    intensity_range: IntensityRange | None
    error: Exception | None = None


class EncodingSegmenter:
    """Encodes whatever it is asked about, and finds nothing in it.

    Run through it, any work on tiles or stacks asks for exactly the embeddings that it will need.
    """

    def __init__(self, predictor: VRPSAMPredictor) -> None:
        self._predictor = predictor.passing()
        self._clicked_sizes: dict[IntensityRange | None, float | None] = {}

    @property
    def input_side(self) -> int:
        """Longer side of a picture that the model sees without reducing it."""
        return self._predictor.input_side

    def sized(
        self,
        tiling: TileOptions,
        references: Sequence[Reference],
        intensity_range: IntensityRange | None,
    ) -> TileOptions:
        """Say how large a clicked object is: tiles depend on it, and it takes a real answer.

        The references are always the same.
        """
        if tiling.object_pixels is not None or object_size(references) is not None:
            return tiling
        if intensity_range not in self._clicked_sizes:
            self._clicked_sizes[intensity_range] = clicked_object_size(
                self._predictor, references, self.input_side, intensity_range=intensity_range
            )
        return replace(tiling, object_pixels=self._clicked_sizes[intensity_range])

    def prepare(self, image: NDArray[Any], *, intensity_range: IntensityRange | None) -> None:
        """Encode an image."""
        self._predictor.prepare(image, intensity_range=intensity_range)

    def predict(
        self,
        target: NDArray[Any],
        references: Reference | Sequence[Reference],
        *,
        corrections: Any | None = None,
        intensity_range: IntensityRange | None = None,
        threshold: float = 0.5,
    ) -> Prediction:
        """Encode the target; the prediction is empty."""
        self.prepare(target, intensity_range=intensity_range)
        label = references.label if isinstance(references, Reference) else references[0].label
        hw = target.shape[:2]
        return Prediction(
            mask=np.zeros(hw, np.bool_),
            probability=np.zeros(hw, np.float32),
            score=0.0,
            presence=0.0,
            present=False,
            pseudo_mask=np.zeros((1, 1), np.float32),
            label=label,
            made_by={},
            threshold=threshold,
        )

    def predict_classes(
        self, target: NDArray[Any], references: Sequence[Reference], **settings: Any
    ) -> ClassPredictions:
        """Encode the target once for all classes; the predictions are empty."""
        names = tuple(dict.fromkeys(r.label for r in references))
        empty = self.predict(target, references, **settings)
        labels = np.zeros(target.shape[:2], np.int32)
        return ClassPredictions(dict.fromkeys(names, empty), labels, names)


def encode_files(
    predictor: VRPSAMPredictor,
    store: DiskEmbeddingStore,
    paths: Sequence[Path],
    *,
    references: Sequence[Reference] = (),
    intensity_range: IntensityRange | None = None,
    tiling: TileOptions | None = None,
    reading: StackReading | None = None,
    cancel: CancelToken | None = None,
    progress: ProgressCallback | None = None,
) -> Iterator[EncodedFile]:
    """Encode pictures and stacks into a store; what is there already is found again.

    Parameters
    ----------
    predictor : with `store` as its store
    paths : from :func:`vrpsam_app.image_files.find_files`
    references : that will be asked for
        Their images take part in the common intensity range, as they will later, and are encoded
        too; the size of what they mark says how large planes are cut into tiles.
    intensity_range : of all files; None takes that of all pictures, and of each stack its own
    tiling : as for :func:`~vrpsam_app.tiles.tiling.predict_tiled`; whole without references
    reading : how stacks are opened
    cancel, progress : looked at, and told, after each plane

    Yields
    ------
    encoded : EncodedFile
        One for each path, in order; a file that cannot be read does not stop the rest.

    Raises
    ------
    OutputError
        If the store cannot keep what was encoded.
    Cancelled
        If that was asked for.
    """
    labels_of(references)  # refuses classes without an example
    reading = reading or StackReading()
    opened = [_open(path, reading) for path in paths]
    pictures = [path for path, stack in zip(paths, opened, strict=True) if stack is None]
    large = [stack for stack in opened if isinstance(stack, Stack) and not stack.axes]
    common = intensity_range or shared_intensity_range(
        references, pictures, reading=reading, large=large
    )
    total = sum(stack.plane_count if isinstance(stack, Stack) else 1 for stack in opened)
    meter = ProgressMeter(total, progress, cancel=cancel)
    encoder = EncodingSegmenter(predictor)
    for reference in references:
        encoder.prepare(reference.image, intensity_range=common)
    for path, stack in zip(paths, opened, strict=True):
        before = store.computed, store.read
        shown, error = common, stack if isinstance(stack, Exception) else None
        try:
            if stack is None:
                image = read_picture(path, reading).pixels
                size = reading.pixel_size or common_pixel_size([path], reading)
                _encode(encoder, image, references, shown, tiling, size)
                meter.finished(path.name)
            elif isinstance(stack, Stack):
                if intensity_range is None and stack.axes:
                    shown = stack_range(stack, references)
                for _, plane in read_planes(stack, dict.fromkeys(stack.indices())):
                    _encode(encoder, plane, references, shown, tiling, stack.pixel_size)
                    meter.finished(path.name)
        except Cancelled:
            raise
        except (VRPSAMError, OSError, MemoryError) as caught:
            error = caught
        if store.failure is not None:
            raise store.failure
        yield EncodedFile(
            path,
            stack.plane_count if isinstance(stack, Stack) else 1,
            stored=store.computed - before[0],
            found=store.read - before[1],
            intensity_range=shown,
            error=error,
        )


def _open(path: Path, reading: StackReading) -> Stack | Exception | None:
    """Open a stack; None for a picture, by the same rule as where it is segmented."""
    try:
        return open_target(path, reading)
    except (VRPSAMError, OSError) as error:
        return error


def _encode(
    encoder: EncodingSegmenter,
    plane: Any,
    references: Sequence[Reference],
    intensity_range: IntensityRange | None,
    tiling: TileOptions | None,
    pixel_size: PixelSize | None,
) -> None:
    if not references:
        encoder.prepare(np.asarray(plane), intensity_range=intensity_range)
        return
    tiling = tiling or TileOptions()
    if tiling.tiling != "whole" and max(plane.shape[:2]) > encoder.input_side:
        tiling = encoder.sized(tiling, references, intensity_range)
    predict_classes_tiled(
        encoder,
        plane,
        references,
        tiling=tiling,
        pixel_size=pixel_size,
        intensity_range=intensity_range,
    )
