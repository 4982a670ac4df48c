"""What the plugin's panels share: a scrolling column, one line of news, and an orderly end."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QFrame,
    QGraphicsOpacityEffect,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_plugin.docked import Docked
from napari_plugin.layer_box import LayerBox
from napari_plugin.session import Session, unwrapped
from napari_plugin.workers import Workers
from vrpsam_app.errors import VRPSAMError

MARGIN = 8


class Panel(Docked):
    """A column of widgets beside one viewer.

    Parameters
    ----------
    viewer : napari.Viewer, or the proxy of it that napari gives to plugins

    Attributes
    ----------
    column : layout that widgets are added to
    session : of the viewer
    workers : stopped when the panel is closed
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.session = Session.of(viewer)
        self.workers = Workers(self)
        self._links: list[tuple[Any, Callable[..., Any]]] = []
        self._boxes: list[LayerBox] = []
        inside = QWidget()
        self.column = QVBoxLayout(inside)
        self.column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        self._news = QLabel()
        self._news.setWordWrap(True)
        self._news.setContentsMargins(MARGIN, 0, MARGIN, MARGIN)
        self._news.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._news.hide()
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scroll)
        whole.addWidget(self._news)
        self.setMinimumWidth(260)

    def end(self) -> None:
        """Stop all work, wait for it, and listen to nothing any more."""
        self.workers.close()
        for signal, slot in self._links:
            signal.disconnect(slot)
        self._links.clear()
        for box in self._boxes:
            box.close_events()
        self._boxes.clear()

    @property
    def news(self) -> str:
        """What the panel said last; empty if nothing."""
        return self._news.text()

    def say(self, text: str, *, trouble: bool = False) -> None:
        """Show a sentence below the panel; an empty one takes the last away."""
        self._news.setText(text)
        self._news.setStyleSheet("color: #e8705a;" if trouble else "")
        self._news.setVisible(bool(text))

    @contextmanager
    def saying_errors(self) -> Iterator[None]:
        """Show an error of the product as a sentence, and go on."""
        self.say("")
        try:
            yield
        except VRPSAMError as error:
            self.say_error(error)

    def say_error(self, error: Exception) -> None:
        """Show what went wrong in a worker."""
        known = isinstance(error, VRPSAMError)
        self.say(str(error) if known else f"{type(error).__name__}: {error}", trouble=True)

    def listen(self, signal: Any, slot: Callable[..., Any]) -> None:
        """Connect a signal of psygnal or napari to a method until the panel is gone."""
        method = weakref.WeakMethod(slot)

        def call(*arguments: Any) -> None:
            found = method()
            # Signals live longer than what Qt has already taken away with its window.
            if found is not None and isalive(self_reference()):
                found(*arguments)

        self_reference = weakref.ref(self)
        signal.connect(call)
        self._links.append((signal, call))

    def layer_box(
        self, wanted: Callable[[Any], bool], tip: str, *, nothing: str | None = None
    ) -> LayerBox:
        """Return a list of the viewer's layers that follows it until the panel is gone.

        Parameters
        ----------
        wanted : which layers are shown
        nothing : what no layer is called in the list; None if one must be chosen
        """
        box = LayerBox(
            self.viewer, wanted, optional=nothing is not None, nothing=nothing or "", parent=self
        )
        box.setToolTip(tip)
        self._boxes.append(box)
        return box

    def ask_open(self, title: str, kinds: str = "") -> Path | None:
        """Ask for a file to read, None if a person thinks better of it."""
        name, _ = QFileDialog.getOpenFileName(self, title, "", kinds)
        return Path(name) if name else None

    def ask_save(self, title: str, name: str, kinds: str = "") -> Path | None:
        """Ask where to write; the dialog asks before a file is replaced."""
        name, _ = QFileDialog.getSaveFileName(self, title, name, kinds)
        return Path(name) if name else None

    def ask_folder(self, title: str) -> Path | None:
        """Ask for a folder."""
        name = QFileDialog.getExistingDirectory(self, title)
        return Path(name) if name else None


def button(text: str, tip: str, slot: Callable[[], Any]) -> QPushButton:
    """Return a button with its explanation."""
    made = QPushButton(text)
    made.setToolTip(tip)
    made.clicked.connect(lambda *_: slot())
    return made


def title(text: str) -> QLabel:
    """Return the heading of a part of a panel."""
    label = QLabel(text)
    label.setStyleSheet("font-weight: 600; padding-top: 6px;")
    return label


def quiet(text: str = "") -> QLabel:
    """Return a line of explanation, wrapped, in a weaker colour."""
    label = QLabel(text)
    label.setWordWrap(True)
    weaker = QGraphicsOpacityEffect(label)  # of whatever colour the theme gives to text
    weaker.setOpacity(0.65)
    label.setGraphicsEffect(weaker)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return label


def is_kind(*kinds: str) -> Callable[[Any], bool]:
    """Return a test that lets layers of some kinds through, such as ``"Labels"``."""
    return lambda layer: type(unwrapped(layer)).__name__ in kinds


def toggle(text: str, tip: str, colour: str) -> QPushButton:
    """Return a button that stays down, and is then of a colour."""
    made = QPushButton(text)
    made.setCheckable(True)
    made.setToolTip(tip)
    made.setStyleSheet(f"QPushButton:checked {{background: {colour}; color: white;}}")
    return made
