"""Planes of a stack answered one after the other, for a surface that shows each as it is found."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from vrpsam_app.images import IntensityRange
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.linking import DEFAULT_LINKS
from vrpsam_app.prefetch import ahead
from vrpsam_app.progress import CancelToken, ProgressCallback, ProgressMeter
from vrpsam_app.reference_segmenter import References, as_sequence
from vrpsam_app.references import labels_of
from vrpsam_app.segmenter import Prediction, Segmenter
from vrpsam_app.stack_runs.assembly import Assembly, Block
from vrpsam_app.stack_runs.lazy_result import as_stack, plan_stack
from vrpsam_app.stack_runs.object_planes import object_task
from vrpsam_app.stack_runs.reading import Index, read_order, read_pieces
from vrpsam_app.stack_runs.result_array import ResultLayout
from vrpsam_app.stacks.stack import Stack
from vrpsam_app.tiles.plan import TileOptions, Tiling

# Planes that lie read while the model works.
_AHEAD = 1


def segment_planes(
    segmenter: Segmenter,
    stack: Stack | Any,
    references: References,
    *,
    planes: Collection[Index] | None = None,
    tiling: Tiling | TileOptions = "auto",
    intensity_range: IntensityRange | None = None,
    threshold: float = 0.5,
    objects: ObjectOptions | None = None,
    cancel: CancelToken | None = None,
    progress: ProgressCallback | None = None,
) -> Generator[Block, None, None]:
    """Find what the references show in some planes of a stack, and keep nothing.

    The labels are those that :func:`vrpsam_app.stack_runs.run.segment_stack` stores.

    Parameters
    ----------
    segmenter, stack, references, tiling, intensity_range, threshold :
        As for :func:`vrpsam_app.stack_runs.lazy_result.predict_stack`.
    planes : which are asked about; None takes all
    objects : how each plane is cut into objects; None does not
    cancel : looked at after each plane or tile
    progress : told after each plane, or tile where planes are shown in tiles

    Yields
    ------
    block : Block
        A plane's labels with what became known of it, in the order in which the stack's chunks are
        read; of planes larger than 64 MB bands of rows, from the top. Objects count from 1 in each
        plane, and come with the first block of one that is shown whole.

    Raises
    ------
    Cancelled
        If that was asked for.
    ConfigError
        If objects cannot be cut like this.
    ImageError, AnnotationError, EmptyReferenceError
        As for ``segmenter.predict``.
    """
    stack = as_stack(stack)
    references = as_sequence(references)
    labels_of(references)
    options = tiling if isinstance(tiling, TileOptions) else TileOptions(tiling)
    work, plan = plan_stack(
        segmenter, stack, references, tiling=options, intensity_range=intensity_range,
        threshold=threshold,
    )  # fmt: skip
    cutting = object_task(objects, DEFAULT_LINKS, stack, references, options.reference_pixel_size)
    if cutting is not None:
        cutting.check(work.segmenter, in_tiles=plan.grid is not None)
        work = replace(work, objects=cutting)
    layout = ResultLayout(stack.axes, stack.leading_shape, stack.plane_hw, work.dtype)
    wanted = {i: 0 for i in read_order(stack) if planes is None or i in planes}
    width = 1 if work.grid is None else len(work.grid.col_starts)
    tiles = 1 if work.grid is None else len(work.grid)
    meter = ProgressMeter(len(wanted) * tiles, progress, side_by_side=width, cancel=cancel)
    assembly = Assembly(work, layout, wanted)
    with closing(ahead(read_pieces(stack, wanted, work.grid), _AHEAD)) as pieces:
        for piece in pieces:

            def on_tile(
                column: int, found: Mapping[str, Prediction], index: Index = piece.index
            ) -> None:
                meter.finished(_words(stack, index))

            yield from assembly.take(piece, work.answer(piece, on_tile))
            if work.grid is None:
                meter.finished(_words(stack, piece.index))


def _words(stack: Stack, index: Index) -> str:
    return ", ".join(f"{axis} {number}" for axis, number in zip(stack.axes, index, strict=True))
