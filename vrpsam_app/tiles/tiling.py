"""Planes of any size: shown to the model whole, or in tiles whose answers are put together.

When a plane is shown in tiles, and how large they are, says :mod:`vrpsam_app.tiles.plan`; how their
answers become one, :mod:`vrpsam_app.tiles.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vrpsam_app.errors import ImageError
from vrpsam_app.geometry import resize_mask_area
from vrpsam_app.images import IntensityRange, check_plane
from vrpsam_app.progress import CancelToken, ProgressCallback, ProgressMeter
from vrpsam_app.reference_segmenter import References, as_sequence, only_label, range_of
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import ClassPredictions, Prediction, Segmenter
from vrpsam_app.stacks.intensity_sample import plane_range
from vrpsam_app.stacks.stack import PixelSize, Stack
from vrpsam_app.tiles.grid import TileGrid
from vrpsam_app.tiles.plan import TileOptions, Tiling, plan_tiles
from vrpsam_app.tiles.rows import FinishedRows, TileTask, Verdict, ask, finished_rows

# Cells of the reduced picture in which the tiles' pseudo-masks are put together, across a tile.
_PSEUDO_CELLS = 64


def predict_tiled(
    segmenter: Segmenter,
    plane: Any,
    references: References,
    *,
    tiling: Tiling | TileOptions = "auto",
    pixel_size: PixelSize | None = None,
    intensity_range: IntensityRange | None = None,
    threshold: float = 0.5,
    cancel: CancelToken | None = None,
    progress: ProgressCallback | None = None,
) -> Prediction:
    """Find what the references show in a plane of any size.

    Parameters
    ----------
    segmenter : anything that predicts
    plane : shape (H, W), (H, W, 3) or (H, W, 4)
        NumPy, dask, Zarr, or a :class:`Stack` of one plane. A lazy plane that is shown in tiles is
        read by rows of chunks, each once.
    references : Reference or sequence of Reference
        All of one label.
    tiling : ``auto``, ``whole``, ``tiles``, or :class:`TileOptions` to say more
    pixel_size : physical size of the plane's pixels; that of a `Stack` is known
    intensity_range, threshold : as for :meth:`VRPSAMPredictor.predict`
    cancel, progress : looked at, and told, after each tile

    Returns
    -------
    prediction : Prediction
        Of the size of the plane, in memory. A plane that is shown whole, or fits in one tile, gets
        exactly what ``segmenter.predict`` answers.

    Raises
    ------
    Cancelled
        If that was asked for.
    ImageError, AnnotationError, EmptyReferenceError
        As for ``segmenter.predict``.

    Examples
    --------
    >>> slide = zarr.open_array("slide.zarr")  # doctest: +SKIP
    >>> predict_tiled(predictor, slide, reference, tiling="tiles").mask.shape  # doctest: +SKIP
    (20000, 20000)
    """
    references = as_sequence(references)
    label = only_label(references)
    return predict_each_tiled(
        segmenter, plane, references, tiling=tiling, pixel_size=pixel_size,
        intensity_range=intensity_range, threshold=threshold, cancel=cancel, progress=progress,
    )[label]  # fmt: skip


def predict_classes_tiled(
    segmenter: Segmenter,
    plane: Any,
    references: References,
    *,
    tiling: Tiling | TileOptions = "auto",
    pixel_size: PixelSize | None = None,
    intensity_range: IntensityRange | None = None,
    threshold: float = 0.5,
    cancel: CancelToken | None = None,
    progress: ProgressCallback | None = None,
) -> ClassPredictions:
    """Find every label of the references in a plane of any size; the labels compete per pixel.

    Parameters and errors are those of :func:`predict_tiled`, but for the labels.
    """
    return ClassPredictions.compete(
        predict_each_tiled(
            segmenter, plane, as_sequence(references), tiling=tiling, pixel_size=pixel_size,
            intensity_range=intensity_range, threshold=threshold, cancel=cancel, progress=progress,
        )
    )  # fmt: skip


def predict_each_tiled(
    segmenter: Segmenter,
    plane: Any,
    references: Sequence[Reference],
    *,
    tiling: Tiling | TileOptions = "auto",
    pixel_size: PixelSize | None = None,
    intensity_range: IntensityRange | None = None,
    threshold: float = 0.5,
    cancel: CancelToken | None = None,
    progress: ProgressCallback | None = None,
) -> Mapping[str, Prediction]:
    """Find every label of the references, before those of tiles compete in the whole plane.

    Parameters and errors are those of :func:`predict_tiled`, but for the labels.
    """
    if isinstance(plane, Stack):
        pixel_size = pixel_size or plane.pixel_size
    plane = _checked(plane)
    if intensity_range is None:
        in_memory = isinstance(plane, np.ndarray)
        intensity_range = (range_of if in_memory else plane_range)(plane, references)
    plan = plan_tiles(
        segmenter,
        (int(plane.shape[0]), int(plane.shape[1])),
        references,
        tiling if isinstance(tiling, TileOptions) else TileOptions(tiling),
        pixel_size=pixel_size,
        intensity_range=intensity_range,
    )
    in_tiles = plan.grid is not None
    task = TileTask.of(references, intensity_range, threshold, in_tiles=in_tiles)
    if plan.grid is None:
        meter = ProgressMeter(1, progress, cancel=cancel)
        whole = ask(segmenter, np.asarray(plane), plan.references, task)
        meter.finished()
        return whole
    side_by_side = len(plan.grid.col_starts)
    meter = ProgressMeter(len(plan.grid), progress, side_by_side=side_by_side, cancel=cancel)
    gathered = _Gathered(plan.grid, task, meter)
    for finished in finished_rows(
        segmenter, plane, plan.references, plan.grid, task, on_tile=gathered.take_tile
    ):
        gathered.take_rows(finished)
    describe = getattr(segmenter, "describe", dict)
    made_by = {**describe(), "range": intensity_range, **plan.to_json()}
    return {label: gathered.prediction(label, made_by) for label in task.labels}


def _checked(plane: Any) -> Any:
    """Return a plane that may be lazy, if it is one.

    Raises
    ------
    ImageError
        If it has another shape or type.
    """
    if isinstance(plane, Stack):
        if plane.axes:
            raise ImageError(
                f"{plane.name} has the axes {', '.join(plane.axes)}: expected a single plane. For "
                "a stack, call predict_stack(...)."
            )
        return plane.data
    if isinstance(plane, np.ndarray) or not (hasattr(plane, "shape") and hasattr(plane, "dtype")):
        return check_plane(plane, name="target")
    # An array of that shape which takes no memory: the rules about shapes and types are the same.
    check_plane(np.broadcast_to(np.empty((), plane.dtype), tuple(plane.shape)), name="target")
    return plane


class _Gathered:
    """Rows and tiles, gathered in memory into one prediction for each class."""

    def __init__(self, grid: TileGrid, task: TileTask, meter: ProgressMeter) -> None:
        self._grid, self._task, self._meter = grid, task, meter
        self._probability = {k: np.empty(grid.plane_hw, np.float32) for k in task.labels}
        self._found_in = {k: np.empty(grid.plane_hw, np.bool_) for k in task.labels}
        self._verdicts: dict[str, list[Verdict]] = {k: [] for k in task.labels}
        self._cell = max(1, min(grid.tile_hw) // _PSEUDO_CELLS)
        rows, cols = (-(-side // self._cell) for side in grid.plane_hw)
        self._pseudo = {k: np.zeros((rows, cols), np.float32) for k in task.labels}
        self._counts = np.zeros((rows, cols), np.float32)

    def take_tile(self, row: int, col: int, found: Mapping[str, Prediction]) -> None:
        """Take a tile's pseudo-masks, and count it."""
        rows, cols = (
            slice(span.start // self._cell, -(-span.stop // self._cell))
            for span in (self._grid.rows(row), self._grid.cols(col))
        )
        self._counts[rows, cols] += 1
        hw = self._counts[rows, cols].shape
        for label, prediction in found.items():
            self._pseudo[label][rows, cols] += resize_mask_area(prediction.pseudo_mask, hw)
        self._meter.finished()

    def take_rows(self, finished: FinishedRows) -> None:
        """Take rows that are final."""
        for label in self._task.labels:
            self._probability[label][finished.rows] = finished.probability[label]
            self._found_in[label][finished.rows] = finished.found_in[label]
            self._verdicts[label] += finished.verdicts[label]

    def prediction(self, label: str, made_by: Mapping[str, object]) -> Prediction:
        """Return what was gathered about a class."""
        probability, found_in = self._probability[label], self._found_in[label]
        verdict = Verdict.together(self._verdicts[label])
        pseudo_mask = np.asarray(self._pseudo[label] / np.maximum(self._counts, 1), np.float32)
        return Prediction(
            mask=(probability > self._task.threshold) & found_in,
            probability=probability,
            score=verdict.score,
            presence=verdict.presence,
            present=verdict.present,
            pseudo_mask=pseudo_mask,
            label=label,
            made_by=made_by,
            threshold=self._task.threshold,
            found_in=found_in,
        )
