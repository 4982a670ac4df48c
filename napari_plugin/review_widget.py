"""The review panel: which slices are doubtful, corrections, and what is learned from them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
)

from napari_plugin.corrections_layer import COLOURS, CorrectionsLayer, corrected_plane
from napari_plugin.layer_planes import Index
from napari_plugin.panel import Panel, button, quiet, title, toggle
from napari_plugin.plane_writer import Found
from napari_plugin.questions import Doing, Question, Ranges
from napari_plugin.result_layers import write_undoable
from napari_plugin.result_record import ResultRecord
from napari_plugin.revert import revert
from napari_plugin.review_strip import ScoreStrip
from napari_plugin.review_words import bar_of, legend_of
from napari_plugin.segment_dialogs import ask_about_edited, ask_to_correct
from napari_plugin.slice_references import references_of_slice
from napari_plugin.stack_flow import StackFlow
from vrpsam_app.errors import EmptyReferenceError
from vrpsam_app.progress import Progress
from vrpsam_app.references import labels_of

if TYPE_CHECKING:
    import napari.viewer


class ReviewWidget(Panel):
    """Goes through a result, slice by slice, the doubtful ones first.

    Parameters
    ----------
    viewer : napari.Viewer, given by napari
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._ranges = Ranges()
        self.flow = StackFlow(viewer, self.session, self.workers, self._ranges)
        self.clicks = CorrectionsLayer(viewer, self._ask_again)
        self._record: ResultRecord | None = None
        self._corrected: set[Index] = set()
        self._waits: Index | None = None
        self._toured: Index | None = None
        self._asking = False
        self._build()
        self._drawing = QTimer(self)
        self._drawing.setSingleShot(True)
        self._drawing.timeout.connect(self.draw)
        self.listen(self.session.results_changed, self._results_changed)
        self.listen(viewer.dims.events.current_step, self._changed)
        self.listen(self.flow.told, self._told)
        self.listen(self.flow.ended, self._ended)
        self._results_changed()
        self.draw()

    def _build(self) -> None:
        self.result = self.layer_box(
            lambda layer: self.session.record_of(layer) is not None, "The result to go through."
        )
        self.result.chosen.connect(self._take_result)
        form = QFormLayout()
        form.addRow("Result", self.result)
        self.column.addLayout(form)
        self.strip = ScoreStrip()
        self.strip.chosen.connect(self._go_to_place)
        self.column.addWidget(self.strip)
        self.legend = quiet()
        self.column.addWidget(self.legend)
        row = QHBoxLayout()
        self.next_button = button(
            "Next doubtful slice",
            "Go to the slice that the model is least sure of and that nobody has settled.",
            self.next_doubtful,
        )
        self.accept_button = button(
            "Accept",
            "This slice is right: no run changes it any more. The next doubtful one comes.",
            self.accept,
        )
        row.addWidget(self.next_button, 2)
        row.addWidget(self.accept_button, 1)
        self.column.addLayout(row)

        self.column.addWidget(title("Correct"))
        self.column.addWidget(
            quiet("Paint on the result with napari's brush, or click and let the model answer.")
        )
        row = QHBoxLayout()
        self.plus = toggle("+  on the object", "Click on what is missing.", COLOURS[True])
        self.minus = toggle(
            "-  not the object", "Click on what is no object of this kind.", COLOURS[False]
        )
        for sign in (self.plus, self.minus):
            sign.clicked.connect(lambda checked, s=sign: self._take_sign(s, checked))
            row.addWidget(sign)
        self.column.addLayout(row)
        self.label = QComboBox()
        self.label.setToolTip("Which class clicks are about, and new numbers that you paint.")
        self.label.currentTextChanged.connect(lambda _: self._mean())
        self.column.addWidget(self.label)
        self.protect_button = button(
            "Release this slice", "Let runs change this slice again.", self.release
        )
        self.column.addWidget(self.protect_button)

        self.column.addWidget(title("Learn from it"))
        self.all_marked = QCheckBox("All of this kind are marked on the slice")
        self.all_marked.setChecked(True)
        self.column.addWidget(self.all_marked)
        self.learn_button = button(
            "Learn from this slice, redo the others",
            "The slice becomes a reference, and the others are answered again. Slices that you "
            "edited or accepted stay.",
            self.learn,
        )
        self.column.addWidget(self.learn_button)
        row = QHBoxLayout()
        self.revert_button = button(
            "Revert last run", "Bring back the result as it was before it.", self.revert
        )
        self.stop_button = button("Stop", "Stop after this slice.", self.flow.stop)
        row.addWidget(self.revert_button)
        row.addWidget(self.stop_button)
        self.column.addLayout(row)
        self.bar = QProgressBar()
        self.bar.hide()
        self.column.addWidget(self.bar)
        self.column.addStretch(1)

    @property
    def record(self) -> ResultRecord | None:
        """The result that is gone through, None where there is none."""
        return self._record

    @property
    def index(self) -> Index | None:
        """The plane of the result that the viewer shows."""
        if self._record is None:
            return None
        return self._record.planes.index_at(tuple(self.viewer.dims.point))

    def draw(self) -> None:
        """Show what is known now; clicks that lie over another result are taken away."""
        record, index = self._record, self.index
        if not self._clicking:
            self.clicks.close()
        running = self.flow.running
        for part in (
            self.next_button, self.accept_button, self.plus, self.minus, self.learn_button,
        ):  # fmt: skip
            part.setEnabled(record is not None and not running)
        self.stop_button.setEnabled(running)
        self.revert_button.setEnabled(record is not None and record.can_revert and not running)
        if record is None or index is None:
            self.strip.show_bars((), -1)
            self.legend.setText("No result yet: segment something first.")
            self.protect_button.setEnabled(False)
            self.label.hide()
            return
        order = list(record.planes.stack.indices())
        self.strip.show_bars([bar_of(record, i) for i in order], order.index(index))
        self.legend.setText(legend_of(record, index))
        self.protect_button.setEnabled(index in record.edited and not running)
        self.next_button.setEnabled(bool(record.by_doubt()) and not running)
        if [self.label.itemText(i) for i in range(self.label.count())] != list(record.classes):
            self.label.clear()
            self.label.addItems(record.classes)
        self.label.setVisible(len(record.classes) > 1)
        record.painted_class = self._label(record)

    def go_to(self, index: Index) -> None:
        """Show a plane."""
        record = self._record
        layer = None if record is None else record.layer
        if record is None or layer is None:
            return
        place = [0 if isinstance(p, slice) else p for p in record.planes.place(index)]
        world = np.asarray(layer.data_to_world(place), float)
        ndim = self.viewer.dims.ndim
        for axis in record.planes.leading:
            at = axis + ndim - layer.ndim
            self.viewer.dims.set_point(at, float(world[-layer.ndim :][axis]))

    def next_doubtful(self) -> None:
        """Show the most doubtful plane that nobody has settled; then the next, and so round."""
        record = self._record
        if record is None or not (order := record.by_doubt()):
            return
        here = self.index
        # From where this button led the way goes on; from anywhere else it begins.
        at = order.index(here) + 1 if here in order and here == self._toured else 0
        if here in order and order[at % len(order)] == here:
            at += 1
        self._toured = order[at % len(order)]
        self.go_to(self._toured)

    def accept(self) -> None:
        """Protect the shown plane as it is, and go on."""
        record, index = self._record, self.index
        if record is not None and index is not None:
            record.mark_edited([index])
            self.next_doubtful()

    def release(self) -> None:
        """Let runs change the shown plane again."""
        record, index = self._record, self.index
        if record is not None and index is not None:
            record.release([index])
            self._corrected.discard(index)

    def learn(self) -> None:
        """Make references of the shown plane, and answer the planes again that nobody settled."""
        record, index = self._record, self.index
        if record is None or index is None:
            return
        with self.saying_errors():
            made = references_of_slice(record, index, exhaustive=self.all_marked.isChecked())
            where = ", ".join(p for p in (record.planes.name, record.planes.words(index)) if p)
            for reference in made:
                self.session.add_reference(
                    reference,
                    where=f"{where}, reviewed",
                    pixel_size=record.planes.stack.pixel_size,
                    image=record.planes.key,
                )
            record.mark_edited([index])
            self.redo()

    def redo(self) -> None:
        """Answer the planes again that nobody edited or accepted, with the references in use."""
        record = self._record
        if record is None:
            return
        question = self._question(record)
        question.check()
        indices = [i for i in record.planes.stack.indices() if i not in record.edited]
        if not indices:
            self.say("Every slice is edited or accepted: there is nothing to redo.")
            return
        self.bar.setRange(0, 0)  # until the first word of how far it is
        self.bar.show()
        self.flow.answer_planes(question, indices)
        self.draw()

    def revert(self) -> None:
        """Bring back the result as it was before the last run."""
        if self._record is not None:
            revert(self._record, partial(ask_about_edited, self))

    @property
    def _clicking(self) -> bool:
        """Whether clicks correct the result: one of the signs is down."""
        return self.plus.isChecked() or self.minus.isChecked()

    def _question(self, record: ResultRecord) -> Question:
        items = tuple(item for item in self.session.references if item.active)
        if not items:
            raise EmptyReferenceError(
                "No reference is in use: tick one in the references panel, or mark an object."
            )
        return Question(record.planes, items, record.state.settings)

    def _take_sign(self, sign: QPushButton, checked: bool) -> None:
        other = self.minus if sign is self.plus else self.plus
        other.setChecked(False)
        if not checked:
            self.clicks.close()
            if self._record is not None and self._record.layer is not None:
                self.viewer.layers.selection.active = self._record.layer
            return
        record, index = self._record, self.index
        if record is None or index is None or not self._may_overwrite(record, index):
            sign.setChecked(False)
            return
        self.clicks.open(record, positive=sign is self.plus, label=self._label(record))

    def _mean(self) -> None:
        record = self._record
        if record is None:
            return
        record.painted_class = self._label(record)
        self.clicks.mean(positive=self.plus.isChecked(), label=record.painted_class)

    def _label(self, record: ResultRecord) -> str:
        return self.label.currentText() or next(iter(record.classes), "object")

    def _may_overwrite(self, record: ResultRecord, index: Index) -> bool:
        """Ask before clicks replace what a person painted."""
        if index in record.edited and index not in self._corrected:
            if not ask_to_correct(self, record.planes, index):
                return False
            self._corrected.add(index)
        return True

    def _ask_again(self) -> None:
        """Ask about the shown plane with the clicks on it; the last of several questions counts."""
        record, index = self._record, self.index
        if record is None or index is None or self.flow.running or not self._clicking:
            return
        if self._asking:
            self._waits = index
            return
        corrections = self.clicks.on(record, index)
        if not corrections or not self._may_overwrite(record, index):
            return
        with self.saying_errors():
            question = self._question(record)
            shelf, ranges = self.session.shelf, self._ranges
            old = record.plane(index).copy()
            record.take_features()
            numbers = record.state.numbers_beside(labels_of(question.references))
            record.state.numbers = numbers
            self._asking = True
            self.workers.start(
                lambda cancel: corrected_plane(
                    shelf, question, ranges, index, corrections, old, numbers, cancel
                ),
                on_value=lambda v: self.say(v.text) if isinstance(v, Doing) else None,
                on_result=lambda found: self._take_corrected(record, found),
                on_error=self.say_error,
                on_end=self._asked,
            )

    def _take_corrected(self, record: ResultRecord, found: Found) -> None:
        if found.values is None or found.finding is None or record.layer is None:
            return
        write_undoable(record, found.index, found.values)
        record.state.numbers.take(found.classes, int(found.values.max(initial=0)))
        self._corrected.add(found.index)
        record.mark_edited([found.index])
        record.found(found.index, found.finding)
        record.tell_layer()
        self.say("")

    def _asked(self) -> None:
        self._asking = False
        waits, self._waits = self._waits, None
        if waits is not None and waits == self.index:
            self._ask_again()

    def _results_changed(self) -> None:
        self.result.refresh()
        records = self.session.results
        newest = records[-1].layer if records else None
        if self._record is None or self._record.layer is None:
            self.result.choose(newest)
        self._take_result()

    def _take_result(self) -> None:
        record = self.session.record_of(self.result.layer)
        if record is not self._record:
            if self._record is not None:
                self._record.changed.disconnect(self._changed)
            self._record = record
            self._corrected.clear()
            self.plus.setChecked(False)
            self.minus.setChecked(False)
            if record is not None:
                self.listen(record.changed, self._changed)
        self._changed()

    def _changed(self, event: Any = None) -> None:
        self._drawing.start(0)

    def _go_to_place(self, place: int) -> None:
        if self._record is not None:
            self.go_to(list(self._record.planes.stack.indices())[place])

    def _told(self, what: Progress | str) -> None:
        if isinstance(what, Progress):
            self.bar.setRange(0, what.total)
            self.bar.setValue(what.done)
            self.bar.setFormat(str(what).replace("%", "%%"))
        else:
            self.say(what)

    def _ended(self, record: Any, error: Exception | None) -> None:
        self.bar.hide()
        if error is None:
            self.say("")
        else:
            self.say_error(error)
        self.draw()
