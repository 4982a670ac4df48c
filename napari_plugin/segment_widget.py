"""The segment widget: mark on one slice, look at the answer, segment all slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QApplication, QFileDialog

from napari_plugin import replay_text, segment_dialogs
from napari_plugin.folder_run import FileDone, run_folder_files
from napari_plugin.layer_planes import Index, LayerPlanes
from napari_plugin.model_choice import ModelChoice
from napari_plugin.questions import Question
from napari_plugin.result_record import ResultRecord
from napari_plugin.revert import revert
from napari_plugin.segment_menus import fill_menus
from napari_plugin.segment_panel import SegmentPanel
from napari_plugin.segment_words import run_words
from napari_plugin.weights_question import Missing, asked_about, to_download
from vrpsam_app.errors import VRPSAMError

if TYPE_CHECKING:
    import napari.viewer


class SegmentWidget(SegmentPanel):
    """The plugin's main widget; several may be open, each viewer has its own state.

    Parameters
    ----------
    viewer : napari.Viewer, given by napari
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._queue: list[Question] = []
        self._agreed: ModelChoice | None = None  # to a download, until it begins
        self._asking = False
        super().__init__(viewer)
        form = self.form
        form.this_slice.clicked.connect(self.segment_slice)
        form.all_slices.clicked.connect(self.segment_all)
        form.stop.clicked.connect(self.stop)
        form.revert.clicked.connect(self.revert)
        self.flow.ended.connect(self._ended)
        fill_menus(self)

    def segment_slice(self) -> None:
        """Keep the answer to the visible slice."""
        question, index = self._asked(self.segment_slice), self.shown_index()
        if question is None:
            return
        record = self.flow.result_for(question)
        if record is not None and index in record.edited:
            said = self.ask_about_edited(question.planes, [index])
            if said != "overwrite":
                return
        self._begin()
        self.flow.answer_slice(question, index)
        self._update()

    def segment_planes(self, indices: Sequence[Index], *, again: bool = False) -> None:
        """Segment some planes; the same question goes on with what is missing.

        Parameters
        ----------
        again : whether planes that a person edited may be among them, after asking
        """
        question = self._asked(lambda: self.segment_planes(indices, again=again))
        if question is None:
            return
        record = self.flow.result_for(question)
        edited = [] if record is None else sorted(record.edited & set(indices))
        overwrite: list[Index] = []
        if edited and again:
            said = self.ask_about_edited(question.planes, edited)
            if said == "cancel":
                return
            overwrite = edited if said == "overwrite" else []
        wanted = indices if overwrite else self.flow.left_to_do(question, indices)
        self._run(question, wanted, overwrite)

    def segment_all(self) -> None:
        """Segment every plane but those that a person edited."""
        planes = self.planes()
        if planes is not None:
            self.segment_planes(list(planes.stack.indices()))

    def segment_times(self) -> None:
        """Segment the visible slice at all times."""
        planes, shown = self.planes(), self.shown_index()
        if planes is None or "t" not in planes.stack.axes:
            return
        at = planes.stack.axes.index("t")
        self.segment_planes(
            [i for i in planes.stack.indices() if _without(i, at) == _without(shown, at)]
        )

    def segment_other_layers(self) -> None:
        """Segment all other image layers, one after the other."""
        question = self._asked(self.segment_other_layers)
        if question is None:
            return
        chosen = self.form.image.layer
        for layer in [getattr(x, "__wrapped__", x) for x in self._viewer.layers]:
            if type(layer).__name__ == "Image" and layer is not chosen and layer.ndim >= 2:
                try:
                    self._queue.append(replace(question, planes=LayerPlanes.of(layer)))
                except VRPSAMError as error:
                    self._fail(error)
        self._next_layer()

    def segment_folder(self, folder: Path, out: Path) -> None:
        """Segment the files of a folder; results go to another."""
        question = self._asked(lambda: self.segment_folder(folder, out))
        if question is None:
            return
        self._begin()
        shelf = self.session.shelf
        done: list[FileDone] = []

        def value(item: Any) -> None:
            if isinstance(item, FileDone):
                done.append(item)
                self.say(item.text)
            else:
                self._tell(item)

        self.workers.start(
            lambda cancel: run_folder_files(shelf, question, folder, out, cancel),
            on_value=value,
            on_error=self._fail,
            on_end=lambda: self._end_folder(done, out),
        )
        self._update()

    def stop(self) -> None:
        """Stop what is under way; what is finished stays."""
        self._queue.clear()
        self.workers.stop()

    def revert(self) -> None:
        """Bring the result back to what it was before its last run."""
        record = self.result()
        if record is None or not record.can_revert:
            return
        if revert(record, self.ask_about_edited):
            self.say("The result is as it was before the last run.")
            self._update()

    def copy_text(self, kind: str, recipe: Path | None = None) -> str:
        """Copy the last run as Python or as a command, with its recipe saved in a file.

        Parameters
        ----------
        kind : ``python`` or ``command``
        recipe : where the recipe goes; None asks
        """
        record = self.result()
        if record is None:
            self.say("Nothing was segmented yet.")
            return ""
        if recipe is None:
            name, _ = QFileDialog.getSaveFileName(
                self, "Save the recipe", f"{record.planes.name}_recipe.json", "Recipe (*.json)"
            )
            if not name:
                return ""
            recipe = Path(name)
        try:
            replay_text.save_recipe(record, recipe)
        except VRPSAMError as error:
            self._fail(error)
            return ""
        make = replay_text.as_python if kind == "python" else replay_text.as_command
        text = make(record, recipe)
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
        said = f"Copied; the recipe is in {recipe}."
        if record.planes.source is None:
            said += f" The image has no file: {replay_text.UNNAMED} stands for it."
        self.say(said)
        return text

    def ask_about_edited(
        self, planes: LayerPlanes, edited: Sequence[Index]
    ) -> segment_dialogs.Edited:
        """Ask whether edited slices may be overwritten."""
        return segment_dialogs.ask_about_edited(self, planes, edited)

    def _asked(self, again: Callable[[], None]) -> Question | None:
        """Return what a button asks, None if something has to be asked first.

        Parameters
        ----------
        again : called when a person has agreed to a download
        """
        self._awake = True
        self.marks.read()
        question = self.question()
        if question is None:
            if self.planes() is not None:
                self.say("Mark an object first: paint, click or box one on any slice.")
            return None
        if self.flow.running or self._asking:
            return None
        choice = question.settings.choice
        agreed, self._agreed = self._agreed == choice, None
        if not agreed and (missing := to_download(choice)):
            self._ask_to_download(choice, missing, again)
            return None
        return question

    def _ask_to_download(
        self, choice: ModelChoice, missing: Sequence[Missing], again: Callable[[], None]
    ) -> None:
        """Ask whether files may be downloaded, once their sizes and licences are known."""

        def ask(complete: Sequence[Missing]) -> None:
            if segment_dialogs.ask_to_download(self, complete):
                self._agreed = choice
            else:
                self.say("Nothing was downloaded. Under Advanced another model can be chosen.")

        def end() -> None:
            self._asking = False
            self._end_progress()
            if self._agreed is not None:
                again()

        self._asking = True
        self._begin()
        self.workers.start(
            lambda cancel: asked_about(missing),
            on_value=self._tell,
            on_result=ask,
            on_error=self._fail,
            on_end=end,
        )

    def _run(
        self, question: Question, indices: Sequence[Index], overwrite: Sequence[Index]
    ) -> None:
        self._begin()
        try:
            self.flow.answer_planes(question, indices, overwrite=overwrite)
        except VRPSAMError as error:
            self._fail(error)
            self._end_progress()
        self._update()

    def _begin(self) -> None:
        self.preview.stop()
        self.preview.hide()
        self.form.progress.setRange(0, 0)
        self.form.progress_row.setVisible(True)

    def _end_progress(self) -> None:
        self.form.progress_row.setVisible(False)
        self._update()

    def _next_layer(self) -> None:
        if self._queue and not self.flow.running:
            question = self._queue.pop(0)
            self._run(question, list(question.planes.stack.indices()), [])

    def _end_folder(self, done: Sequence[FileDone], out: Path) -> None:
        self._end_progress()
        failed = [file.text for file in done if file.failed]
        if done:
            count = "One file" if len(done) == 1 else f"{len(done)} files"
            why = f" Failed: {'; '.join(failed[:3])}" if failed else ""
            self.say(f"{count} segmented; results are in {out}.{why}")

    def _ended(self, record: ResultRecord | None, error: Exception | None) -> None:
        self._end_progress()
        if error is not None:
            self._queue.clear()
            self._fail(error)
        elif record is not None:
            self.say(run_words(record))
        else:
            self.say("The layer of the result was deleted: the run was stopped.")
        self._next_layer()


def _without(index: Index, axis: int) -> Index:
    return index[:axis] + index[axis + 1 :]
