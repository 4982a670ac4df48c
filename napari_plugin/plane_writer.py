"""The planes of a run as they are written: classes, or objects with numbers and their classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_plugin.layer_planes import Index, LayerPlanes
from napari_plugin.number_classes import NumberClasses
from napari_plugin.questions import Question
from napari_plugin.result_numbers import Numbered, objects_of_classes
from napari_plugin.run_state import PlaneFinding
from vrpsam_app.label_images import count_objects
from vrpsam_app.objects.linking import Linker
from vrpsam_app.references import labels_of
from vrpsam_app.stack_runs.assembly import Block
from vrpsam_app.stack_runs.journal import PlaneNotes
from vrpsam_app.stack_runs.object_planes import ObjectTask
from vrpsam_app.stack_runs.result_array import ResultLayout


@dataclass(frozen=True, eq=False)
class Found:
    """A plane whose numbers are written, or are to be written by who hears of it.

    Attributes
    ----------
    index : of the plane
    finding : what the model said; None where only numbers of objects have changed
    values : shape (rows, cols), for a single plane that is written so that it can be undone
    classes : of these numbers, where there are several
    """

    index: Index
    finding: PlaneFinding | None
    values: NDArray[Any] | None = None
    classes: Mapping[int, str] = field(default_factory=dict)


@dataclass(eq=False)
class RunData:
    """The array that a run fills.

    Attributes
    ----------
    planes : of the image
    data : NumPy or Zarr
    kept : planes that are not written, because a person edited them
    numbers : of the objects in it; what is written and what it is are never apart
    """

    planes: LayerPlanes
    data: Any
    kept: set[Index] = field(default_factory=set)
    numbers: NumberClasses = field(default_factory=NumberClasses)

    def write(self, index: Index, values: NDArray[Any], rows: slice = slice(None)) -> None:
        """Write a plane, or some of its rows, unless it is kept."""
        if index not in self.kept:
            place = list(self.planes.place(index))
            place[self.planes.rows_cols[0]] = rows
            self.data[tuple(place)] = values

    def read(self, index: Index) -> NDArray[Any]:
        """Return a plane as it is now."""
        return np.asarray(self.data[self.planes.place(index)])


class PlaneWriter:
    """Takes blocks in the order in which they come and writes the numbers of their planes.

    Objects get numbers that were never given, until they are followed through the stack.

    Attributes
    ----------
    several : whether there are objects of several classes
    has_written : whether any plane was
    """

    def __init__(self, question: Question, task: ObjectTask | None, into: RunData) -> None:
        self._question, self._task, self._into = question, task, into
        self._notes: dict[Index, PlaneNotes] = {}
        self._classes: dict[Index, NDArray[Any]] = {}
        self._linker: Linker | None = None
        self._ahead: dict[Index, Numbered] = {}
        self.several = len(labels_of(question.references)) > 1 or bool(into.numbers)
        self.has_written = False

    def take(self, block: Block) -> Found | None:
        """Write what a block holds; returns the plane once all of it is there."""
        note, stack = block.note, self._question.planes.stack
        layout = ResultLayout((), (), stack.plane_hw, block.values.dtype)
        notes = self._notes.setdefault(note.index, PlaneNotes())
        notes.take(note)
        rows = layout.rows(note.blocks[0])
        if self._task is None:
            self.write_classes(note.index, block.values, rows)
        elif block.objects is not None:
            labels = labels_of(self._question.references)
            self.write_objects(note.index, Numbered.together(block.objects, labels))
        else:
            held = self._classes.setdefault(
                note.index, np.zeros(stack.plane_hw, block.values.dtype)
            )
            held[rows] = block.values
        if note.pixels_sum is None:
            return None
        if note.index in self._classes:
            self.put(note.index, self._classes.pop(note.index))
        return Found(note.index, finding_of(self._notes.pop(note.index), self._question))

    def put(self, index: Index, classes: NDArray[Any]) -> None:
        """Write a plane of which only the classes are known."""
        if self._task is None:
            self.write_classes(index, classes)
        else:
            self.write_objects(index, _cut(classes, self._task, self._question, index))

    def write_classes(self, index: Index, values: NDArray[Any], rows: slice = slice(None)) -> None:
        """Write classes of a plane, or of some of its rows."""
        self._into.write(index, values, rows)
        self.has_written = True

    def write_objects(self, index: Index, cut: Numbered) -> None:
        """Write the objects of a plane, which count from 1."""
        numbers = self._into.numbers
        if self._linker is None:
            cut = cut.after(numbers.highest)
            if index not in self._into.kept:
                self._ahead = {index: cut}
        else:
            values = self._linker.add(cut.values, cut.classes if self.several else None)
            classes = self._linker.classes
            ids = count_objects(values).ids.tolist() if self.several else ()
            cut = Numbered(values, {n: classes[n] for n in ids})
            self._ahead.pop(index, None)
        self._into.write(index, cut.values)
        numbers.take(cut.classes if self.several else {}, int(cut.values.max(initial=0)))
        self.has_written = True

    def follow(self) -> None:
        """Follow objects from plane to plane from here on: all planes come, in order.

        What was written is of a plane that comes again.
        """
        self._linker = Linker(self._question.settings.links.along(self._axis))
        self._into.numbers.replace({}, 0)

    def leave(self) -> None:
        """Make sure that a plane that did not come again shares no number with those that did."""
        if self._linker is None:
            return
        for index, cut in self._ahead.items():
            cut = cut.after(self._into.numbers.highest)
            self._into.write(index, cut.values)
            self._into.numbers.take(
                cut.classes if self.several else {}, int(cut.values.max(initial=0))
            )

    @property
    def _axis(self) -> str:
        return self._question.planes.stack.axes[0]


class OnePlane(PlaneWriter):
    """Holds one plane and writes nothing.

    Attributes
    ----------
    values : shape (rows, cols), the classes of its pixels
    objects : as they were cut, counting from 1; None where classes are wanted
    """

    def __init__(self, question: Question, task: ObjectTask | None, into: RunData) -> None:
        super().__init__(question, task, into)
        self.values = np.zeros(question.planes.stack.plane_hw, np.int32)
        self.objects: Numbered | None = None

    def write_classes(self, index: Index, values: NDArray[Any], rows: slice = slice(None)) -> None:
        """Keep classes."""
        self.values[rows] = values

    def write_objects(self, index: Index, cut: Numbered) -> None:
        """Keep objects."""
        self.objects = cut


def _cut(classes: NDArray[Any], task: ObjectTask, question: Question, index: Index) -> Numbered:
    grey = task.options.method == "intensity"
    pixels = question.planes.stack.plane(index) if grey else None
    return objects_of_classes(classes, task, labels_of(question.references), pixels)


def finding_of(notes: PlaneNotes, question: Question) -> PlaneFinding:
    """Return what the model said about a plane of which all notes are there."""
    verdicts = {label: notes.verdict(label) for label in labels_of(question.references)}
    return PlaneFinding(verdicts, notes.pixels_sum or "")
