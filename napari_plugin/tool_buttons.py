"""The tools to mark with, as buttons: the one that is in hand stays down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from napari_plugin.marks_layers import Tool, tool_in_hand
from napari_plugin.session import unwrapped

_TOOLS: Mapping[Tool, tuple[str, str]] = {
    "brush": ("Brush", "Paint over the object. Ctrl+Z takes a stroke back."),
    "points": ("Click", "Click on the object; several clicks are better than one."),
    "box": ("Box", "Draw a box around one object."),
    "outline": ("Outline", "Draw the outline of an object by hand."),
    "stroke": ("Stroke", "Draw a line through the object, as wide as it is shown."),
}


class ToolButtons(QWidget):
    """A row of buttons that follows the viewer's active layer and its mode.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    picked : emitted with the name of a tool whose button is pressed
    buttons : by name of their tool
    """

    picked = Signal(str)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._followed: Any = None  # layer whose mode is listened to
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self.buttons: dict[Tool, QPushButton] = {}
        for tool, (title, tip) in _TOOLS.items():
            button = QPushButton(title)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setMinimumWidth(button.fontMetrics().horizontalAdvance(title) + 12)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _=False, tool=tool: self._press(tool))
            self.buttons[tool] = button
            row.addWidget(button)
        self._selected = viewer.layers.selection.events.active
        self._selected.connect(self._follow)
        self._follow()

    def close_events(self) -> None:
        """Follow the viewer no longer."""
        self._selected.disconnect(self._follow)
        self._listen_to(None)

    def _press(self, tool: Tool) -> None:
        self.picked.emit(tool)
        self._show()  # a button that is pressed again comes up by itself

    def _follow(self, event: Any = None) -> None:
        self._listen_to(unwrapped(self._viewer.layers.selection.active))
        self._show()

    def _listen_to(self, layer: Any) -> None:
        if self._followed is not None:
            self._followed.events.mode.disconnect(self._show)
        self._followed = layer
        if layer is not None:
            layer.events.mode.connect(self._show)

    def _show(self, event: Any = None) -> None:
        in_hand = tool_in_hand(self._viewer)
        for tool, button in self.buttons.items():
            button.setChecked(tool == in_hand)
