"""The controls of the segment widget, without what they do: one column that fits a narrow dock."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider

from napari_plugin.layer_box import LayerBox
from napari_plugin.marks_layers import marks_meaning
from napari_plugin.panel import quiet
from napari_plugin.result_record import METADATA_KEY
from napari_plugin.tool_buttons import ToolButtons

SHOW_AS = ("Objects", "Classes")


class SegmentForm(QWidget):
    """All controls that are always there.

    Parameters
    ----------
    viewer : napari.Viewer
    advanced : what stands under "Advanced"

    Attributes
    ----------
    image, other_marks : layers that are chosen
    about_image : what a person could take wrongly of the image
    tools : what marks are made with
    on_object, beside_object : what the next marks mean
    all_marked : whether everything of a kind is marked
    live, threshold, show_as : of the answer
    this_slice, all_slices, more, stop, revert, copy : buttons
    progress, status : how far it is, and what was found or is to be done
    doing : what is being done meanwhile
    """

    def __init__(self, viewer: Any, advanced: QWidget) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        self.image = LayerBox(viewer, _is_picture)
        self.image.setToolTip("The image, stack or time lapse to segment.")
        column.addLayout(_row("Image", self.image))
        self.about_image = QLabel()
        self.about_image.setWordWrap(True)
        self.about_image.hide()
        column.addWidget(self.about_image)
        self._add_marking(column, viewer)
        self._add_looking(column)
        self._add_segmenting(column)
        column.addWidget(advanced)
        column.addStretch(1)

    def _add_marking(self, column: QVBoxLayout, viewer: Any) -> None:
        column.addWidget(_heading("1  Mark one or more, on any slice"))
        self.tools = ToolButtons(viewer)
        column.addWidget(self.tools)
        self.on_object = QRadioButton("this")
        self.on_object.setToolTip("What is marked next is what to find.")
        self.beside_object = QRadioButton("not this")
        self.beside_object.setToolTip(
            "What is marked next looks alike and is not meant; or the result is wrong there."
        )
        self.on_object.setChecked(True)
        self._sign = QButtonGroup(self)
        self._sign.addButton(self.on_object)
        self._sign.addButton(self.beside_object)
        self.all_marked = QCheckBox("all are marked")
        self.all_marked.setToolTip(
            "Everything of this kind is marked on the slices that are marked, so that the rest "
            "is known to be something else. Leave it off if only some are marked."
        )
        row = QHBoxLayout()
        row.addWidget(self.on_object)
        row.addWidget(self.beside_object)
        row.addStretch(1)
        row.addWidget(self.all_marked)
        column.addLayout(row)
        self.other_marks = LayerBox(viewer, _may_be_marks, optional=True)
        self.other_marks.setToolTip(
            "Take objects that are there already as the marks: a Labels layer of Cellpose or "
            "StarDist, or points and shapes of your own."
        )
        column.addLayout(_row("Or use", self.other_marks))

    def _add_looking(self, column: QVBoxLayout) -> None:
        self.doing = quiet()
        self.doing.setWordWrap(False)
        self.doing.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.doing.setContentsMargins(0, 6, 0, 0)  # as the heading
        # However narrow the dock is, its words widen nothing.
        self.doing.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout()
        row.addWidget(_heading("2  Look at the answer"))
        row.addWidget(self.doing, 1)
        column.addLayout(row)
        self.live = QCheckBox("live")
        self.live.setToolTip(
            "Answer the visible slice after each stroke and at each step to another slice. Its "
            "outlines are shown; nothing is kept until you segment."
        )
        self.show_as = QComboBox()
        self.show_as.addItems(SHOW_AS)
        self.show_as.setToolTip(
            "Objects: each has a number of its own, the same in all slices. Classes: 1 for the "
            "first class, 2 for the second."
        )
        row = QHBoxLayout()
        row.addWidget(self.live)
        row.addStretch(1)
        row.addWidget(QLabel("as"))
        row.addWidget(self.show_as)
        column.addLayout(row)
        self.threshold = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.threshold.setRange(0.02, 0.98)
        self.threshold.setSingleStep(0.01)  # type: ignore[arg-type]  # a slider of floats
        self.threshold.setDecimals(2)
        self.threshold.setValue(0.5)
        self.threshold.setToolTip(
            "How sure the model must be of a pixel. The picture follows at once: the model is not "
            "asked again."
        )
        column.addLayout(_row("How sure", self.threshold))
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setMinimumHeight(2 * self.status.fontMetrics().lineSpacing())
        self.status.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.status)

    def _add_segmenting(self, column: QVBoxLayout) -> None:
        column.addWidget(_heading("3  Segment"))
        self.this_slice = QPushButton("This slice")
        self.this_slice.setToolTip("Keep the answer to the visible slice. Ctrl+Z takes it back.")
        self.all_slices = QPushButton("All slices")
        self.all_slices.setToolTip(
            "Answer every slice and time point. Slices that you edited stay as they are."
        )
        self.more = QPushButton("More")
        self.more.setToolTip("A range of slices, all times, other layers, a folder of files.")
        self.more.setMenu(QMenu(self.more))
        row = QHBoxLayout()
        row.addWidget(self.this_slice, 1)
        row.addWidget(self.all_slices, 1)
        row.addWidget(self.more)
        column.addLayout(row)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(10)
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Stop after the slice that is under way. What is finished stays.")
        self.progress_row = QWidget()
        running = QHBoxLayout(self.progress_row)
        running.setContentsMargins(0, 0, 0, 0)
        running.addWidget(self.progress, 1)
        running.addWidget(self.stop)
        self.progress_row.setVisible(False)
        column.addWidget(self.progress_row)
        self.revert = QPushButton("Revert last run")
        self.revert.setToolTip("Bring the result back to what it was before the last run.")
        self.copy = QPushButton("Copy as")
        self.copy.setToolTip("What was run, as Python, as a command, or as a recipe file.")
        self.copy.setMenu(QMenu(self.copy))
        last = QHBoxLayout()
        last.addWidget(self.revert, 1)
        last.addWidget(self.copy)
        column.addLayout(last)


def _row(title: str, widget: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    label = QLabel(title)
    label.setMinimumWidth(58)
    row.addWidget(label)
    row.addWidget(widget, 1)
    return row


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    label.setContentsMargins(0, 6, 0, 0)
    return label


def _kind(layer: Any) -> str:
    return type(layer).__name__


def _is_picture(layer: Any) -> bool:
    return _kind(layer) == "Image" and layer.ndim >= 2


def _may_be_marks(layer: Any) -> bool:
    """Tell whether a layer could be marks and was not made to be."""
    if _kind(layer) not in ("Labels", "Points", "Shapes"):
        return False
    held = layer.metadata.get(METADATA_KEY) or {}
    if "recipe" in held or layer.metadata.get("vrpsam live answer"):
        return False
    meaning = marks_meaning(layer)
    return meaning is None or bool(held.get("taken"))
