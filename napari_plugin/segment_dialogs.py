"""Questions that the panels ask in windows of their own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal

from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QMessageBox,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_plugin.layer_planes import Index, LayerPlanes

Edited = Literal["leave", "overwrite", "cancel"]


class RangeDialog(QDialog):
    """Asks for the first and last slice along each axis.

    Parameters
    ----------
    planes : of the image
    at : plane that is shown
    """

    def __init__(self, parent: QWidget, planes: LayerPlanes, at: Index) -> None:
        super().__init__(parent)
        self.setWindowTitle("Segment a range")
        column = QVBoxLayout(self)
        grid = QGridLayout()
        column.addLayout(grid)
        self.spans: list[tuple[QSpinBox, QSpinBox]] = []
        stack = planes.stack
        for row, (axis, length) in enumerate(zip(stack.axes, stack.leading_shape, strict=True)):
            first, last = QSpinBox(), QSpinBox()
            for box in (first, last):
                box.setRange(0, length - 1)
            # The axis that runs fastest is gone through; of the others, what is shown.
            whole = row == len(stack.axes) - 1
            first.setValue(0 if whole else at[row])
            last.setValue(length - 1 if whole else at[row])
            for column_number, widget in enumerate((QLabel(axis), first, QLabel("to"), last)):
                grid.addWidget(widget, row, column_number)
            self.spans.append((first, last))
        column.addWidget(accept_buttons(self))

    def indices(self) -> list[Index]:
        """Return the planes that were asked for."""
        ranges = [
            range(min(a.value(), b.value()), max(a.value(), b.value()) + 1) for a, b in self.spans
        ]
        return list(itertools.product(*ranges))


def accept_buttons(dialog: QDialog) -> QDialogButtonBox:
    """Return an OK and a Cancel button that close a dialog."""
    buttons = QDialogButtonBox(
        QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
    )
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    return buttons


def ask_about_edited(parent: QWidget, planes: LayerPlanes, edited: Sequence[Index]) -> Edited:
    """Ask whether slices that a person edited may be overwritten."""
    box: Any = QMessageBox(parent)
    count = (
        "A slice that you edited is"
        if len(edited) == 1
        else f"{len(edited)} slices that you edited are"
    )
    box.setText(f"{count} among them.")
    shown = "; ".join(planes.words(index) for index in edited[:6])
    box.setInformativeText(shown + (" ..." if len(edited) > 6 else ""))
    leave = box.addButton("Leave them", QMessageBox.ButtonRole.AcceptRole)
    overwrite = box.addButton("Overwrite", QMessageBox.ButtonRole.DestructiveRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(leave)
    box.exec()
    pressed = box.clickedButton()
    if pressed is leave:
        return "leave"
    return "overwrite" if pressed is overwrite else "cancel"


def ask_to_correct(parent: QWidget, planes: LayerPlanes, index: Index) -> bool:
    """Ask whether the answer to clicks may take the place of what a person edited."""
    answer = QMessageBox.question(
        parent,
        "This slice was edited",
        f"{planes.words(index) or 'It'} was edited or accepted by hand. The answer to your clicks "
        "takes its place (Ctrl+Z in the result brings it back). Go on?",
    )
    return bool(answer == QMessageBox.StandardButton.Yes)


def ask_to_download(parent: QWidget, missing: Sequence[object]) -> bool:
    """Ask whether weights may be downloaded; each says its name, size and licence."""
    answer = QMessageBox.question(
        parent,
        "Download weights?",
        "Not on this computer, and to be downloaded from the Hub:\n\n"
        + "\n".join(map(str, missing))
        + "\n\nDownload now?",
    )
    return bool(answer == QMessageBox.StandardButton.Yes)
