"""Clicks on a result that the model answers: a layer of points, and what they change."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_plugin.layer_annotations import CLASS, POSITIVE, marks_on
from napari_plugin.layer_planes import Index
from napari_plugin.model_choice import ModelShelf
from napari_plugin.number_classes import NumberClasses
from napari_plugin.plane_writer import Found
from napari_plugin.questions import Doing, Question, Ranges, loaded
from napari_plugin.result_numbers import classes_of, cutter, like_before, objects_in
from napari_plugin.result_record import ResultRecord
from napari_plugin.run_state import PlaneFinding
from vrpsam_app.corrections import Corrections
from vrpsam_app.progress import CancelToken
from vrpsam_app.recipe import pixels_sha256
from vrpsam_app.tiles.rows import Verdict

NAME = "Corrections"
COLOURS = {True: "#4caf78", False: "#e8705a"}
_SIZE_SHARE = 0.018  # of the longer side of a plane


class CorrectionsLayer:
    """The points of one viewer by which results are corrected.

    Parameters
    ----------
    viewer : napari.Viewer
    on_click : called after a point was added, moved or removed
    """

    def __init__(self, viewer: Any, on_click: Callable[[], None]) -> None:
        self._viewer = viewer
        self._on_click = on_click
        self._layer: Any = None

    @property
    def layer(self) -> Any:
        """The layer of points, None while there is none."""
        there = self._layer is not None and self._layer in self._viewer.layers
        return self._layer if there else None

    def open(self, record: ResultRecord, *, positive: bool, label: str) -> None:
        """Show the layer over a result, ready for a click; made if need be."""
        layer = self.layer
        if layer is None:
            hw = record.planes.stack.plane_hw
            arguments = record.planes.like_layer()
            layer = self._viewer.add_points(
                np.empty((0, len(record.planes.shape))),
                name=NAME,
                size=max(3.0, _SIZE_SHARE * max(hw)),
                features={POSITIVE: np.empty(0, bool), CLASS: np.empty(0, str)},
                feature_defaults={POSITIVE: positive, CLASS: label},
                face_color=COLOURS[positive],
                border_color="white",
                border_width=0.12,
                **arguments,
            )
            self._layer = layer = getattr(layer, "__wrapped__", layer)
            layer.events.data.connect(self._changed)
        self.mean(positive=positive, label=label)
        layer.visible = True
        self._viewer.layers.selection.active = layer
        layer.mode = "add"

    def mean(self, *, positive: bool, label: str) -> None:
        """Say what the next click means."""
        layer = self.layer
        if layer is not None:
            layer.selected_data = set()  # else the points that are selected would change as well
            layer.feature_defaults = {POSITIVE: positive, CLASS: label}
            layer.current_face_color = COLOURS[positive]

    def close(self) -> None:
        """Take the layer away."""
        layer, self._layer = self.layer, None
        if layer is not None:
            layer.events.data.disconnect(self._changed)
            self._viewer.layers.remove(layer)

    def on(self, record: ResultRecord, index: Index) -> Mapping[str, Corrections]:
        """Return the clicks on a plane, by class."""
        layer = self.layer
        if layer is None or not len(layer.data):
            return {}
        point = tuple(self._viewer.dims.point)
        found = marks_on(layer, record.planes, point=point, only=index)
        return {marks.label: Corrections(marks.annotations) for marks in found}

    def _changed(self, event: Any) -> None:
        action = str(getattr(event, "action", "")).rpartition(".")[2].lower()
        if action in ("added", "changed", "removed"):
            self._on_click()


def corrected_plane(
    shelf: ModelShelf,
    question: Question,
    ranges: Ranges,
    index: Index,
    corrections: Mapping[str, Corrections],
    old: NDArray[Any],
    numbers: NumberClasses,
    cancel: CancelToken,
) -> Generator[Any, None, Found]:
    """Ask about a plane again with clicks on it.

    Parameters
    ----------
    corrections : by class
    old : numbers of the plane as they are, so that objects keep theirs
    numbers : of the result, and their classes where there are several

    Returns
    -------
    found : the numbers, to be written on the GUI thread
    """
    from vrpsam_app.corrected import predict_corrected

    question.check()
    segmenter, ready = yield from loaded(shelf, question, ranges, cancel)
    yield Doing("asking again")
    stack, settings = question.planes.stack, question.settings
    plane = stack.plane(index)
    answer = predict_corrected(
        segmenter,
        plane,
        question.references,
        corrections,
        tiling=settings.tiling,
        pixel_size=stack.pixel_size,
        intensity_range=ready.intensity_range,
        threshold=settings.threshold,
        cancel=cancel,
    )
    verdicts = {label: Verdict.of(p) for label, p in answer.predictions.items()}
    finding = PlaneFinding(verdicts, pixels_sha256(plane))
    task = cutter(settings, stack, question.references)
    if task is None:
        return Found(index, finding, classes_of(answer.predictions))
    cut = objects_in(answer.predictions, task, segmenter, plane, ready.intensity_range)
    kept = like_before(cut, old, numbers.now(), numbers.highest)
    kept = kept.without_specks(task, numbers.highest)
    several = len(answer.predictions) > 1 or bool(numbers)
    return Found(index, finding, kept.values, kept.classes if several else {})
