"""The menus of the segment widget: what else can be segmented, and how a run is copied."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtGui import QAction
from qtpy.QtWidgets import QFileDialog

from napari_plugin.segment_dialogs import RangeDialog

if TYPE_CHECKING:
    from napari_plugin.segment_widget import SegmentWidget


def fill_menus(widget: SegmentWidget) -> None:
    """Fill the menus behind "More" and "Copy as"."""
    more = widget.form.more.menu()
    copy = widget.form.copy.menu()
    if more is None or copy is None:
        return
    for title, tip, call in (
        ("A range of slices ...", "From one slice to another.", lambda: _ask_range(widget)),
        ("This slice at all times", "Where there is a time axis.", widget.segment_times),
        (
            "All slices, edited ones too ...",
            "Asks before slices that you edited are overwritten.",
            lambda: _again(widget),
        ),
        ("All other image layers", "One result for each.", widget.segment_other_layers),
        ("A folder of files ...", "Pictures and stacks.", lambda: _ask_folder(widget)),
    ):
        action = QAction(title, more)
        more.addAction(action)
        action.setToolTip(tip)
        action.triggered.connect(lambda _=False, call=call: call())
    more.setToolTipsVisible(True)
    for title, kind in (("Python ...", "python"), ("A command ...", "command")):
        action = QAction(title, copy)
        copy.addAction(action)
        action.triggered.connect(lambda _=False, kind=kind: widget.copy_text(kind))


def _ask_range(widget: SegmentWidget) -> None:
    planes = widget.planes()
    if planes is None:
        return
    dialog = RangeDialog(widget, planes, widget.shown_index())
    if dialog.exec():
        widget.segment_planes(dialog.indices(), again=True)


def _again(widget: SegmentWidget) -> None:
    planes = widget.planes()
    if planes is not None:
        widget.segment_planes(list(planes.stack.indices()), again=True)


def _ask_folder(widget: SegmentWidget) -> None:
    folder = QFileDialog.getExistingDirectory(widget, "Segment the files of a folder")
    if folder:
        widget.segment_folder(Path(folder), Path(folder) / "vrpsam_results")
