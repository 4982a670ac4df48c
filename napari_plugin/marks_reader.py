"""Marks on layers followed into the list of references, stroke by stroke."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, QTimer

from napari_plugin.layer_annotations import marks_on, references_of
from napari_plugin.layer_planes import Index, LayerPlanes
from napari_plugin.marks_layers import marks_layers, marks_meaning
from napari_plugin.result_record import region_of
from napari_plugin.session import Session
from vrpsam_app.errors import VRPSAMError
from vrpsam_app.references import Reference

_PAUSE = 60
"""Milliseconds after an event until marks are read, so that a burst of events is read once."""


class MarksReader:
    """Keeps the references that follow marks up to date.

    Parameters
    ----------
    parent : the widget
    viewer, session : of the widget
    planes : returns the planes that are marked, None where no image is chosen
    failed : told of marks that cannot be used

    Notes
    -----
    Of a Labels layer only the slices that were touched are read again.
    """

    def __init__(
        self,
        parent: QObject,
        viewer: Any,
        session: Session,
        planes: Callable[[], LayerPlanes | None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._viewer, self._session = viewer, session
        self._planes, self._failed = planes, failed
        self._known: dict[str, dict[Index, list[Reference]]] = {}
        self._followed: dict[str, Any] = {}
        self._all: set[str] = set()
        self._marked: LayerPlanes | None = None  # when marks were read last
        self._painted: dict[str, set[Index]] = {}
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self.read)

    @property
    def waits(self) -> bool:
        """Whether marks have changed that were not read yet."""
        return self._timer.isActive()

    def restart(self) -> None:
        """Read all marks again: the image, or what marks mean, has changed."""
        self._known.clear()
        self._all = {str(layer.unique_id) for layer in marks_layers(self._viewer)}
        self._timer.start()

    def read(self) -> None:
        """Read what has changed now, and tell the session."""
        self._timer.stop()
        planes = self._planes()
        layers = {str(layer.unique_id): layer for layer in marks_layers(self._viewer)}
        if planes is not None and planes is not self._marked:
            self._marked = planes
            self._all.update(layers)
        for source in set(self._followed) - set(layers):
            self._leave(source)
        for source, layer in layers.items():
            if source not in self._followed:
                self._follow(source, layer)
            if planes is not None:
                self._read_layer(source, layer, planes)

    def close(self) -> None:
        """Follow nothing any more; references stay."""
        self._timer.stop()
        for source in list(self._followed):
            self._disconnect(source)

    def _read_layer(self, source: str, layer: Any, planes: LayerPlanes) -> None:
        meaning = marks_meaning(layer)
        if meaning is None:
            return
        shown = planes.index_at(self._viewer.dims.point)
        # Points and shapes are few; a Labels layer is as large as the image.
        brushed = type(getattr(layer, "__wrapped__", layer)).__name__ == "Labels"
        known = self._known.get(source)
        everything = not brushed or source in self._all or known is None
        changed = {shown, *self._painted.pop(source, ())}
        self._all.discard(source)
        known = self._known.setdefault(source, {})
        try:
            marks = [
                mark
                for only in ([None] if everything else sorted(changed))
                for mark in marks_on(
                    layer,
                    planes,
                    classes=meaning.classes,
                    meaning=meaning.numbers,
                    point=self._viewer.dims.point,
                    only=only,
                )
            ]
            found = references_of(marks, planes, exhaustive=meaning.all_marked)
        except VRPSAMError as error:
            self._failed(error)
            return
        for index in list(known) if everything else changed:
            known.pop(index, None)
        for index, reference in found:
            known.setdefault(index, []).append(reference)
        listed = [
            (f"{source}/{planes.key}/{index}/{reference.label}", reference, _where(planes, index))
            for index in sorted(known)
            for reference in known[index]
        ]
        size = planes.stack.pixel_size
        self._session.follow_marks(source, listed, pixel_size=size, image=planes.key)

    def _follow(self, source: str, layer: Any) -> None:
        self._followed[source] = layer
        self._all.add(source)
        for event in self._events(layer):
            event.connect(self._touched)

    def _leave(self, source: str) -> None:
        self._disconnect(source)
        self._known.pop(source, None)
        self._session.follow_marks(source, [])

    def _disconnect(self, source: str) -> None:
        for event in self._events(self._followed.pop(source)):
            event.disconnect(self._touched)

    @staticmethod
    def _events(layer: Any) -> list[Any]:
        # A Labels layer tells of undo and redo by drawing itself again.
        return [
            getattr(layer.events, name)
            for name in ("paint", "data", "features", "set_data")
            if hasattr(layer.events, name)
        ]

    def _touched(self, event: Any) -> None:
        planes = self._planes()
        if event.type == "paint" and planes is not None:
            data = event.source.data
            if tuple(data.shape) == planes.shape:
                touched = self._painted.setdefault(str(event.source.unique_id), set())
                for atom in event.value:
                    touched |= planes.indices_in(region_of(atom))
        self._timer.start()


def _where(planes: LayerPlanes, index: Index) -> str:
    words = planes.words(index)
    return f"{planes.name}, {words}" if words else planes.name
