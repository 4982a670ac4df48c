"""The live answer: the visible slice is asked about again after each stroke, and drawn as outlines.

One question is under way at a time. What was asked meanwhile replaces what waits; an answer to a
question that nobody asks any more is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from napari_plugin.layer_planes import Index, LayerPlanes
from napari_plugin.number_classes import as_features
from napari_plugin.questions import (
    Doing,
    PlaneAnswer,
    Question,
    Ranges,
    Ready,
    answer_plane,
    prepare_plane,
)
from napari_plugin.result_layers import class_colormap
from napari_plugin.result_numbers import Numbered, classes_of, cutter, objects_in
from napari_plugin.run_settings import RunSettings
from napari_plugin.session import Session
from napari_plugin.workers import Work, Workers
from vrpsam_app.errors import VRPSAMError
from vrpsam_app.progress import CancelToken
from vrpsam_app.segmenter import ClassPredictions, Prediction

NAME = "Live answer"
MOST_AT_ONCE = 2**20
"""Pixels of a slice up to which objects are cut at once; above it beside the window."""
PAUSE = 120
"""Milliseconds after the last stroke or step until the model is asked."""


@dataclass(frozen=True, eq=False)
class LiveAnswer:
    """What is shown: an answer, what it was to, and how long it took.

    Attributes
    ----------
    question, index : what was asked
    predictions : by class
    ready : range and device
    seconds : from the moment when the model was there to the answer
    most_seconds : for a slice so far; None while there was only the first, which warms up the model
    """

    question: Question
    index: Index
    predictions: Mapping[str, Prediction]
    ready: Ready
    seconds: float
    most_seconds: float | None


class Preview:
    """Asks about the visible slice and draws what comes back.

    Parameters
    ----------
    parent : the widget
    viewer, session, workers, ranges : of the widget

    Attributes
    ----------
    told : emitted with a few words about what is being done, and empty ones when that is done
    answered : emitted with each :class:`LiveAnswer`
    failed : emitted with the error of a question
    """

    told = Signal(str)
    answered = Signal(object)
    failed = Signal(object)

    def __init__(
        self, parent: QObject, viewer: Any, session: Session, workers: Workers, ranges: Ranges
    ) -> None:
        self._viewer, self._session = viewer, session
        self._workers, self._ranges = workers, ranges
        self._layer: Any = None
        self._placed: LayerPlanes | None = None  # over which the layer lies
        self._shown: LiveAnswer | None = None
        self._next: tuple[Question, Index] | None = None
        self._work: Work | None = None
        self._timed: tuple[object, ...] = ()  # what the seconds are of
        self._seconds: dict[Index, float] = {}
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE)
        self._timer.timeout.connect(self._ask)

    @property
    def layer(self) -> Any:
        """The layer of outlines, None if there is none."""
        return (
            self._layer if self._layer is not None and self._layer in self._viewer.layers else None
        )

    @property
    def shown(self) -> LiveAnswer | None:
        """What is shown now."""
        return self._shown

    @property
    def busy(self) -> bool:
        """Whether a question waits or is under way."""
        return self._timer.isActive() or self._work is not None

    def ask(self, question: Question, index: Index) -> None:
        """Ask about a slice after a short pause; the same question only draws its answer again."""
        self._next = (question, index)
        if self._shown is not None and _same(self._shown, question, index):
            self._next = None
            self._timer.stop()
            self.draw(question.settings)
            return
        if self._shown is not None and self._shown.index != index:
            self.hide()
        self._timer.start()

    def prepare(self, question: Question, index: Index) -> None:
        """Load the model and encode a slice while a person begins to mark it."""
        if self._work is None and not self._timer.isActive():
            shelf, ranges = self._session.shelf, self._ranges
            self._run(lambda c: prepare_plane(shelf, question, ranges, index, c), None)

    def draw(self, settings: RunSettings) -> None:
        """Draw the answer that is there at another threshold, or as other objects; asks nobody."""
        answer = self._shown
        if answer is None:
            return
        predictions = at_threshold(answer.predictions, settings.threshold)
        question = replace(answer.question, settings=settings)
        self._shown = answer = replace(answer, question=question, predictions=predictions)
        rows, cols = question.planes.stack.plane_hw
        if settings.objects is not None and rows * cols > MOST_AT_ONCE:
            self._cut_beside(answer)
            return
        try:
            self._draw_numbers(answer, numbers_of(answer, self._session))
        except VRPSAMError as error:
            self.failed.emit(error)

    def _cut_beside(self, answer: LiveAnswer) -> None:
        """Cut a large slice into objects in a worker; the last one that was asked for is drawn."""

        def cut(cancel: CancelToken) -> Generator[Any, None, Numbered]:
            yield Doing("telling objects apart")
            return numbers_of(answer, self._session)

        def draw(numbers: Numbered) -> None:
            if self._shown is answer:
                self._draw_numbers(answer, numbers)

        self._workers.start(
            cut,
            on_result=draw,
            on_error=self.failed.emit,
            on_end=lambda: self.told.emit(""),
        )

    def _draw_numbers(self, answer: LiveAnswer, numbers: Numbered) -> None:
        planes, settings = answer.question.planes, answer.question.settings
        self._show(planes, answer.index, numbers, settings, len(answer.predictions))
        self.answered.emit(answer)

    def hide(self) -> None:
        """Show nothing until the next answer."""
        self._shown = None
        if self.layer is not None:
            self.layer.visible = False

    def stop(self) -> None:
        """Forget what waits, and drop what is under way."""
        self._timer.stop()
        self._next = None
        if self._work is not None:
            self._work.stop()

    def remove(self) -> None:
        """Stop, and take the layer away."""
        self.stop()
        self._shown = None
        self.remove_hidden()

    def remove_hidden(self) -> None:
        """Take the layer away if it shows no answer."""
        if self._shown is None and self.layer is not None:
            self._viewer.layers.remove(self.layer)
            self._layer = None

    def _ask(self) -> None:
        if self._next is None:
            return
        if self._work is not None:  # it is asked when the one under way has ended
            self._work.stop()
            return
        (question, index), self._next = self._next, None
        shelf, ranges = self._session.shelf, self._ranges
        self._run(
            lambda cancel: answer_plane(shelf, question, ranges, index, cancel), (question, index)
        )

    def _run(self, generator: Any, asked: tuple[Question, Index] | None) -> None:
        started = time.perf_counter()
        ready: list[Ready] = []

        def value(item: Any) -> None:
            nonlocal started
            if isinstance(item, Ready):
                ready.append(item)
                started = time.perf_counter()  # loading comes once, and says nothing of slices
            elif isinstance(item, Doing):
                self.told.emit(item.text)

        def result(item: Any) -> None:
            if asked is None or not isinstance(item, PlaneAnswer) or self._next is not None:
                return
            seconds = time.perf_counter() - started
            most = self._most_seconds(*asked, seconds)
            self._shown = LiveAnswer(*asked, item.predictions, ready[-1], seconds, most)
            self.draw(asked[0].settings)

        def end() -> None:
            self._work = None
            self.told.emit("")
            if self._next is not None:
                self._ask()

        self._work = self._workers.start(
            generator, on_value=value, on_result=result, on_error=self.failed.emit, on_end=end
        )

    def _most_seconds(self, question: Question, index: Index, seconds: float) -> float | None:
        """Return how long slices have taken at the most, without the first one."""
        alike = (question.planes, question.settings.choice, question.settings.tiling)
        if alike != self._timed:
            self._timed, self._seconds = alike, {}
        self._seconds.setdefault(index, seconds)  # later it is encoded already
        return max(list(self._seconds.values())[1:], default=None)

    def _show(
        self,
        planes: LayerPlanes,
        index: Index,
        numbers: Numbered,
        settings: RunSettings,
        classes: int,
    ) -> None:
        shape, arguments = planes.like_plane(index)
        data = numbers.values.reshape(shape)
        layer = self.layer
        if layer is not None and self._placed is not planes:
            self._viewer.layers.remove(layer)
            layer = None
        if layer is None:
            layer, self._placed = self._add(data, arguments), planes
        else:
            layer.data = data
            for name in arguments.keys() & {"translate", "affine"}:  # which say where a plane is
                setattr(layer, name, arguments[name])
        layer.features = as_features(numbers.classes)
        _colour(layer, settings.objects is not None, classes)
        layer.visible = True

    def _add(self, data: NDArray[np.int32], arguments: dict[str, Any]) -> Any:
        """Add the layer of outlines without taking the marks from under a person's hands."""
        layers = self._viewer.layers
        active = layers.selection.active
        layer = self._viewer.add_labels(data, name=NAME, opacity=1.0, **arguments)
        self._layer = layer = getattr(layer, "__wrapped__", layer)
        layer.contour = 2
        layer.editable = False
        if active is not None and active in layers:
            layers.move(len(layers) - 1, layers.index(active))
            layers.selection.active = getattr(active, "__wrapped__", active)
        return layer


def at_threshold(
    predictions: Mapping[str, Prediction], threshold: float
) -> Mapping[str, Prediction]:
    """Cut the predictions of a plane at another threshold; classes compete again."""
    cut = {label: p.at_threshold(threshold) for label, p in predictions.items()}
    return cut if len(cut) == 1 else ClassPredictions.compete(cut).predictions


def numbers_of(answer: LiveAnswer, session: Session) -> Numbered:
    """Return the numbers that a layer shows for an answer: classes, or objects of this slice."""
    question = answer.question
    stack = question.planes.stack
    task = cutter(question.settings, stack, question.references, whole=False)
    if task is None:
        named = dict(enumerate(answer.predictions, start=1))
        return Numbered(classes_of(answer.predictions), named)
    segmenter = session.shelf.loaded(question.settings.choice)
    pixels = stack.plane(answer.index)
    return objects_in(answer.predictions, task, segmenter, pixels, answer.ready.intensity_range)


def _same(answer: LiveAnswer, question: Question, index: Index) -> bool:
    """Tell whether an answer is to a question, but for what is done without the model."""
    before, now = answer.question, question
    return (
        answer.index == index
        and before.planes is now.planes
        and before.settings.choice == now.settings.choice
        and before.settings.tiling == now.settings.tiling
        and [(r.label, r.content_key) for r in before.references]
        == [(r.label, r.content_key) for r in now.references]
    )


def _colour(layer: Any, objects: bool, classes: int) -> None:
    """Show classes in the colours of all surfaces, objects in napari's."""
    from napari.utils.colormaps import label_colormap

    wanted = "objects" if objects else f"classes {classes}"
    if layer.metadata.get("colours") == wanted:
        return
    layer.metadata["colours"] = wanted
    layer.colormap = label_colormap() if objects else class_colormap(classes)
