"""A film or stack from disk to disk, gone through in order with a memory.

What is found is stored plane by plane, and after each plane what is remembered is stored too: a run
that was killed, cancelled or stopped by a full disk goes on where it was, and ends with the same
files as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import Cancelled
from vrpsam_app.image_files import write_whole
from vrpsam_app.images import IntensityRange
from vrpsam_app.prefetch import ahead
from vrpsam_app.progress import CancelToken, ProgressCallback, ProgressMeter
from vrpsam_app.recipe import Recipe, TargetRecord, pixels_sha256
from vrpsam_app.reference_segmenter import References, as_sequence
from vrpsam_app.references import labels_of
from vrpsam_app.segmenter import Segmenter
from vrpsam_app.stack_runs.assembly import Assembly
from vrpsam_app.stack_runs.journal import PlaneNotes, RunJournal
from vrpsam_app.stack_runs.lazy_result import as_stack, plan_stack
from vrpsam_app.stack_runs.manifest import is_begun, run_manifest
from vrpsam_app.stack_runs.outputs import PlaneResult, StackOutput
from vrpsam_app.stack_runs.result_array import ResultArray, ResultLayout, cannot_write
from vrpsam_app.stack_runs.run import StackResult
from vrpsam_app.stack_runs.work import Piece, PlaneAnswer, StackWork
from vrpsam_app.stacks.intensity_sample import sample_stack
from vrpsam_app.stacks.row_reader import in_memory
from vrpsam_app.stacks.stack import Stack
from vrpsam_app.stacks.stack_files import open_stack
from vrpsam_app.tiles.plan import TileOptions, Tiling
from vrpsam_app.video.film_segmenter import FilmSegmenter
from vrpsam_app.video.film_state import ReadFrame, restore_state, state_to_bytes
from vrpsam_app.video.options import MemoryOptions
from vrpsam_app.video.route import Index, Route, marked_plane

STATE = "memory.npz"
"""What is remembered, beside the journal; gone once the run is complete."""
# Planes that lie read.
_AHEAD = 2


def segment_video(
    segmenter: Segmenter,
    film: str | Path | Stack | Any,
    references: References,
    out: str | Path,
    *,
    memory: MemoryOptions | str = "object",
    tiling: Tiling | TileOptions = "auto",
    intensity_range: IntensityRange | None = None,
    threshold: float = 0.5,
    resume: bool = False,
    overwrite: bool = False,
    recipe: bool = True,
    sections: Mapping[str, Mapping[str, Any]] | None = None,
    cancel: CancelToken | None = None,
    progress: ProgressCallback | None = None,
) -> StackResult:
    """Follow what the references show through a film or stack, and store it as it is found.

    Parameters
    ----------
    segmenter : anything that predicts
    film : a movie, or a stack over t or z, by its path, as a :class:`Stack` or an array
    references : Reference or sequence of Reference
        Each label is one object. Marks on a plane of the film also say where it is there.
    out : a name that ends in .ome.zarr, .zarr or .tif
        Labels: 0 where nothing is, else 1 + the index of the label. What stands beside it is
        said for :func:`vrpsam_app.stack_runs.run.segment_stack`.
    memory : MemoryOptions, or as text such as ``"kind,size=5,axis=z,start=3"``
    tiling, intensity_range, threshold, resume, overwrite, recipe, sections, cancel, progress :
        As for :func:`vrpsam_app.stack_runs.run.segment_stack`.

    Returns
    -------
    result : StackResult

    Raises
    ------
    OutputError
        If the result exists, belongs to a run with other settings or another film, or cannot be
        written. What is stored is kept.
    Cancelled
        If that was asked for. What is stored is kept.
    ConfigError
        If there is no such axis or start.
    ImageError, AnnotationError, EmptyReferenceError
        As for ``segmenter.predict``.

    Examples
    --------
    >>> segment_video(predictor, "clip.mp4", reference, "clip_labels.ome.zarr")  # doctest: +SKIP
    """
    stack = open_stack(film) if isinstance(film, str | Path) else as_stack(film)
    references = as_sequence(references)
    labels_of(references)
    options = memory if isinstance(memory, MemoryOptions) else MemoryOptions.from_text(memory)
    route = Route.along(stack, options.axis)
    start = options.start
    if start is None:
        start = marked_plane(stack, route.axis, references)
    route = Route.along(stack, route.axis, start)
    target = StackOutput.of(out)
    tiles = tiling if isinstance(tiling, TileOptions) else TileOptions(tiling)
    sample = sample_stack(stack, references, intensity_range)
    work, plan = plan_stack(
        segmenter, stack, references, tiling=tiles,
        intensity_range=sample.intensity_range, threshold=threshold,
    )  # fmt: skip
    made_by: dict[str, Any] = getattr(segmenter, "describe", dict)()
    way = {"axis": route.axis, "start": route.start}
    sections = {
        **(sections or {}),
        "stack": {
            "axes": list(stack.axes),
            "planes": stack.plane_count,
            "output": "labels",
            **way,
        },
        "tiling": tiles.to_json(),
        "memory": options.to_json(),
    }
    manifest = {
        **run_manifest(stack, references, work, plan, sample, made_by),
        "memory": {**options.to_json(), **way},
    }
    begun = is_begun(target, manifest, resume=resume, overwrite=overwrite)

    def summary(known: Mapping[Index, PlaneNotes], asked: int) -> StackResult:
        planes = tuple(
            PlaneResult(i, {label: known[i].verdict(label) for label in work.task.labels})
            for i in stack.indices()
        )
        sums = [known[i].pixels_sum or "" for i in stack.indices()]
        record = TargetRecord.from_planes(stack.name, stack.axes, stack.data.shape, sums)
        return StackResult(target.path, planes, record, work.task.intensity_range, sections, asked)

    if begun and target.is_finished_tiff:
        return summary(target.noted_planes(), 0)
    layout = ResultLayout(
        stack.axes, stack.leading_shape, stack.plane_hw, work.dtype, stack.pixel_size,
        ome=target.form == "ome-zarr",
    )  # fmt: skip
    result = ResultArray(target.folder, layout) if begun else target.begin(layout, manifest)
    run = _FilmRun(
        stack, route, work, result,
        lambda: FilmSegmenter(
            work.segmenter, references, stack.plane_hw, options, tiling=tiles,
            pixel_size=stack.pixel_size, intensity_range=work.task.intensity_range,
            threshold=threshold,
        ),
    )  # fmt: skip
    try:
        run.carry_out(cancel, progress)
    except Cancelled as error:
        raise Cancelled(f"{error} {run.words()}") from error
    found = summary(run.journal.planes, run.asked)
    target.finish(result, found.planes, run.journal.settle())
    if recipe and (run.asked or not target.recipe.is_file()):
        Recipe.from_run(
            references, [found.record], made_by, intensity_range=sample.intensity_range,
            range_given=intensity_range is not None,
            settings={"threshold": threshold}, sections=sections,
        ).save(target.recipe, overwrite=True)  # fmt: skip
    run.forget()
    target.remove_folder()
    return found


class _FilmRun:
    """What is still missing of a result, and how it is made.

    Attributes
    ----------
    journal : what is known about each plane
    asked : planes that were asked about in this part of the run
    """

    def __init__(
        self,
        stack: Stack,
        route: Route,
        work: StackWork,
        result: ResultArray,
        make: Callable[[], FilmSegmenter],
    ) -> None:
        self._stack, self._route, self._work, self._result = stack, route, work, result
        self._make = make
        result.clean()
        self.journal = RunJournal(result.folder)
        self._state = result.folder / STATE
        self.asked = 0

    def carry_out(self, cancel: CancelToken | None, progress: ProgressCallback | None) -> None:
        """Go on from the last plane after which everything was stored."""
        film, first = self._where()
        meter = ProgressMeter(len(self._route), progress, done=first, cancel=cancel)
        assembly = Assembly(
            self._work, self._result.layout, dict.fromkeys(self._stack.indices(), 0)
        )
        with closing(ahead(self._read(first, cancel), _AHEAD)) as planes:
            for position, (index, pixels, begins, known) in enumerate(planes, start=first):
                if begins or film is None:
                    film = self._make()
                answer = film.step(pixels)
                if not known:
                    values = answer.labels.astype(self._work.dtype)
                    piece = Piece(index, None, pixels)
                    found = PlaneAnswer(values, answer.verdicts, pixels_sha256(pixels))
                    for block in assembly.take(piece, found):
                        try:
                            self.journal.add(block.note)
                        except OSError as error:
                            raise cannot_write(self._result.folder, error) from error
                        self._result.write(index, block.note.blocks[0], block.values)
                    self.asked += 1
                # After the plane: of a run that is killed in between the plane is made again.
                write_whole(self._state, state_to_bytes(film, position), overwrite=True)
                meter.finished(self._name(index))

    def words(self) -> str:
        """Say how much is stored."""
        return (
            f"{len(self.journal.planes)} of {self._stack.plane_count} planes are in "
            f"{self._result.folder}."
        )

    def forget(self) -> None:
        """Remove what was remembered, once everything is stored."""
        with suppress(OSError):
            self._state.unlink(missing_ok=True)

    def _where(self) -> tuple[FilmSegmenter | None, int]:
        """Return a segmenter that knows what was seen, if any, and the position that comes next."""
        if self._state.is_file():
            film = self._make()
            return film, restore_state(self._state.read_bytes(), film, self._frames_before) + 1
        complete = all(self._is_stored(index) for index in self._stack.indices())
        return None, len(self._route) if complete else 0

    def _is_stored(self, index: Index) -> bool:
        return all(
            self.journal.knows(index, block) and self._result.stored(index, block)
            for block in range(self._result.layout.blocks)
        )

    def _frames_before(self, position: int) -> ReadFrame:
        """Return how to read the frames of the leg that a position belongs to."""
        leg = self._route.legs[self._route.leg_of(position)[0]]
        return lambda step: in_memory(self._stack.data[leg.indices[step]])

    def _read(
        self, position: int, cancel: CancelToken | None
    ) -> Iterator[tuple[Index, NDArray[Any], bool, bool]]:
        """Yield each plane, whether a leg begins with it, and whether another leg stores it."""
        steps = (
            (index, step == 0, step < leg.known)
            for leg in self._route.legs
            for step, index in enumerate(leg.indices)
        )
        for number, (index, begins, known) in enumerate(steps):
            if number < position:
                continue
            if cancel is not None:
                cancel.raise_if_cancelled()
            yield index, np.ascontiguousarray(in_memory(self._stack.data[index])), begins, known

    def _name(self, index: Index) -> str:
        pairs = zip(self._stack.axes, index, strict=True)
        return ", ".join(f"{axis} {number}" for axis, number in pairs)
