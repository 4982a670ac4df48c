"""The references panel: what the model is asked by, shown, added, taken away, kept in files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_plugin.image_choice import image_planes
from napari_plugin.layer_annotations import marks_on, references_of
from napari_plugin.marks_layers import MarksMeaning, marks_layers, marks_meaning
from napari_plugin.panel import Panel, button, is_kind, quiet, title
from napari_plugin.reference_card import ReferenceCard
from napari_plugin.reference_file_dialog import ReferenceFileDialog
from napari_plugin.reference_items import ReferenceItem
from vrpsam_app.errors import EmptyReferenceError
from vrpsam_app.references import Reference

if TYPE_CHECKING:
    import napari.viewer

_LIBRARIES = "Reference library (*.zip)"


class ReferencesWidget(Panel):
    """Thumbnails of all references of a viewer, and where new ones come from.

    Parameters
    ----------
    viewer : napari.Viewer, given by napari
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self.count = quiet()
        self.column.addWidget(self.count)
        cards = QWidget()
        self._cards = QVBoxLayout(cards)
        self._cards.setContentsMargins(0, 0, 0, 0)
        self.column.addWidget(cards)

        self.column.addWidget(title("Add"))
        form = QFormLayout()
        self.image = self.layer_box(is_kind("Image"), "The image that the marks lie on.")
        self.marks = self.layer_box(
            is_kind("Labels", "Shapes", "Points"),
            "Any layer of marks: a brush, shapes, points, or labels of another program.",
        )
        self.marks.choose(next(iter(marks_layers(viewer)), self.marks.layer))
        self.label = QLineEdit()
        self.label.setPlaceholderText("as the marks say")
        self.label.setToolTip("Name of the class. Empty takes the names that the marks have.")
        self.all_marked = QCheckBox("All of this kind are marked")
        self.all_marked.setToolTip(
            "Then what is not marked on the slice counts as background; else it is unknown."
        )
        form.addRow("Image", self.image)
        form.addRow("Marks", self.marks)
        form.addRow("Class", self.label)
        form.addRow("", self.all_marked)
        self.column.addLayout(form)
        row = QHBoxLayout()
        self.add_button = button(
            "Add this slice", "Keep the marks on the shown slice as references.", self.add_slice
        )
        self.file_button = button(
            "From files ...", "An image and its labels, masks or regions.", self._ask_files
        )
        row.addWidget(self.add_button)
        row.addWidget(self.file_button)
        self.column.addLayout(row)

        self.column.addWidget(title("Library"))
        row = QHBoxLayout()
        self.load_button = button(
            "Load ...", "Add the references of a library file.", self._ask_library
        )
        self.save_button = button(
            "Save ...",
            "All references with their names in one file, for other images, people and the "
            "command line.",
            self._ask_save,
        )
        row.addWidget(self.load_button)
        row.addWidget(self.save_button)
        self.column.addLayout(row)
        self.column.addStretch(1)

        # Many changes that come together are drawn once.
        self._drawing = QTimer(self)
        self._drawing.setSingleShot(True)
        self._drawing.timeout.connect(self.draw)
        self.listen(self.session.references_changed, self._changed)
        self.marks.chosen.connect(self._take_over_marks)
        self._take_over_marks()
        self.draw()

    @property
    def cards(self) -> list[ReferenceCard]:
        """The references as they are shown, in order."""
        items = [self._cards.itemAt(i) for i in range(self._cards.count())]
        found = [item.widget() for item in items if item is not None]
        return [card for card in found if isinstance(card, ReferenceCard)]

    def draw(self) -> None:
        """Show the references as they are now; a card whose reference stayed is kept."""
        items = self.session.references
        kept = {id(card.item.key): card for card in self.cards}
        for place, item in enumerate(items):
            card = kept.pop(id(item.key), None)
            if card is None:
                card = ReferenceCard(self, item)
            else:
                card.show_item(item)
            if self._cards.indexOf(card) != place:
                self._cards.removeWidget(card)
                self._cards.insertWidget(place, card)
        for card in kept.values():
            self._cards.removeWidget(card)
            card.deleteLater()
        self.count.setText(_summary(items))
        self.save_button.setEnabled(bool(items))

    def add_slice(self) -> None:
        """Keep the marks on the shown slice as references, one for each class."""
        with self.saying_errors():
            image, layer = self.image.layer, self.marks.layer
            if image is None or layer is None:
                raise EmptyReferenceError(
                    "Choose an image and a layer of marks first: a Labels, Shapes or Points layer."
                )
            _, make = image_planes(self.viewer, image, self.session.image_choice(image))
            planes = make()
            point = tuple(self.viewer.dims.point)
            index = planes.index_at(point)
            meaning = marks_meaning(layer) or MarksMeaning()
            found = marks_on(
                layer,
                planes,
                classes=meaning.classes,
                meaning=meaning.numbers,
                point=point,
                only=index,
            )
            if not found:
                where = f" on {planes.words(index)}" if index else ""
                raise EmptyReferenceError(
                    f"{layer.name!r} has no marks{where}: mark the object there, or move the "
                    "slider to a slice with marks."
                )
            for _, reference in references_of(
                found, planes, exhaustive=self.all_marked.isChecked()
            ):
                self.add(
                    reference,
                    where=", ".join(part for part in (planes.name, planes.words(index)) if part),
                    pixel_size=planes.stack.pixel_size,
                    image=planes.key,
                )

    def add(self, reference: Reference, **about: Any) -> ReferenceItem:
        """Add a reference under the class that is written in the panel, if one is."""
        from dataclasses import replace

        if label := self.label.text().strip():
            reference = replace(reference, label=label)
        return self.session.add_reference(reference, **about)

    def load(self, path: Path) -> None:
        """Add the references of a library, read beside the window."""

        def work(cancel: Any) -> Any:
            from vrpsam_app.library.reference_library import ReferenceLibrary

            yield None
            entries = ReferenceLibrary.load(path).entries
            return [(entry.name, entry.reference) for entry in entries]

        def show(found: list[tuple[str, Reference]]) -> None:
            for name, reference in found:
                self.session.add_reference(reference, name=name, where=f"library {path.name}")
            self.say(f"{len(found)} added from {path.name}.")

        self.workers.start(work, on_result=show, on_error=self.say_error)

    def save(self, path: Path) -> None:
        """Write all references to a library."""
        with self.saying_errors():
            if path.suffix.lower() != ".zip":
                path = path.with_name(f"{path.name}.zip")
            self.session.save_library(path, overwrite=True)
            self.say(f"{len(self.session.references)} references are in {path}.")

    def _changed(self) -> None:
        self._drawing.start(0)

    def _take_over_marks(self) -> None:
        """Tick what a layer of marks says about itself."""
        meaning = marks_meaning(self.marks.layer)
        if meaning is not None:
            self.all_marked.setChecked(meaning.all_marked)

    def _ask_files(self) -> None:
        dialog = ReferenceFileDialog(self)
        if dialog.exec():
            with self.saying_errors():
                for reference, where, size in dialog.references():
                    self.session.add_reference(reference, where=where, pixel_size=size)

    def _ask_library(self) -> None:
        if (path := self.ask_open("Load references", _LIBRARIES)) is not None:
            self.load(path)

    def _ask_save(self) -> None:
        if (path := self.ask_save("Save references", "references.zip", _LIBRARIES)) is not None:
            self.save(path)


def _summary(items: tuple[ReferenceItem, ...]) -> str:
    if not items:
        return (
            "No references yet. Mark an object in the segment panel, or add a slice, a file or a "
            "library here."
        )
    used = sum(item.active for item in items)
    shown = "One reference" if len(items) == 1 else f"{len(items)} references"
    return shown if used == len(items) else f"{shown}, {used} in use"
