"""A list of layers to choose from that follows the viewer's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

_NOTHING = "no other layer"


class LayerBox(QComboBox):
    """Shows the layers of a viewer that a test lets through, by their names.

    Parameters
    ----------
    viewer : napari.Viewer
    wanted : which layers are shown
    optional : whether no layer can be chosen
    nothing : how that is called in the list

    Attributes
    ----------
    chosen : emitted when another layer is chosen, by a person or because layers came or went
    """

    chosen = Signal()

    def __init__(
        self,
        viewer: Any,
        wanted: Callable[[Any], bool],
        *,
        optional: bool = False,
        nothing: str = _NOTHING,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._wanted, self._optional = viewer, wanted, optional
        self._nothing = nothing
        self._layers: list[Any] = []
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        events = viewer.layers.events
        self._events = (events.inserted, events.removed, events.reordered)
        for event in self._events:
            event.connect(self.refresh)
        self.refresh()
        self.currentIndexChanged.connect(lambda _: self.chosen.emit())

    @property
    def layer(self) -> Any:
        """The layer that is chosen, None if there is none."""
        at = self.currentIndex() - self._optional
        return self._layers[at] if 0 <= at < len(self._layers) else None

    def offers(self, layer: Any) -> bool:
        """Tell whether a layer can be chosen."""
        return getattr(layer, "__wrapped__", layer) in self._layers

    def choose(self, layer: Any) -> None:
        """Choose a layer, None for none."""
        real = getattr(layer, "__wrapped__", layer)
        at = next((i for i, held in enumerate(self._layers) if held is real), None)
        self.setCurrentIndex(-1 + self._optional if at is None else at + self._optional)

    def refresh(self, event: Any = None) -> None:
        """Bring the list up to date; what was chosen stays chosen, else the active layer is."""
        before = self.layer
        for layer in self._layers:
            layer.events.name.disconnect(self._rename)
        every = [getattr(layer, "__wrapped__", layer) for layer in self._viewer.layers]
        self._layers = [layer for layer in every if self._wanted(layer)]
        for layer in self._layers:
            layer.events.name.connect(self._rename)
        self.blockSignals(True)
        self.clear()
        if self._optional:
            self.addItem(self._nothing)
        self.addItems([layer.name for layer in self._layers])
        if before in self._layers:
            self.choose(before)
        elif self._optional:
            self.setCurrentIndex(0)
        elif (active := self._viewer.layers.selection.active) in self._layers:
            self.choose(active)
        self.blockSignals(False)
        if self.layer is not before:
            self.chosen.emit()

    def close_events(self) -> None:
        """Follow the viewer no longer."""
        for event in self._events:
            event.disconnect(self.refresh)
        for layer in self._layers:
            layer.events.name.disconnect(self._rename)
        self._layers = []

    def _rename(self, event: Any = None) -> None:
        for i, layer in enumerate(self._layers):
            self.setItemText(i + self._optional, layer.name)
