"""Runs as a window sees them: a result layer that fills, progress, stop, and what is protected."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from psygnal import Signal

from napari_plugin.layer_planes import Index
from napari_plugin.number_classes import NumberClasses
from napari_plugin.plane_writer import Found, RunData
from napari_plugin.questions import Doing, Question, Ranges, Ready
from napari_plugin.result_layers import (
    add_result_layer,
    dtype_of,
    empty_data,
    free_folder,
    is_large,
    result_of,
    run_folder,
    write_undoable,
)
from napari_plugin.result_record import ResultRecord
from napari_plugin.run_state import RunState
from napari_plugin.runs import run_planes, run_single
from napari_plugin.session import Session
from napari_plugin.workers import Work, Workers
from vrpsam_app.references import labels_of

# A layer is redrawn so often at the most, however quickly planes come, in seconds.
_REDRAW = 0.1


class StackFlow:
    """Carries out runs of one viewer, one at a time.

    Parameters
    ----------
    viewer : napari.Viewer
    session : of the viewer
    workers : of the widget
    ranges : intensity ranges that are known

    Attributes
    ----------
    told : emitted with how far a run or a download is, or a few words about what is being done
    device_known : emitted with the device in use
    ended : emitted with the record, and the error that stopped the run or None
        No record where its layer was deleted, so that there is nothing to go on with.
    """

    told = Signal(object)
    device_known = Signal(str)
    ended = Signal(object, object)

    def __init__(self, viewer: Any, session: Session, workers: Workers, ranges: Ranges) -> None:
        self._viewer, self._session = viewer, session
        self._workers, self._ranges = workers, ranges
        self._work: Work | None = None
        self._record: ResultRecord | None = None
        self._error: Exception | None = None
        self._drawn = 0.0

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._work is not None

    def stop(self) -> None:
        """Ask the run to stop after the plane it is at."""
        if self._work is not None:
            self._work.stop()

    def result_for(self, question: Question) -> ResultRecord | None:
        """Return the result that a question's answer would go to, None if it will be a new one."""
        record = result_of(self._viewer, self._session, question.planes)
        if record is None:
            return None
        wanted = dtype_of(question.settings.objects is not None)
        return record if np.dtype(record.state.data.dtype) == wanted else None

    def left_to_do(self, question: Question, indices: Sequence[Index]) -> tuple[Index, ...]:
        """Return the planes that the same question has not answered yet; all for another one."""
        record = self.result_for(question)
        if record is None or not _same_question(record.state, question):
            return tuple(indices)
        missing = set(record.missing)
        left = [i for i in indices if i in missing]
        return tuple(left) if left else tuple(indices)

    def answer_slice(self, question: Question, index: Index) -> None:
        """Answer one plane; Ctrl+Z in the result layer takes it back."""
        record = self.result_for(question)
        if record is None:
            state = self._new_state(question)
        else:
            state = record.state
            record.take_features()
            state.numbers = state.numbers_beside(labels_of(question.references))
        highest = state.highest
        into = RunData(question.planes, state.data, numbers=state.numbers)
        shelf, ranges = self._session.shelf, self._ranges
        self._start(
            record,
            state,
            question,
            lambda cancel: run_single(shelf, question, ranges, index, into, highest, cancel),
        )

    def answer_planes(
        self,
        question: Question,
        indices: Sequence[Index],
        *,
        overwrite: Collection[Index] = (),
    ) -> None:
        """Answer planes; Revert takes all of them back.

        Parameters
        ----------
        overwrite : planes that may be written although a person edited them
        """
        record = self.result_for(question)
        before = None if record is None else record.state
        large = self._is_large(question)
        folder = run_folder(self._session, question.planes) if large else None
        if record is None or before is None:
            state = self._new_state(question)
        else:
            if large and _goes_on(before, question, indices):
                record.forget_undo()
            else:
                record.take_features()
                edited = record.edited.difference(overwrite)
                record.begin(self._next_state(record, question, set(indices) - edited, folder))
            record.release(overwrite)
            state = record.state
        into = RunData(question.planes, state.data, state.edited, state.numbers)
        wanted = [i for i in indices if i not in state.edited]
        shelf, ranges = self._session.shelf, self._ranges
        whole = 2 * len(wanted) > question.planes.stack.plane_count
        answers = folder if whole else None
        first = question.planes.index_at(self._viewer.dims.point)
        self._start(
            record,
            state,
            question,
            lambda cancel: run_planes(
                shelf, question, ranges, wanted, into, cancel, answers, first
            ),
        )

    def _is_large(self, question: Question) -> bool:
        objects = question.settings.objects is not None
        return is_large(question.planes, objects, self._session.preferences.memory_mb)

    def _new_state(self, question: Question) -> RunState:
        objects = question.settings.objects is not None
        path = self._path_for(question) if self._is_large(question) else None
        data = empty_data(question.planes, objects, path)
        return RunState(data, question.references, question.settings, path=path)

    def _next_state(
        self,
        record: ResultRecord,
        question: Question,
        wanted: Set[Index],
        folder: Path | None,
    ) -> RunState:
        """Return a state that holds what the run leaves alone; the old one stays for Revert.

        Parameters
        ----------
        wanted : planes that are written
        """
        old = record.state
        objects = question.settings.objects is not None
        stays = [i for i in question.planes.stack.indices() if i not in wanted]
        path = None if folder is None else self._path_for(question)
        if path is None and isinstance(old.data, np.ndarray):
            data = old.data.copy()
            clear = wanted
        else:
            data, clear = empty_data(question.planes, objects, path), frozenset()
            held = {*old.findings, *old.edited}
            for index in (i for i in stays if i in held):
                data[record.planes.place(index)] = record.plane(index)
        for index in clear:
            data[record.planes.place(index)] = 0
        labels = labels_of(question.references)
        return replace(
            old,
            data=data,
            references=question.references,
            settings=question.settings,
            findings={i: f for i, f in old.findings.items() if i not in wanted},
            edited=set(old.edited),
            undoable=set(old.undoable),
            path=path,
            numbers=old.numbers_beside(labels) if stays else NumberClasses(),
        )

    def _path_for(self, question: Question) -> Path:
        return free_folder(run_folder(self._session, question.planes), "labels")

    def _start(
        self, record: ResultRecord | None, state: RunState, question: Question, generator: Any
    ) -> None:
        """Start a run; the layer of a new result is made while the worker begins."""
        self._error = None
        state.references, state.settings = question.references, question.settings
        self._work = self._workers.start(
            generator,
            on_value=self._take,
            on_error=self._fail,
            on_end=self._end,
        )
        if record is None:
            record = add_result_layer(self._viewer, self._session, question.planes, state)
        self._record = record

    def _take(self, value: Any) -> None:
        record = self._record
        if record is None:
            return
        if isinstance(value, Ready):
            record.state.intensity_range = value.intensity_range
            record.state.made_by = value.made_by
            self.device_known.emit(value.device)
        elif isinstance(value, Found):
            self._show(record, value)
        elif isinstance(value, Doing):
            self.told.emit(value.text)
        else:  # how far the run is, or a download
            self.told.emit(value)

    def _show(self, record: ResultRecord, found: Found) -> None:
        layer = record.layer
        if layer is None or layer not in self._viewer.layers:
            self.stop()  # its layer was deleted: nobody wants the rest
            return
        if found.values is not None:
            write_undoable(record, found.index, found.values)
            record.state.numbers.take(found.classes, int(found.values.max(initial=0)))
            record.state.edited.discard(found.index)
            record.state.undoable.add(found.index)
        if found.finding is not None:
            record.found(found.index, found.finding)
        now = time.monotonic()
        if now - self._drawn > _REDRAW:
            self._drawn = now
            layer.refresh()

    def _fail(self, error: Exception) -> None:
        self._error = error

    def _end(self) -> None:
        record, error, self._work = self._record, self._error, None
        layer = None if record is None else record.layer
        if record is None or layer is None or layer not in self._viewer.layers:
            record = None
        elif _is_untouched(record):
            self._viewer.layers.remove(layer)
            if record.state.path is not None:
                shutil.rmtree(record.state.path, ignore_errors=True)
        else:
            layer.refresh()
            record.tell_layer()
        self.ended.emit(record, error)


def _same_question(state: RunState, question: Question) -> bool:
    """Tell whether planes that were answered would be answered the same again."""
    return state.settings == question.settings and [
        (r.label, r.content_key) for r in state.references
    ] == [(r.label, r.content_key) for r in question.references]


def _is_untouched(record: ResultRecord) -> bool:
    """Tell whether a result is still as empty as it was made."""
    return not (record.findings or record.edited or record.can_revert)


def _goes_on(state: RunState, question: Question, indices: Sequence[Index]) -> bool:
    """Tell whether a run only adds planes to a result: one on disk is then not copied first."""
    return _same_question(state, question) and set(indices).isdisjoint(state.findings)
