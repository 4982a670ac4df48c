"""What the segment widget knows before a button is pressed: image, marks, question, live answer."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout

from napari_plugin.advanced_form import AdvancedForm
from napari_plugin.docked import Docked
from napari_plugin.image_choice import image_planes
from napari_plugin.image_words import image_words
from napari_plugin.layer_planes import Index, LayerPlanes
from napari_plugin.marks_layers import Tool, marks_layers, marks_meaning, pick_tool, say_next
from napari_plugin.marks_reader import MarksReader
from napari_plugin.preview import LiveAnswer, Preview
from napari_plugin.questions import Question, Ranges
from napari_plugin.result_record import ResultRecord
from napari_plugin.run_settings import RunSettings
from napari_plugin.segment_choices import say_all_marked, take_marks_from
from napari_plugin.segment_form import SegmentForm
from napari_plugin.segment_words import error_words, live_words, progress_words
from napari_plugin.session import Session
from napari_plugin.stack_flow import StackFlow
from napari_plugin.weights_question import to_download
from napari_plugin.workers import Workers
from vrpsam_app.errors import VRPSAMError
from vrpsam_app.tiles.plan import TileOptions

_PLACED_BY = ("scale", "translate", "rotate", "shear", "affine")
_FIRST = "Mark one object, on any slice."
_LOOK = ("reordered", "visible", "opacity", "blending")
_WIDTH = 340
"""Of a dock that nobody has made wider, in pixels of the screen."""


class SegmentPanel(Docked):
    """Controls, marks and the live answer; :class:`SegmentWidget` adds what the buttons do.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    form, advanced : the controls
    session : of the viewer
    marks, preview, flow : marks followed, the live answer, and runs
    workers : all that works beside the window
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self.session = Session.of(viewer)
        self.advanced = AdvancedForm(self.session.choice)
        self.form = SegmentForm(viewer, self.advanced)
        self.workers = Workers(self)
        self._ranges = Ranges()
        self._planes_key: tuple[object, ...] = ()
        self._planes_held: LayerPlanes | None = None
        self._no_planes = ""  # why, as it was said
        self._image: Any = None  # layer whose data are followed
        self._closed = False
        self._show_as_chosen = False
        self._awake = False  # nothing is computed before a person does something
        self.preview = Preview(self, viewer, self.session, self.workers, self._ranges)
        self.flow = StackFlow(viewer, self.session, self.workers, self._ranges)
        self.marks = MarksReader(self, viewer, self.session, self.planes, self._fail)
        self._lay_out()
        self._connect()
        self._show_image()
        self.form.live.setChecked(self.session.preferences.live)
        self._update()

    def planes(self) -> LayerPlanes | None:
        """Return what is segmented, None if nothing can be; the reason is shown."""
        try:
            layer, choice = self.form.image.layer, self.advanced.image_choice()
            key, make = image_planes(self._viewer, layer, choice)
            self.session.choose_of_image(layer, choice)
            if key != self._planes_key or self._planes_held is None:
                self._planes_held, self._planes_key = make(), key
        except VRPSAMError as error:
            self._planes_held, self._planes_key = None, ()
            has_image = self.form.image.layer is not None
            self._no_planes = str(error) if has_image else "Open an image first."
            self.say(self._no_planes)
        else:
            if self.form.status.text() in (self._no_planes, _FIRST):
                self.say("" if self.session.references else _FIRST)
            self._no_planes = ""
        return self._planes_held

    def shown_index(self) -> Index:
        """Return the plane that the viewer shows."""
        planes = self.planes()
        return () if planes is None else planes.index_at(self._viewer.dims.point)

    def settings(self) -> RunSettings:
        """Return what the controls say."""
        objects = self.form.show_as.currentIndex() == 0
        tiles: Any = self.advanced.tiles.value
        size = self.session.reference_pixel_size()
        return RunSettings(
            choice=self.session.choose(**self.advanced.choice()),
            threshold=round(self.form.threshold.value(), 3),
            objects=self.advanced.object_options() if objects else None,
            links=self.advanced.link_options(),
            tiling=TileOptions(tiles, reference_pixel_size=size),
        )

    def question(self, planes: LayerPlanes | None = None) -> Question | None:
        """Return what would be asked now, None if there is no image or nothing is marked."""
        planes = planes or self.planes()
        items = tuple(item for item in self.session.references if item.active)
        if planes is None or all(item.is_not_this for item in items):
            return None
        return Question(planes, items, self.settings())

    def pick_tool(self, tool: Tool) -> None:
        """Take a tool in hand; while a person draws, the slice is encoded."""
        planes = self.planes()
        if planes is None:
            return
        index = self.shown_index()
        pick_tool(self._viewer, planes, index, tool, self._label(), self.form.on_object.isChecked())
        self._awake = True
        say_all_marked(self._viewer, self.form.all_marked.isChecked())
        settings = self.settings()
        if self.form.live.isChecked() and not to_download(settings.choice):
            self.preview.prepare(Question(planes, (), settings), index)

    def result(self) -> ResultRecord | None:
        """Return the result that is selected, else the newest."""
        chosen = self.session.record_of(self._viewer.layers.selection.active)
        return chosen or next(reversed(self.session.results), None)

    def say(self, text: str) -> None:
        """Show a sentence below the sliders."""
        self.form.status.setText(text)
        self.form.status.setToolTip(text)

    def reset_choices(self, event: Any = None) -> None:
        """Bring the lists of layers up to date; napari calls it when layers come and go."""
        if not self._closed:  # napari goes on calling when the dock is gone
            self.form.image.refresh()
            self.form.other_marks.refresh()

    def end(self) -> None:
        """Stop all work, wait for it, and listen to the viewer no longer."""
        if self._closed:
            return
        self._closed = True
        self.workers.close()
        # First of all, for the layer that is removed below must not start the reader again.
        self._viewer.dims.events.current_step.disconnect(self._moved)
        self._viewer.dims.events.order.disconnect(self._moved)
        self._viewer.layers.events.removed.disconnect(self._layer_removed)
        self._viewer.layers.events.inserted.disconnect(self._layer_inserted)
        self._viewer.layers.events.disconnect(self._look_changed)
        self._selected.disconnect(self._follow_selected)
        self.session.references_changed.disconnect(self._references_changed)
        self._follow_data(None)
        self.preview.remove()
        self.marks.close()
        self.form.image.close_events()
        self.form.tools.close_events()
        self.form.other_marks.close_events()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return as wide as the tools need, however long the words below them are."""
        return QSize(_WIDTH, super().sizeHint().height())

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self.form)
        column.addWidget(scroll)
        self.setMinimumWidth(260)

    def _connect(self) -> None:
        form, advanced = self.form, self.advanced
        form.tools.picked.connect(self.pick_tool)
        form.image.chosen.connect(self._show_image)
        form.other_marks.chosen.connect(self._take_marks)
        form.all_marked.toggled.connect(self._say_all_marked)
        form.on_object.toggled.connect(self._say_next)
        advanced.label.native.editingFinished.connect(self._say_next)
        advanced.ids.native.editingFinished.connect(self._take_marks)
        form.live.toggled.connect(self._switch_live)
        form.threshold.valueChanged.connect(self._ask_live)
        form.show_as.currentIndexChanged.connect(self._ask_live)
        form.show_as.currentIndexChanged.connect(self._choose_show_as)
        for changed in advanced.changes():
            changed.connect(self._ask_live)
        self.preview.told.connect(self._show_doing)
        self.preview.answered.connect(self._answered)
        self.preview.failed.connect(self._fail)
        self.flow.told.connect(self._tell)
        self.flow.device_known.connect(self._show_device)
        self.session.references_changed.connect(self._references_changed)
        self._viewer.dims.events.current_step.connect(self._moved)
        self._viewer.dims.events.order.connect(self._moved)
        self._viewer.layers.events.removed.connect(self._layer_removed)
        self._viewer.layers.events.inserted.connect(self._layer_inserted)
        self._viewer.layers.events.connect(self._look_changed)
        self._selected = self._viewer.layers.selection.events.active
        self._selected.connect(self._follow_selected)

    def _show_image(self) -> None:
        before = self._image
        self._follow_data(self.form.image.layer)
        self.advanced.show_image(self.form.image.layer)
        self._planes_held = None
        self.preview.stop()
        self.preview.hide()
        if before is not None and self._image is not before:
            # Not at once: napari may be in the middle of removing layers.
            QTimer.singleShot(0, self.preview.remove_hidden)
        self._layer_inserted()

    def _follow_selected(self, event: Any = None) -> None:
        """Take the image that is selected, as long as nothing is marked on another."""
        selected = self._viewer.layers.selection.active
        if selected is None or not self.form.image.offers(selected):
            return
        self.marks.read()
        if not (self.session.references or self.flow.running):
            self.form.image.choose(selected)

    def _follow_data(self, layer: Any) -> None:
        """Hear of it when the image is replaced or placed anew, and of no other any more."""
        if self._image is not None:
            self._image.events.data.disconnect(self._data_replaced)
            for name in _PLACED_BY:
                self._image.events[name].disconnect(self._image_placed)
        self._image = getattr(layer, "__wrapped__", layer)
        if self._image is not None:
            self._image.events.data.connect(self._data_replaced)
            for name in _PLACED_BY:
                self._image.events[name].connect(self._image_placed)

    def _data_replaced(self, event: Any = None) -> None:
        """Take what a layer shows now for another image: its marks are read and asked anew."""
        self._show_image()
        self._ask_live()

    def _image_placed(self, event: Any = None) -> None:
        """Read what lies under the marks now that the image lies elsewhere."""
        self.marks.restart()
        self._ask_live()

    def _layer_inserted(self, event: Any = None) -> None:
        said = [marks_meaning(layer) for layer in marks_layers(self._viewer)]
        self.form.all_marked.blockSignals(True)
        self.form.all_marked.setChecked(any(m is not None and m.all_marked for m in said))
        self.form.all_marked.blockSignals(False)
        self.marks.restart()
        self._update()

    def _layer_removed(self, event: Any) -> None:
        self.session.forget_result(event.value)
        self.marks.restart()
        self._update()

    def _look_changed(self, event: Any) -> None:
        """Say whether another image hides the one that is marked."""
        if event.type in _LOOK:
            self._update()

    def _moved(self, event: Any = None) -> None:
        self._awake = True
        self._ask_live()

    def _references_changed(self) -> None:
        labels = {i.reference.label for i in self.session.references if not i.is_not_this}
        if not self._show_as_chosen:  # numbers of objects do not say of which class they are
            self.form.show_as.blockSignals(True)
            self.form.show_as.setCurrentIndex(int(len(labels) > 1))
            self.form.show_as.blockSignals(False)
        self._ask_live()

    def _choose_show_as(self, _: int) -> None:
        self._show_as_chosen = True

    def _switch_live(self, on: bool) -> None:
        if on:
            self._ask_live()
        else:
            self.preview.stop()
            self.preview.hide()

    def _ask_live(self, *_: Any) -> None:
        self._update()
        if not (self._awake and self.form.live.isChecked()) or self.flow.running:
            return
        question = self.question()
        if question is None:
            self.preview.hide()
        elif missing := to_download(question.settings.choice):
            names = ", ".join(map(str, missing))
            self.say(f"Not on this computer: {names}. Press This slice: you are asked first.")
        else:
            self.preview.ask(question, self.shown_index())

    def _answered(self, answer: LiveAnswer) -> None:
        self._show_device(answer.ready.device)
        self.say(live_words(answer))

    def _show_device(self, device: str) -> None:
        self.advanced.in_use.value = device or "-"

    def _tell(self, told: Any) -> None:
        total = getattr(told, "total", None)
        if total:
            # In thousandths: a download has more bytes than a progress bar can count.
            self.form.progress.setRange(0, 1000)
            self.form.progress.setValue(round(1000 * told.done / total))
        self.say(progress_words(told))

    def _show_doing(self, text: str) -> None:
        self.form.doing.setText(progress_words(text) if text else "")

    def _fail(self, error: Exception) -> None:
        self.say(error_words(error))

    def _take_marks(self) -> None:
        take_marks_from(self._viewer, self.form.other_marks.layer, self.advanced.chosen_ids())
        self._awake = True
        self.marks.restart()

    def _say_all_marked(self, on: bool) -> None:
        say_all_marked(self._viewer, on)
        self._awake = True
        self.marks.restart()

    def _say_next(self, *_: Any) -> None:
        active = self._viewer.layers.selection.active
        if active in marks_layers(self._viewer):
            say_next(active, self._label(), self.form.on_object.isChecked())

    def _label(self) -> str:
        return self.advanced.label.value.strip() or "object"

    def _update(self) -> None:
        """Offer what can be done now."""
        planes, running = self.planes(), self.workers.running
        count = 0 if planes is None else planes.stack.plane_count
        ready = planes is not None and not self.flow.running
        image, choice = self.form.image.layer, self.advanced.image_choice()
        words = "" if planes is None else image_words(self._viewer, image, choice)
        self.form.about_image.setText(words)
        self.form.about_image.setVisible(bool(words))
        self.form.this_slice.setEnabled(ready)
        self.form.all_slices.setEnabled(ready)
        self.form.all_slices.setVisible(count != 1)
        self.form.all_slices.setText(f"All {count} slices" if count > 1 else "All slices")
        self.form.more.setEnabled(ready)
        record = self.result()
        self.form.revert.setEnabled(record is not None and record.can_revert and not running)
        self.form.copy.setEnabled(record is not None)
