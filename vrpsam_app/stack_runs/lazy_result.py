"""Stacks of any number of planes: a lazy array in, a lazy array out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.heap import reuse_freed_memory
from vrpsam_app.images import IntensityRange
from vrpsam_app.reference_segmenter import References, as_sequence
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Segmenter
from vrpsam_app.stack_runs.work import Output, Piece, PlaneAnswer, StackWork
from vrpsam_app.stacks.intensity_sample import stack_range
from vrpsam_app.stacks.row_reader import in_memory
from vrpsam_app.stacks.stack import Stack
from vrpsam_app.tiles.plan import TileOptions, TilePlan, Tiling, plan_tiles
from vrpsam_app.tiles.rows import PlaneBlender, TileRow, TileTask, ask

if TYPE_CHECKING:
    import dask.array as da


def predict_stack(
    segmenter: Segmenter,
    stack: Stack | Any,
    references: References,
    *,
    output: Output = "labels",
    tiling: Tiling | TileOptions = "auto",
    intensity_range: IntensityRange | None = None,
    threshold: float = 0.5,
) -> da.Array:
    """Find what the references show in every plane of a stack, when the result is asked for.

    Parameters
    ----------
    segmenter : anything that predicts
    stack : Stack, or an array (NumPy, dask, Zarr) of shape (..., rows, cols[, colours])
    references : Reference or sequence of Reference
        They may show different slices of the stack, or other images. Several labels compete.
    output : ``labels``, ``mask`` or ``probability``
        Labels are 0 where nothing is, else 1 + the index of the class in the order of the
        references; of a single class they are 0 and 1.
    tiling : as for :func:`vrpsam_app.tiles.tiling.predict_tiled`
    intensity_range : of the whole stack
        Default: the percentiles of at most eight planes, evenly spread, and of the references.
    threshold : on the probability

    Returns
    -------
    found : dask array, shape (..., rows, cols)
        uint8 (uint16 beyond 255 classes), bool or float32. Only planes that are asked for are
        computed; each chunk of the stack is read once for each time that they are. A plane in
        tiles comes in bands of rows and is never in memory whole.

    Raises
    ------
    ConfigError
        If a mask or a probability is asked for and there are several classes.
    ImageError, AnnotationError, EmptyReferenceError
        As for ``segmenter.predict``.

    Examples
    --------
    >>> import dask.array as da
    >>> movie = da.zeros((1000, 512, 512), chunks=(1, 512, 512), dtype="uint8")
    >>> predict_stack(predictor, movie, reference)[7].compute()  # doctest: +SKIP
    """
    stack = as_stack(stack)
    work, _ = plan_stack(
        segmenter, stack, as_sequence(references), output=output, tiling=tiling,
        intensity_range=intensity_range, threshold=threshold,
    )  # fmt: skip
    return _whole(stack, work) if work.grid is None else _in_bands(stack, work)


def estimate_seconds(
    segmenter: Segmenter,
    stack: Stack | Any,
    references: References,
    *,
    tiling: Tiling | TileOptions = "auto",
    intensity_range: IntensityRange | None = None,
) -> float:
    """Say how long a stack will take on this machine, before the run.

    Two planes, or a tile of each, are asked about: the first pays for what is needed once, the
    second is timed. Arguments and errors are those of :func:`predict_stack`.

    Returns
    -------
    seconds : for all planes; reading and writing go on meanwhile and are not counted
        Empty tiles take no time, so that a sparse plane takes less.
    """
    stack = as_stack(stack)
    work, _ = plan_stack(
        segmenter, stack, as_sequence(references), tiling=tiling, intensity_range=intensity_range
    )
    indices = list(stack.indices())
    seconds = 0.0
    for index in (indices[0], indices[len(indices) // 2]):
        picture = stack.data[index]
        if work.grid is not None:
            row, col = (len(s) // 2 for s in (work.grid.row_starts, work.grid.col_starts))
            picture = picture[work.grid.rows(row), work.grid.cols(col)]
        pixels = in_memory(picture)
        start = time.perf_counter()
        ask(work.segmenter, pixels, work.references, work.task)
        seconds = time.perf_counter() - start
    return seconds * len(indices) * (1 if work.grid is None else len(work.grid))


def as_stack(stack: Stack | Any) -> Stack:
    """Return an array as a stack, a stack as it is.

    Raises
    ------
    ImageError
        If it is no stack of planes.
    """
    return stack if isinstance(stack, Stack) else Stack.from_array(stack)


def plan_stack(
    segmenter: Segmenter,
    stack: Stack,
    references: Sequence[Reference],
    *,
    output: Output = "labels",
    tiling: Tiling | TileOptions = "auto",
    intensity_range: IntensityRange | None = None,
    threshold: float = 0.5,
    batch_size: int = 1,
) -> tuple[StackWork, TilePlan]:
    """Settle all that is the same for every plane; `intensity_range` is the stack's, or sampled."""
    reuse_freed_memory()
    if intensity_range is None:
        intensity_range = stack_range(stack, references)
    # Most segmenters keep what they encode, because a person asks again; a stack is seen once.
    passing = getattr(segmenter, "passing", None)
    if passing is not None:
        # Planes that are encoded together wait for their turn.
        segmenter = passing(planes=1 if batch_size == 1 else None)
    plan = plan_tiles(
        segmenter,
        stack.plane_hw,
        references,
        tiling if isinstance(tiling, TileOptions) else TileOptions(tiling),
        pixel_size=stack.pixel_size,
        intensity_range=intensity_range,
    )
    in_tiles = plan.grid is not None
    task = TileTask.of(
        references, intensity_range, threshold, in_tiles=in_tiles, batch_size=batch_size
    )
    return StackWork(segmenter, plan.references, plan.grid, task, output), plan


def best_batch_size(segmenter: Segmenter) -> int:
    """Return how many planes to encode together, as the segmenter says."""
    return int(getattr(segmenter, "batch_size", 1))


def _whole(stack: Stack, work: StackWork) -> da.Array:
    """Ask about whole planes: one block for each chunk of planes."""
    import dask.array as da
    from dask.delayed import delayed

    leading = len(stack.axes)
    # Chunks that hold parts of a plane are put together, those that hold several planes are kept.
    data = stack.data.rechunk(dict.fromkeys(range(leading, stack.data.ndim), -1))
    once = delayed(work, traverse=False)
    blocks = data.to_delayed()
    found = np.empty((*blocks.shape[:leading], 1, 1), dtype=object)
    for place in np.ndindex(blocks.shape[:leading]):
        lengths = tuple(data.chunks[axis][i] for axis, i in enumerate(place))
        block = blocks[place + (0,) * (data.ndim - leading)]
        answer = delayed(_answer_planes)(block, once, leading)
        found[(*place, 0, 0)] = da.from_delayed(answer, lengths + stack.plane_hw, work.dtype)
    return da.block(found.tolist())


def _answer_planes(block: NDArray[Any], work: StackWork, leading: int) -> NDArray[Any]:
    found = np.empty(block.shape[: leading + 2], work.dtype)
    for index in np.ndindex(block.shape[:leading]):
        answer = work.answer(Piece(index, None, block[index]))
        if isinstance(answer, PlaneAnswer):
            found[index] = answer.values
    return found


def _in_bands(stack: Stack, work: StackWork) -> da.Array:
    """Ask about rows of tiles, each once, and blend those that overlap into bands of rows."""
    import dask.array as da
    from dask.delayed import delayed

    grid = work.grid
    if grid is None:
        raise ValueError("planes that are shown whole have no bands")
    once = delayed(work, traverse=False)
    bands_of = [grid.finished_rows(i) for i in range(len(grid.row_starts))]
    found = np.empty((*stack.leading_shape, len(bands_of), 1), dtype=object)
    for index in stack.indices():
        plane = stack.data[index]
        rows = [_row_of_tiles(plane[grid.rows(i)], once) for i in range(len(bands_of))]
        for i, band in enumerate(bands_of):
            involved = grid.tile_rows_of(band)
            first = involved[0]
            blended = delayed(_blend)(rows[first : i + 1], first, once)
            shape = (1,) * len(index) + (band.stop - band.start, grid.plane_hw[1])
            reshaped = delayed(np.reshape)(blended, shape)
            found[(*index, i, 0)] = da.from_delayed(reshaped, shape, work.dtype)
    return da.block(found.tolist())


def _row_of_tiles(rows: da.Array, work: Any) -> Any:
    """Return the task that asks about a row of tiles."""
    from dask.delayed import delayed

    # Left as it is, or each row of tiles would read the chunks that it shares with others itself.
    (block,) = rows.rechunk(-1).to_delayed(optimize_graph=False).ravel()
    return delayed(_answer_row)(block, work)


def _answer_row(pixels: NDArray[Any], work: StackWork) -> TileRow:
    row = work.answer(Piece((), 0, pixels))
    if not isinstance(row, TileRow):
        raise TypeError("a row of tiles was asked about as if it were a plane")
    return row


def _blend(rows: Sequence[TileRow], first: int, work: StackWork) -> NDArray[Any]:
    """Return the values of the rows that the last of these rows of tiles completes."""
    if work.grid is None:
        raise ValueError("planes that are shown whole are not blended")
    blender = PlaneBlender(work.grid, work.task, first)
    for row in rows:
        finished = blender.add(row)
    return work.values_of(finished)[0]
