"""A run over planes, in a worker: asked, cut into objects, numbered through, written to the data.

What is written are arrays; the layer that shows them is redrawn on the GUI thread.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_plugin.layer_planes import Index
from napari_plugin.model_choice import ModelShelf
from napari_plugin.plane_writer import Found, OnePlane, PlaneWriter, RunData, finding_of
from napari_plugin.questions import Doing, Question, Ranges, answer_planes
from napari_plugin.result_numbers import (
    Numbered,
    cutter,
    like_those_beside,
    renumbering,
    with_numbers,
)
from vrpsam_app.environment import code_version
from vrpsam_app.label_images import count_objects
from vrpsam_app.objects.whole_objects import sifted
from vrpsam_app.progress import CancelToken, Progress
from vrpsam_app.references import labels_of
from vrpsam_app.stack_runs.assembly import Block
from vrpsam_app.stack_runs.journal import PlaneNotes, RunJournal
from vrpsam_app.stack_runs.object_planes import ObjectTask
from vrpsam_app.stack_runs.result_array import ResultArray, ResultLayout
from vrpsam_app.stacks.intensity_sample import sample_stack


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
    writer = PlaneWriter(question, task, into)
    out = None
    if folder is not None:
        yield Doing("looking for an earlier run")
        out = answers_path(folder, question)
        folder.mkdir(parents=True, exist_ok=True)
        for index, values, notes in _stored(out, question):
            writer.put(index, values)
            yield Found(index, finding_of(notes, question))
    every = list(indices) == list(stack.indices())
    straight = every and len(stack.axes) == 1 and not writer.has_written and not into.kept
    if first is not None and first in indices and len(indices) > 1:
        for value in answer_planes(shelf, question, ranges, [first], cancel):
            found = writer.take(value) if isinstance(value, Block) else None
            if found is not None:
                yield found
            elif not isinstance(value, Progress):  # of this one plane
                yield value
    if task is not None and straight:
        writer.follow()
    try:
        for value in answer_planes(shelf, question, ranges, indices, cancel, out):
            if isinstance(value, Block):
                found = writer.take(value)
                if found is not None:
                    yield found
            else:
                yield value
    finally:
        writer.leave()
    # A slice that was painted on meanwhile was not followed through.
    if task is not None and stack.axes and not (straight and not into.kept):
        yield Doing("following objects through the stack")
        yield from _link_all(question, into, cancel)
    if task is not None and task.whole:
        yield from _leave_out(question, task, into, cancel)


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
    into : where the planes beside it are, and of which classes their objects are
    highest : largest number that any object has

    Yields
    ------
    as :func:`run_planes`
    """
    task = cutter(question.settings, question.planes.stack, question.references)
    writer = OnePlane(question, task, into)
    for value in answer_planes(shelf, question, ranges, [index], cancel):
        if isinstance(value, Block):
            found = writer.take(value)
            if found is not None:
                cut = writer.objects
                if cut is None:
                    yield Found(index, found.finding, writer.values)
                    continue
                cut = _beside_others(cut, index, into, question, highest)
                if task is not None:
                    cut = cut.without_specks(task, highest)
                classes = cut.classes if writer.several else {}
                yield Found(index, found.finding, cut.values, classes)
        else:
            yield value


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

    def read() -> Iterator[NDArray[Any]]:
        for index in order:
            cancel.raise_if_cancelled()
            yield into.read(index)

    named = into.numbers.now()
    found = renumbering(
        read,
        question.settings.links,
        axes=stack.axes,
        leading_shape=stack.leading_shape,
        classes=itertools.repeat(named) if named else None,
        fixed=frozenset(i for i, index in enumerate(order) if index in into.kept),
    )
    # Nothing stops it from here on: of numbers that are half old nobody could say what they mean.
    changed: list[Index] = []
    for place, index in enumerate(order):
        old = into.read(index)
        new = found.of(place, old)
        if not np.array_equal(new, old):
            into.write(index, new)
            changed.append(index)
    into.numbers.replace(found.classes, found.highest)
    for index in changed:
        yield Found(index, None)


def _leave_out(
    question: Question, task: ObjectTask, into: RunData, cancel: CancelToken
) -> Generator[Found, None, None]:
    """Leave out whole objects that the filters do not let stay; what a person edited stays."""
    order = list(question.planes.stack.indices())
    named = into.numbers.now()
    chosen = {n for index in into.kept for n in count_objects(into.read(index)).ids.tolist()}

    def read() -> Iterator[NDArray[Any]]:
        for index in order:
            cancel.raise_if_cancelled()
            yield into.read(index)

    kept, gone = sifted(read(), task.filters, named or labels_of(question.references)[0])
    if not gone - chosen:
        return
    stay = sorted({*kept, *chosen})
    # Numbers that a person has chosen are not given to others.
    became = {n: n for n in stay} if chosen else {n: i for i, n in enumerate(stay, start=1)}
    changed: list[Index] = []
    for index in order:
        old = into.read(index)
        new = with_numbers(old, became)
        if not np.array_equal(new, old):
            into.write(index, new)
            changed.append(index)
    classes = {became[n]: name for n, name in named.items() if n in became}
    into.numbers.replace(classes, max(became.values(), default=0))
    for index in changed:
        yield Found(index, None)


def _beside_others(
    cut: Numbered, index: Index, into: RunData, question: Question, highest: int
) -> Numbered:
    """Give the objects of a plane the numbers that they have in the planes beside it."""
    stack, links = question.planes.stack, question.settings.links
    classes = into.numbers.now()
    if not stack.axes or links.rule == "separate":
        return cut.of_classes(classes)
    length, place = stack.leading_shape[-1], index[-1]
    around = [i for i in (place - 1, place + 1) if 0 <= i < length]
    if not around or links.rule == "unique":
        return cut.after(highest)
    return like_those_beside(
        cut,
        [into.read((*index[:-1], i)) for i in around],
        sum(i < place for i in around),
        links,
        axis=stack.axes[-1],
        classes=classes,
        highest=highest,
    )
