"""One reference in the panel: its thumbnail, its name and class, and what can be done with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
)

from napari_plugin.panel import quiet
from napari_plugin.reference_items import ReferenceItem

if TYPE_CHECKING:
    from napari_plugin.references_widget import ReferencesWidget

SIDE = 84
"""Of the thumbnail, in pixels of the screen."""


class ReferenceCard(QFrame):
    """A reference as a person sees it.

    Parameters
    ----------
    panel : that it is part of
    item : the reference
    """

    def __init__(self, panel: ReferencesWidget, item: ReferenceItem) -> None:
        super().__init__()
        self._panel = panel
        self.item = item
        self.setObjectName("referenceCard")
        self.picture = QLabel()
        self.picture.setFixedSize(SIDE, SIDE)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.name = QLineEdit()
        self.name.setToolTip("Name, under which a library keeps it.")
        self.name.editingFinished.connect(self._rename)
        self.label = QLineEdit()
        self.label.editingFinished.connect(self._relabel)
        self.where = quiet()
        self.used = QCheckBox("In use")
        self.used.setToolTip("Whether the model is asked by it.")
        self.used.clicked.connect(self._use)
        self.not_this = _small("Not this", "Find less of what this one shows.", self._say_not_this)
        self.keep = _small(
            "Keep", "Let it stay as it is, whatever becomes of the marks.", self._keep
        )
        self.remove = _small("✕", "Remove it.", self._remove)
        words = QVBoxLayout()
        words.setSpacing(2)
        lines = QGridLayout()
        lines.setSpacing(2)
        lines.addWidget(QLabel("Name"), 0, 0)
        lines.addWidget(self.name, 0, 1)
        lines.addWidget(self.remove, 0, 2)
        lines.addWidget(QLabel("Class"), 1, 0)
        lines.addWidget(self.label, 1, 1, 1, 2)
        words.addLayout(lines)
        words.addWidget(self.where)
        row = QHBoxLayout()
        row.addWidget(self.used)
        row.addStretch(1)
        row.addWidget(self.keep)
        row.addWidget(self.not_this)
        words.addLayout(row)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(6, 6, 6, 6)
        whole.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        whole.addLayout(words)
        self._drawn: Any = None
        self.show_item(item)

    def show_item(self, item: ReferenceItem) -> None:
        """Show a reference in the place of the one before."""
        self.item = item
        if self._drawn is not item.reference:
            self._drawn = item.reference
            self.picture.setPixmap(_fitted(item.thumbnail, self.devicePixelRatioF()))
        for line, text in ((self.name, item.name), (self.label, item.reference.label)):
            if line.text() != text:
                line.setText(text)
        follows = item.follows is not None
        self.label.setReadOnly(follows)
        self.label.setToolTip(
            "Class, as the segment panel names it. Keep the reference to change it here."
            if follows
            else "Class that it shows."
        )
        self.where.setText(_words(item))
        self.used.setChecked(item.active)
        # What follows marks goes with them, and would come back with the next stroke.
        self.keep.setVisible(follows)
        self.remove.setVisible(not follows)
        self.not_this.setVisible(not follows and not item.is_not_this)
        self.picture.setEnabled(item.active)
        edge = "#e8705a" if item.is_not_this else "#4caf78"
        self.setStyleSheet(
            "#referenceCard {border: 1px solid rgba(128, 128, 128, 90); border-left: 3px solid "
            f"{edge if item.active else 'rgba(128, 128, 128, 90)'}; border-radius: 4px;}}"
        )

    def _rename(self) -> None:
        name = self.name.text().strip()
        if not name or name == self.item.name:
            self.name.setText(self.item.name)
            return
        with self._panel.saying_errors():
            self._panel.session.change_reference(self.item, name=name)
        self.name.setText(self.item.name)

    def _relabel(self) -> None:
        label = self.label.text().strip()
        if not label or label == self.item.reference.label:
            self.label.setText(self.item.reference.label)
            return
        with self._panel.saying_errors():
            reference = replace(self.item.reference, label=label)
            self._panel.session.change_reference(self.item, reference=reference)

    def _use(self, used: bool) -> None:
        self._panel.session.change_reference(self.item, active=used)

    def _say_not_this(self) -> None:
        """Turn the reference round; the last one of its class then counts against another."""
        session = self._panel.session
        with self._panel.saying_errors():
            turned = session.say_not_this(self.item)
            shown = [i.reference.label for i in session.references if not i.is_not_this]
            if turned is not None and shown and turned.reference.label not in shown:
                reference = replace(turned.reference, label=shown[0])
                session.change_reference(turned, reference=reference)

    def _keep(self) -> None:
        self._panel.session.keep_reference(self.item)

    def _remove(self) -> None:
        self._panel.session.remove_reference(self.item)


def _words(item: ReferenceItem) -> str:
    """Say where a reference comes from and what its marks are."""
    reference = item.reference
    kind = "not this" if item.is_not_this else reference.kind
    parts = [item.where, kind, "all marked" if reference.exhaustive else ""]
    if item.follows is not None:
        parts.append("follows the marks")
    # A line may end with a dot in the middle, and never begins with one.
    return "\u00a0· ".join(part for part in parts if part)


def _fitted(thumbnail: NDArray[np.uint8], ratio: float) -> QPixmap:
    """Return a thumbnail as large as its place, sharp on dense screens."""
    rgb = np.ascontiguousarray(thumbnail)
    height, width = rgb.shape[:2]
    image = QImage(rgb.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    side = int(SIDE * ratio)
    pixmap = QPixmap.fromImage(image).scaled(
        QSize(side, side),
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def _small(text: str, tip: str, slot: Any) -> QToolButton:
    made = QToolButton()
    made.setText(text)
    made.setToolTip(tip)
    made.clicked.connect(lambda *_: slot())
    return made
