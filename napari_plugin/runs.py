"""A run over planes, in a worker: asked, cut into objects, numbered through, written to the data.

What is written are arrays; the layer that shows them is redrawn on the GUI thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_plugin.layer_planes import Index, LayerPlanes
from napari_plugin.model_choice import ModelShelf
from napari_plugin.questions import Doing, Question, Ranges, answer_planes
from napari_plugin.result_numbers import cutter, linked, objects_of_classes, together
from napari_plugin.result_record import PlaneFinding
from vrpsam_app.environment import code_version
from vrpsam_app.objects.linking import Linker
from vrpsam_app.progress import CancelToken, Progress
from vrpsam_app.references import labels_of
from vrpsam_app.stack_runs.assembly import Block
from vrpsam_app.stack_runs.journal import PlaneNotes, RunJournal
from vrpsam_app.stack_runs.object_planes import ObjectTask
from vrpsam_app.stack_runs.result_array import ResultArray, ResultLayout
from vrpsam_app.stacks.intensity_sample import sample_stack


@dataclass(frozen=True, eq=False)
class Found:
    """A plane whose numbers are written, or are to be written by who hears of it.

    Attributes
    ----------
    index : of the plane
    finding : what the model said; None where only numbers of objects have changed
    values : shape (rows, cols), for a single plane that is written so that it can be undone
    """

    index: Index
    finding: PlaneFinding | None
    values: NDArray[Any] | None = None


@dataclass(eq=False)
class RunData:
    """The array that a run fills.

    Attributes
    ----------
    planes : of the image
    data : NumPy or Zarr
    kept : planes that are not written, because a person edited them
    """

    planes: LayerPlanes
    data: Any
    kept: set[Index] = field(default_factory=set)

    def write(self, index: Index, values: NDArray[Any], rows: slice = slice(None)) -> None:
        """Write a plane, or some of its rows, unless it is kept."""
        if index not in self.kept:
            place = list(self.planes.place(index))
            place[self.planes.rows_cols[0]] = rows
            self.data[tuple(place)] = values

    def read(self, index: Index) -> NDArray[Any]:
        """Return a plane as it is now."""
        return np.asarray(self.data[self.planes.place(index)])


def answers_path(folder: Path, question: Question) -> Path:
    """Return where the answers to a question are stored: the same name for the same question.

    So a run goes on where it was, also after the program was closed.
    """
    stack, settings = question.planes.stack, question.settings
    digest = hashlib.blake2b(digest_size=8)
    for part in (
        code_version(),
        sample_stack(stack, question.references).fingerprint,
        stack.axes,
        stack.plane_count,
        [(r.label, r.content_key) for r in question.references],
        settings.choice,
        settings.threshold,
        settings.tiling.to_json(),
    ):
        digest.update(f"{part} ".encode())
    return folder / f"answers_{digest.hexdigest()}.zarr"


def run_planes(
    shelf: ModelShelf,
    question: Question,
    ranges: Ranges,
    indices: Sequence[Index],
    into: RunData,
    cancel: CancelToken,
    folder: Path | None = None,
    first: Index | None = None,
) -> Generator[Any, None, None]:
    """Answer planes and write them.

    Parameters
    ----------
    indices : which planes are asked about
    into : what is filled
    folder : where the answers to a whole stack are stored as they come; None keeps none
    first : plane that a person looks at; it is answered before all others, and again in its turn

    Yields
    ------
    :class:`Doing`, ``Ready``, :class:`~vrpsam_app.progress.Progress`, and :class:`Found` after
    each plane was written; at the end again for each plane whose numbers linking has changed
    """
    settings, stack = question.settings, question.planes.stack
    task = cutter(settings, stack, question.references)
    out = None
    if folder is not None:
        yield Doing("looking for an earlier run")
        out = answers_path(folder, question)
        folder.mkdir(parents=True, exist_ok=True)
        for index, values, notes in _stored(out, question):
            into.write(index, values if task is None else _cut(values, task, question, index))
            yield Found(index, _finding(notes, question))
    if first is not None and first in indices and len(indices) > 1:
        ahead = _PlaneWriter(question, task, into, in_order=False)
        for value in answer_planes(shelf, question, ranges, [first], cancel):
            found = ahead.take(value) if isinstance(value, Block) else None
            if found is not None:
                yield found
            elif not isinstance(value, Progress):  # of this one plane
                yield value
    writer = _PlaneWriter(question, task, into, in_order=list(indices) == list(stack.indices()))
    for value in answer_planes(shelf, question, ranges, indices, cancel, out):
        if isinstance(value, Block):
            found = writer.take(value)
            if found is not None:
                yield found
        else:
            yield value
    if task is not None and stack.axes and not writer.is_linked:
        yield Doing("following objects through the stack")
        yield from _link_all(question, into, cancel)


def run_single(
    shelf: ModelShelf,
    question: Question,
    ranges: Ranges,
    index: Index,
    into: RunData,
    highest: int,
    cancel: CancelToken,
) -> Generator[Any, None, None]:
    """Answer one plane and hand over its numbers; nothing is written.

    Parameters
    ----------
    into : where the planes beside it are
    highest : largest number that any object has

    Yields
    ------
    as :func:`run_planes`
    """
    stack = question.planes.stack
    task = cutter(question.settings, stack, question.references)
    plane = _OnePlane(question.planes)
    writer = _PlaneWriter(question, task, plane, in_order=False)
    for value in answer_planes(shelf, question, ranges, [index], cancel):
        if isinstance(value, Block):
            found = writer.take(value)
            if found is not None:
                numbers = plane.read(index)
                if task is not None and stack.axes:
                    numbers = _like_neighbours(numbers, index, into, question, highest)
                yield Found(index, found.finding, numbers)
        else:
            yield value


class _OnePlane(RunData):
    """A plane that is held on its own."""

    def __init__(self, planes: LayerPlanes) -> None:
        super().__init__(planes, np.zeros(planes.stack.plane_hw, np.int32))

    def write(self, index: Index, values: NDArray[Any], rows: slice = slice(None)) -> None:
        self.data[rows] = values

    def read(self, index: Index) -> NDArray[Any]:
        return np.asarray(self.data)


class _PlaneWriter:
    """Takes blocks in the order in which they come and writes the numbers of their planes.

    Parameters
    ----------
    in_order : whether every plane of the stack comes, in order, so that objects can be followed at
        once where there is one axis
    """

    def __init__(
        self, question: Question, task: ObjectTask | None, into: RunData, *, in_order: bool
    ) -> None:
        self._question, self._task, self._into = question, task, into
        self._notes: dict[Index, PlaneNotes] = {}
        self._classes: dict[Index, NDArray[Any]] = {}
        axes = question.planes.stack.axes
        links = question.settings.links
        straight = task is not None and in_order and len(axes) == 1 and not into.kept
        self._linker = Linker(links.along(axes[0])) if straight else None
        self.is_linked = straight

    def take(self, block: Block) -> Found | None:
        """Write what a block holds; returns the plane once all of it is there."""
        note, stack = block.note, self._question.planes.stack
        layout = ResultLayout((), (), stack.plane_hw, block.values.dtype)
        notes = self._notes.setdefault(note.index, PlaneNotes())
        notes.take(note)
        rows = layout.rows(note.blocks[0])
        if self._task is None:
            self._into.write(note.index, block.values, rows)
        elif block.objects is not None:
            self._write_objects(note.index, together(block.objects))
        else:
            held = self._classes.setdefault(
                note.index, np.zeros(stack.plane_hw, block.values.dtype)
            )
            held[rows] = block.values
        if note.pixels_sum is None:
            return None
        if self._task is not None and note.index in self._classes:
            classes = self._classes.pop(note.index)
            self._write_objects(note.index, _cut(classes, self._task, self._question, note.index))
        return Found(note.index, _finding(self._notes.pop(note.index), self._question))

    def _write_objects(self, index: Index, numbers: NDArray[np.int32]) -> None:
        if self._linker is not None:
            numbers = self._linker.add(numbers)
        self._into.write(index, numbers)


def _cut(
    classes: NDArray[Any], task: ObjectTask, question: Question, index: Index
) -> NDArray[np.int32]:
    grey = task.options.method == "intensity"
    pixels = question.planes.stack.plane(index) if grey else None
    return objects_of_classes(classes, task, labels_of(question.references), pixels)


def _finding(notes: PlaneNotes, question: Question) -> PlaneFinding:
    verdicts = {label: notes.verdict(label) for label in labels_of(question.references)}
    return PlaneFinding(verdicts, notes.pixels_sum or "")


def _stored(out: Path, question: Question) -> Iterator[tuple[Index, NDArray[Any], PlaneNotes]]:
    """Yield the planes that an earlier part of a run has stored."""
    if not out.is_dir():
        return
    stack = question.planes.stack
    several = len(labels_of(question.references)) > 255
    dtype = np.dtype(np.uint16 if several else np.uint8)
    result = ResultArray(out, ResultLayout(stack.axes, stack.leading_shape, stack.plane_hw, dtype))
    notes: Mapping[Index, PlaneNotes] = RunJournal(out).planes
    for index in stack.indices():
        blocks = range(result.layout.blocks)
        if index in notes and all(
            b in notes[index].blocks and result.stored(index, b) for b in blocks
        ):
            yield index, result.read(index), notes[index]


def _link_all(
    question: Question, into: RunData, cancel: CancelToken
) -> Generator[Found, None, None]:
    """Follow objects through the whole result; edited planes keep their numbers."""
    stack = question.planes.stack
    order = list(stack.indices())
    planes = linked(
        lambda: map(into.read, order),
        question.settings.links,
        axes=stack.axes,
        leading_shape=stack.leading_shape,
        fixed=frozenset(i for i, index in enumerate(order) if index in into.kept),
    )
    for index, numbers in zip(order, planes, strict=True):
        cancel.raise_if_cancelled()
        if not np.array_equal(numbers, into.read(index)):
            into.write(index, numbers)
            yield Found(index, None)


def _like_neighbours(
    numbers: NDArray[np.int32], index: Index, into: RunData, question: Question, highest: int
) -> NDArray[np.int32]:
    """Give the objects of a plane the numbers that they have in the planes beside it."""
    stack, links = question.planes.stack, question.settings.links
    if links.rule == "separate":
        return numbers
    length = stack.leading_shape[-1]
    around = [i for i in (index[-1] - 1, index[-1], index[-1] + 1) if 0 <= i < length]
    held = [numbers if i == index[-1] else into.read((*index[:-1], i)) for i in around]
    here = around.index(index[-1])
    others = frozenset(range(len(held))) - {here}
    if not others or links.rule == "unique":
        return np.where(numbers > 0, numbers + highest, 0).astype(np.int32)
    planes = linked(
        lambda: iter(held), links, axes=stack.axes[-1:], leading_shape=(len(held),), fixed=others
    )
    new = list(planes)[here]
    known = np.unique(np.concatenate([np.unique(held[i]) for i in others]))
    table = np.arange(int(new.max(initial=0)) + 1, dtype=np.int32)
    fresh = np.setdiff1d(np.unique(new), [0, *known])
    table[fresh] = highest + 1 + np.arange(len(fresh))
    return np.asarray(table[new])
