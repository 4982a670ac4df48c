"""What holds of every dock of the plugin: they are tabs of one another and end in good order."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget


class Docked(QWidget):
    """A widget that napari docks beside the image."""

    def __init__(self) -> None:
        super().__init__()
        self._joining = QTimer(self)  # the dock comes into the window after its widget
        self._joining.setSingleShot(True)
        self._joining.timeout.connect(self._join_others)

    def end(self) -> None:
        """Stop all work, wait for it, and listen to nothing any more."""
        raise NotImplementedError

    def closeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Leave no worker and no connection behind when the dock is closed."""
        self.end()
        super().closeEvent(event)

    def changeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """End when the dock is taken away: napari then lets go of the widget and closes nothing."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is None:
                self.end()
            else:
                self._joining.start(0)

    def _join_others(self) -> None:
        """Become a tab of another panel of the plugin on this side: below it both have no room."""
        window, dock = self.window(), _dock_of(self)
        if dock is None or not isinstance(window, QMainWindow):
            return
        side = window.dockWidgetArea(dock)
        for panel in window.findChildren(Docked):
            # One that came at the same time and waits comes to this one.
            other = None if panel is self or panel._joining.isActive() else _dock_of(panel)
            if other is not None and window.dockWidgetArea(other) == side:
                window.tabifyDockWidget(other, dock)
                dock.raise_()
                return


def _dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that a widget is in; None for one that floats or is in none."""
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return None if parent is None or parent.isFloating() else parent
