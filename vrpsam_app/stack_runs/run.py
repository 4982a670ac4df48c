"""Segment a stack from disk to disk: every plane is stored as it is finished, and stays stored.

Reading, the model and writing go on at the same time, in threads. A run that is killed, cancelled
or stopped by a full disk goes on where it was: what is stored is neither read by the model nor
written again, and the finished files are the same as those of an uninterrupted run.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vrpsam_app.errors import Cancelled, ConfigError
from vrpsam_app.images import IntensityRange, has_finite
from vrpsam_app.objects.linking import DEFAULT_LINKS, LinkOptions
from vrpsam_app.prefetch import Behind, ahead
from vrpsam_app.progress import CancelToken, ProgressCallback, ProgressMeter
from vrpsam_app.recipe import Recipe, TargetRecord
from vrpsam_app.reference_segmenter import References, as_sequence
from vrpsam_app.references import labels_of
from vrpsam_app.segmenter import Segmenter
from vrpsam_app.stack_runs.assembly import Assembly, Block
from vrpsam_app.stack_runs.journal import PlaneNotes, RunJournal
from vrpsam_app.stack_runs.lazy_result import as_stack, best_batch_size, plan_stack
from vrpsam_app.stack_runs.manifest import is_begun, run_manifest
from vrpsam_app.stack_runs.object_planes import StackObjects, object_task
from vrpsam_app.stack_runs.outputs import PlaneResult, StackOutput
from vrpsam_app.stack_runs.reading import Index, read_order, read_pieces
from vrpsam_app.stack_runs.result_array import ResultArray, ResultLayout, cannot_write
from vrpsam_app.stack_runs.work import Piece, PlaneAnswer, StackWork
from vrpsam_app.stacks.intensity_sample import sample_stack
from vrpsam_app.stacks.stack import Stack
from vrpsam_app.tiles.plan import TileOptions, Tiling
from vrpsam_app.tiles.rows import TileRow, encode

if TYPE_CHECKING:
    from vrpsam_app.objects.instances import ObjectOptions
    from vrpsam_app.objects.paths import ObjectPaths
    from vrpsam_app.stack_runs.cluster import Client

# Planes that lie read, and blocks that wait to be written; those that bring the objects of their
# plane are several times as large.
_AHEAD, _BEHIND, _BEHIND_OF_OBJECTS = 2, 2, 0


@dataclass(frozen=True, eq=False)
class StackResult:
    """What became of a stack.

    Attributes
    ----------
    path : of the result
    planes : what was found in each, in order
    record : the stack, as a recipe names it
    intensity_range : in which it was shown
    sections : of a recipe, about stack and tiles
    asked : planes that this part of the run had to ask about; those that were stored are not
    objects : files of the objects of each class, if they were asked for
    """

    path: Path
    planes: tuple[PlaneResult, ...]
    record: TargetRecord
    intensity_range: IntensityRange | None
    sections: Mapping[str, Mapping[str, Any]]
    asked: int
    objects: Mapping[str, ObjectPaths] = field(default_factory=dict)


def segment_stack(
    segmenter: Segmenter,
    stack: Stack | Any,
    references: References,
    out: str | Path,
    *,
    output: Literal["labels", "probability"] = "labels",
    tiling: Tiling | TileOptions = "auto",
    intensity_range: IntensityRange | None = None,
    threshold: float = 0.5,
    resume: bool = False,
    overwrite: bool = False,
    recipe: bool = True,
    range_given: bool = True,
    batch_size: int | None = None,
    objects: ObjectOptions | None = None,
    links: LinkOptions = DEFAULT_LINKS,
    sections: Mapping[str, Mapping[str, Any]] | None = None,
    client: Client | None = None,
    cancel: CancelToken | None = None,
    progress: ProgressCallback | None = None,
    on_block: Callable[[Block], None] | None = None,
) -> StackResult:
    """Find what the references show in every plane, and store it as it is found.

    Parameters
    ----------
    segmenter, stack, references, tiling, intensity_range, threshold :
        As for :func:`vrpsam_app.stack_runs.lazy_result.predict_stack`.
    out : a name that ends in .ome.zarr, .zarr or .tif
        Beside it stand ``<name>_planes.csv``, what was found in each plane, and
        ``<name>_recipe.json``. A TIFF is made of a folder ``<name>.tif.part`` at the end.
    output : ``labels`` or ``probability``
    resume : go on with a run that was stopped; one that is complete is left as it is
    overwrite : begin again in the place of an earlier result of this program
    recipe : whether to write the recipe
    range_given : whether a person chose `intensity_range`; else it was found in a set of images.
        The recipe says so.
    batch_size : planes that are encoded together; None takes what the device gains by
    objects : cut what is found into single objects, numbered and measured, for each class, in
        ``<name>_objects.tif`` and tables beside it; None does not
    links : ids of objects from plane to plane
    sections : more sections of the recipe, such as how the stack was opened
    client : of a cluster whose workers ask (:func:`vrpsam_app.stack_runs.cluster.connect`)
    cancel : looked at after each plane or tile
    progress : told after each plane, or tile where planes are shown in tiles
    on_block : given what was found as it goes to disk; not what an earlier part of the run stored

    Raises
    ------
    OutputError
        If the result exists, belongs to a run with other settings or another stack (the message
        names the difference), or cannot be written. What is stored is kept.
    Cancelled
        If that was asked for. What is stored is kept.
    ConfigError
        If objects cannot be cut like this, see
        :meth:`vrpsam_app.stack_runs.object_planes.ObjectTask.check`.
    ImageError, AnnotationError, EmptyReferenceError
        As for ``segmenter.predict``.
    """
    if output not in ("labels", "probability"):
        raise ConfigError(f"Output is {output!r}: expected labels or probability.")
    if objects is not None and output != "labels":
        raise ConfigError("Objects are cut from labels: leave objects out, or ask for labels.")
    stack = as_stack(stack)
    references = as_sequence(references)
    labels_of(references)
    target = StackOutput.of(out)
    options = tiling if isinstance(tiling, TileOptions) else TileOptions(tiling)
    sample = sample_stack(stack, references, intensity_range)
    work, plan = plan_stack(
        segmenter, stack, references, output=output, tiling=options,
        intensity_range=sample.intensity_range, threshold=threshold,
        batch_size=batch_size or best_batch_size(segmenter),
    )  # fmt: skip
    made_by: dict[str, Any] = getattr(segmenter, "describe", dict)()
    sections = {
        **(sections or {}),
        "stack": {"axes": list(stack.axes), "planes": stack.plane_count, "output": output},
        "tiling": options.to_json(),
    }
    cutting = object_task(
        objects, links, stack, references, options.reference_pixel_size, whole=True
    )
    if cutting is not None:
        cutting.check(work.segmenter, in_tiles=plan.grid is not None)
        work = replace(work, objects=cutting)
        sections |= cutting.to_json()
    manifest = run_manifest(stack, references, work, plan, sample, made_by)
    kept = (
        None
        if cutting is None
        else StackObjects(cutting, target, stack, work.task.labels, in_tiles=plan.grid is not None)
    )
    begun = is_begun(target, manifest, resume=resume, overwrite=overwrite)

    def summary(known: Mapping[Index, PlaneNotes], asked: int) -> StackResult:
        planes = tuple(
            PlaneResult(i, {label: known[i].verdict(label) for label in work.task.labels})
            for i in stack.indices()
        )
        record = _record(stack, known)
        paths = {} if kept is None else kept.paths
        shown = work.task.intensity_range
        return StackResult(target.path, planes, record, shown, sections, asked, paths)

    complete = kept is None or (begun and kept.are_written)
    if begun and complete and target.is_finished_tiff:
        return summary(target.noted_planes(), 0)
    if kept is not None and not complete:
        if begun:
            kept.go_on()
        else:
            kept.begin(overwrite=overwrite)
    layout = ResultLayout(
        stack.axes, stack.leading_shape, stack.plane_hw, work.dtype, stack.pixel_size,
        ome=target.form == "ome-zarr",
    )  # fmt: skip
    result = ResultArray(target.folder, layout) if begun else target.begin(layout, manifest)
    run = _Run(stack, work, result, None if complete else kept)
    try:
        run.carry_out(client, cancel, progress, on_block)
    except Cancelled as error:
        raise Cancelled(f"{error} {run.words()}") from error
    found = summary(run.journal.planes, run.asked)
    target.finish(result, found.planes, run.journal.settle())
    if kept is not None and not complete:
        steps = len(kept.paths) * stack.plane_count
        kept.write(result, ProgressMeter(steps, progress, cancel=cancel))
    if recipe and (run.asked or not complete or not target.recipe.is_file()):
        Recipe.from_run(
            references, [found.record], made_by, intensity_range=sample.intensity_range,
            range_given=range_given and intensity_range is not None,
            settings={"threshold": threshold}, sections=sections,
        ).save(target.recipe, overwrite=True)  # fmt: skip
    if kept is not None:
        kept.remove_planes()
    target.remove_folder()
    return found


class _Run:
    """What is still missing of a result, and how it is made.

    Attributes
    ----------
    journal : what is known about each plane
    asked : planes that were not complete when this part of the run began
    """

    def __init__(
        self, stack: Stack, work: StackWork, result: ResultArray, objects: StackObjects | None
    ) -> None:
        self._stack = stack
        self._work = work
        self._result = result
        self._objects = objects
        result.clean()
        self.journal = RunJournal(result.folder)
        self._first_blocks = {}
        for index in read_order(stack):
            blocks = range(result.layout.blocks)
            missing = [b for b in blocks if not self._is_stored(index, b)]
            if missing:
                self._first_blocks[index] = missing[0]
        self.asked = len(self._first_blocks)

    def carry_out(
        self,
        client: Client | None,
        cancel: CancelToken | None,
        progress: ProgressCallback | None,
        on_block: Callable[[Block], None] | None = None,
    ) -> None:
        """Make all that is missing."""
        grid, layout = self._work.grid, self._result.layout
        total = self._stack.plane_count
        wanted = dict.fromkeys(self._first_blocks, 0)
        # Planes that were encoded together end in bursts.
        left, side_by_side = len(wanted), self._work.task.batch_size
        if grid is not None:
            wanted = {
                index: grid.tile_rows_of(layout.rows(block))[0]
                for index, block in self._first_blocks.items()
            }
            side_by_side = len(grid.col_starts)
            left = sum(len(grid.row_starts) - first for first in wanted.values()) * side_by_side
            total *= len(grid)
        if client is not None:
            side_by_side *= max(1, len(client.scheduler_info()["workers"]))
        meter = ProgressMeter(
            total, progress, done=total - left, side_by_side=side_by_side, cancel=cancel
        )
        assembly = Assembly(self._work, layout, self._first_blocks)
        answers = (
            self._answers_here(wanted, meter, cancel)
            if client is None
            else self._answers_of(client, wanted, cancel)
        )
        behind = _BEHIND if self._objects is None else _BEHIND_OF_OBJECTS
        with Behind(self._store, behind) as writer, closing(answers):
            for piece, answer in answers:
                for block in assembly.take(piece, answer):
                    writer.give(block)
                    if on_block is not None:
                        on_block(block)
                if grid is None or client is not None:
                    for _ in range(1 if grid is None else len(grid.col_starts)):
                        meter.finished(self._name(piece.index))

    def words(self) -> str:
        """Say how much is stored."""
        blocks = range(self._result.layout.blocks)
        stored = sum(
            all(self._is_stored(index, block) for block in blocks)
            for index in read_order(self._stack)
        )
        return f"{stored} of {self._stack.plane_count} planes are in {self._result.folder}."

    def _answers_here(
        self, wanted: Mapping[Index, int], meter: ProgressMeter, cancel: CancelToken | None
    ) -> Generator[tuple[Piece, PlaneAnswer | TileRow], None, None]:
        """Ask in this process, while another thread reads what comes next."""
        pieces = ahead(_until(cancel, read_pieces(self._stack, wanted, self._work.grid)), _AHEAD)
        if self._work.grid is None and self._work.task.batch_size > 1:
            pieces = ahead(self._encoded(pieces), 1)
        with closing(pieces):
            for piece in pieces:

                def on_tile(column: int, found: object, index: Index = piece.index) -> None:
                    meter.finished(self._name(index))

                yield piece, self._work.answer(piece, on_tile)

    def _answers_of(
        self, client: Client, wanted: Mapping[Index, int], cancel: CancelToken | None
    ) -> Generator[tuple[Piece, PlaneAnswer | TileRow], None, None]:
        """Let workers ask; they read the planes themselves where they can."""
        from vrpsam_app.stack_runs.cluster import map_on, travels

        pieces = read_pieces(self._stack, wanted, self._work.grid)
        first = next(iter(wanted), None)
        if first is not None and self._work.grid is None and travels(self._stack.data[first]):
            pieces = (
                Piece(index, None, self._stack.data[index], sum_wanted=True) for index in wanted
            )
        yield from map_on(
            client, StackWork.answer, self._work, _until(cancel, pieces), describe=self._describe
        )

    def _encoded(self, pieces: Generator[Piece, None, None]) -> Iterator[Piece]:
        """Encode planes in fixed groups; the place of one that is stored is taken by another."""
        size, order = self._work.task.batch_size, read_order(self._stack)
        places = {index: place for place, index in enumerate(order)}
        with closing(pieces):
            for group, members in groupby(pieces, lambda p: places[p.index] // size):
                held = {places[p.index]: p for p in members}
                shown = {k: p.pixels for k, p in held.items() if has_finite(p.pixels)}
                if shown:
                    filler = next(iter(shown.values()))
                    span = range(group * size, min(len(order), (group + 1) * size))
                    encode(
                        self._work.segmenter, [shown.get(k, filler) for k in span], self._work.task
                    )
                yield from held.values()

    def _store(self, block: Block) -> None:
        """Write the note, and then the block that it tells of; the plane's objects before both."""
        note = block.note
        if self._objects is not None and block.objects is not None:
            self._objects.keep(note.index, block.objects, block.scores)
        try:
            self.journal.add(note)
        except OSError as error:
            raise cannot_write(self._result.folder, error) from error
        self._result.write(note.index, note.blocks[0], block.values)

    def _is_stored(self, index: Index, block: int) -> bool:
        return self.journal.knows(index, block) and self._result.stored(index, block)

    def _name(self, index: Index) -> str:
        pairs = zip(self._stack.axes, index, strict=True)
        return ", ".join(f"{axis} {number}" for axis, number in pairs)

    def _describe(self, piece: Piece) -> str:
        return f"{self._stack.name} {self._name(piece.index)}".strip()


def _until(cancel: CancelToken | None, pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Yield pieces until a person asks to stop."""
    for piece in pieces:
        if cancel is not None:
            cancel.raise_if_cancelled()
        yield piece


def _record(stack: Stack, known: Mapping[Index, PlaneNotes]) -> TargetRecord:
    sums = [known[i].pixels_sum or "" for i in stack.indices()]
    if stack.axes:
        return TargetRecord.from_planes(stack.name, stack.axes, stack.data.shape, sums)
    return TargetRecord(stack.name, sums[0], tuple(stack.data.shape))
