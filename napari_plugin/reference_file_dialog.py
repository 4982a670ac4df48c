"""A dialog that makes references of files: an image, and what is marked on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_plugin.panel import quiet
from vrpsam_app.errors import AnnotationError
from vrpsam_app.references import Reference

if TYPE_CHECKING:
    from vrpsam_app.stacks.stack import PixelSize


class ReferenceFileDialog(QDialog):
    """Asks for an image, its marks and what they mean.

    Parameters
    ----------
    parent : the panel
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("References from files")
        self.setMinimumWidth(440)
        self.image, self.marks = QLineEdit(), QLineEdit()
        self.slice, self.label = QLineEdit(), QLineEdit()
        self.slice.setPlaceholderText("12, or t=3,z=12; empty for a single plane")
        self.label.setPlaceholderText("as the file says, or object")
        self.all_marked = QCheckBox("All of this kind are marked")
        self.not_this = QCheckBox("Not this: what is marked is not what is looked for")
        form = QFormLayout()
        form.addRow("Image", _with_browse(self.image, "Image"))
        form.addRow("Slice", self.slice)
        form.addRow("Marks", _with_browse(self.marks, "Marks"))
        form.addRow("Class", self.label)
        form.addRow("", self.all_marked)
        form.addRow("", self.not_this)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        whole = QVBoxLayout(self)
        whole.addLayout(form)
        whole.addWidget(
            quiet(
                "Marks are a mask or label image (Cellpose, StarDist), ImageJ's regions, COCO, "
                "GeoJSON, LabelMe or YOLO."
            )
        )
        whole.addWidget(buttons)

    def references(self) -> list[tuple[Reference, str, PixelSize | None]]:
        """Return what the files hold: reference, where it comes from, pixel size.

        Raises
        ------
        VRPSAMError
            If a file cannot be read, or nothing is marked in it.
        """
        from vrpsam_app.exchange.formats import read_objects
        from vrpsam_app.stack_runs.targets import StackReading, read_slice, slice_index
        from vrpsam_app.stacks.stack_files import open_stack

        if not self.image.text().strip() or not self.marks.text().strip():
            raise AnnotationError("Give the files of an image and of its marks.")
        path, text = Path(self.image.text().strip()).expanduser(), self.slice.text().strip()
        reading = StackReading()
        plane = read_slice(path, text or None, reading)
        stack = open_stack(path)
        index = slice_index(text, stack) if text and stack.axes else ()
        position = dict(zip(stack.axes, index, strict=True))
        marks = Path(self.marks.text().strip()).expanduser()
        hw = (plane.shape[0], plane.shape[1])
        found = read_objects(marks, hw=hw, name=path.name, position=position or None)
        placed = [plane.along(position) for plane in found]
        here = [p for p in placed if not p.position or dict(p.position) == position]
        if len(here) != 1:
            raise AnnotationError(
                f"{marks} has marks for {len(found)} pictures or planes, and {len(here)} fit "
                f"{path.name}: say which slice, or give the marks of that one alone."
            )
        objects = here[0]
        names = {int(n): objects.class_of(int(n)) for n in objects.counts.ids}
        where = ", ".join(part for part in (path.name, text) if part)
        made = []
        for name in dict.fromkeys(names.values()):
            mask = np.isin(objects.labels, [n for n, of in names.items() if of == name])
            reference = Reference.from_mask(
                plane,
                mask,
                exhaustive=self.all_marked.isChecked() and not self.not_this.isChecked(),
                label=self.label.text().strip() or name,
            )
            if self.not_this.isChecked():
                reference = reference.as_not_this()
            made.append((reference, where, stack.pixel_size))
        if not made:
            raise AnnotationError(f"{marks} marks nothing in {path.name}.")
        return made


def _with_browse(line: QLineEdit, what: str) -> QWidget:
    """Return a line for a path with a button that asks for it."""
    both = QWidget()
    row = QHBoxLayout(both)
    row.setContentsMargins(0, 0, 0, 0)
    browse = QPushButton("...")
    browse.setFixedWidth(32)

    def ask() -> None:
        name, _ = QFileDialog.getOpenFileName(line, what)
        if name:
            line.setText(name)

    browse.clicked.connect(ask)
    row.addWidget(line)
    row.addWidget(browse)
    return both
