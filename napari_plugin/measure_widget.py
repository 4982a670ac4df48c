"""The measure and export panel: objects in numbers, ids through the stack, files for others."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QProgressBar

from napari_plugin.measure_work import (
    LINK,
    Linked,
    Measured,
    classes_of_layer,
    export_layer,
    holds_classes,
    image_for,
    link_layer,
    measure_layer,
    planes_of,
)
from napari_plugin.number_classes import as_features, as_metadata, holds_measured, without_measured
from napari_plugin.panel import Panel, button, is_kind, quiet, title
from napari_plugin.placement import laid_out, placement_of
from napari_plugin.result_files import from_table, save, to_table, with_written
from napari_plugin.result_record import METADATA_KEY, ResultRecord
from napari_plugin.session import unwrapped
from vrpsam_app.errors import ConfigError
from vrpsam_app.exchange.formats import FORMATS
from vrpsam_app.objects.linking import DEFAULT_LINKS
from vrpsam_app.progress import Progress

if TYPE_CHECKING:
    import napari.viewer

_TABLES = "Table (*.csv)"
_LABELS = "TIFF (*.tif);;OME-Zarr (*.ome.zarr)"
_FEATURES_TABLE = ("napari", "Features table widget")


class MeasureWidget(Panel):
    """Measures the objects of a Labels layer and writes them to files.

    Parameters
    ----------
    viewer : napari.Viewer, given by napari
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._measured: Measured | None = None
        self._followed: Any = None  # layer whose features are listened to
        self._busy = False
        self._build()
        self._choose_newest()
        self.labels.chosen.connect(self._layer_changed)
        self.listen(self.session.results_changed, self._choose_newest)
        self._layer_changed()

    def _build(self) -> None:
        form = QFormLayout()
        self.labels = self.layer_box(is_kind("Labels"), "Objects, from this program or any other.")
        self.image = self.layer_box(
            is_kind("Image"),
            "Intensities are measured in this image, as they are stored.",
            nothing="no intensities",
        )
        form.addRow("Objects", self.labels)
        form.addRow("Intensities", self.image)
        self.column.addLayout(form)

        self.column.addWidget(title("Follow objects"))
        self.link_button = button(
            LINK,
            "In a new layer, an object has the same number in all slices and times, by what "
            "overlaps. Classes and masks are cut into objects first.",
            self.link,
        )
        self.column.addWidget(self.link_button)

        self.column.addWidget(title("Measure"))
        self.measure_button = button(
            "Measure", "Sizes, shapes, places and intensities of all objects.", self.measure
        )
        self.table_button = button(
            "Show table", "napari's table of the layer's features.", self.show_table
        )
        self.column.addLayout(_row(self.measure_button, self.table_button))
        self.summary = quiet()
        self.summary.hide()
        self.column.addWidget(self.summary)
        self.csv_button = button(
            "Objects as CSV ...", "A line for each object.", lambda: self._ask_csv(planes=False)
        )
        self.planes_button = button(
            "Slices as CSV ...",
            "A line for each object in each slice.",
            lambda: self._ask_csv(planes=True),
        )
        self.column.addLayout(_row(self.csv_button, self.planes_button))

        self.column.addWidget(title("Export"))
        self.format = QComboBox()
        for name, of in FORMATS.items():
            self.format.addItem(f"{name}: {of.about}", name)
        self.format.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.column.addWidget(self.format)
        self.export_button = button(
            "Export ...", "Write the objects in this format to a folder.", self._ask_export
        )
        self.save_button = button(
            "Save labels ...",
            "As TIFF or OME-Zarr, with the recipe and the table beside them.",
            self._ask_save,
        )
        self.column.addLayout(_row(self.export_button, self.save_button))
        self.bar = QProgressBar()
        self.bar.hide()
        self.stop_button = button("Stop", "Stop after this slice.", self.workers.stop)
        self.stop_button.hide()
        self.column.addWidget(self.bar)
        self.column.addWidget(self.stop_button)
        self.column.addStretch(1)

    def end(self) -> None:
        """Stop all work, and listen to nothing any more."""
        self._follow(None)
        super().end()

    @property
    def record(self) -> ResultRecord | None:
        """What is known about the chosen layer, None if it is no result of this viewer."""
        return self.session.record_of(self.labels.layer)

    @property
    def measured(self) -> Measured | None:
        """What was measured last of the chosen layer."""
        return self._measured

    @property
    def busy(self) -> bool:
        """Whether something is being worked on."""
        return self._busy

    def measure(self) -> None:
        """Measure the objects; the table becomes the layer's features."""
        with self.saying_errors():
            layer, record = self._layer(), self.record
            planes = planes_of(layer, record)
            labels, image = planes.stack, image_for(self.image.layer, planes, record, self.session)
            classes = classes_of_layer(layer, record)
            as_classes = holds_classes(layer, record) is True

            def show(measured: Measured) -> None:
                written = without_measured(layer.features)
                layer.features = from_table(with_written(measured.objects, written))
                self._measured = measured
                self.summary.setText(measured.words())
                self.summary.show()

            self._start(
                lambda cancel: measure_layer(labels, image, classes, cancel, as_classes=as_classes),
                show,
            )

    def show_table(self) -> None:
        """Open napari's table of features below the image: beside this panel it has no room."""
        with self.saying_errors():
            self.viewer.layers.selection.active = unwrapped(self._layer())
            window = unwrapped(self.viewer.window)
            shown = set(window.dock_widgets)
            dock, _ = window.add_plugin_dock_widget(*_FEATURES_TABLE)
            if set(window.dock_widgets) - shown:  # from then on it stays where a person puts it
                dock.parent().addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)

    def link(self) -> None:
        """Add a layer whose objects have numbers that go through the stack."""
        with self.saying_errors():
            layer, record = self._layer(), self.record
            planes = planes_of(layer, record)
            classes = classes_of_layer(layer, record)
            links = DEFAULT_LINKS if record is None else record.state.settings.links

            def show(linked: Linked) -> None:
                self._add(layer, planes, linked)

            self._start(
                lambda cancel: link_layer(
                    planes.stack,
                    links,
                    classes,
                    cancel,
                    as_classes=holds_classes(layer, record),
                    record=record,
                ),
                show,
            )

    def save_table(self, path: Path, *, planes: bool = False) -> None:
        """Write the table that was measured as CSV."""
        from vrpsam_app.objects.measurements import write_table

        with self.saying_errors():
            table = self._table(planes=planes)
            if path.suffix.lower() != ".csv":
                path = path.with_name(f"{path.name}.csv")
            write_table(path, table, overwrite=True)
            self.say(f"{len(table)} lines are in {path}.")

    def export(self, folder: Path) -> None:
        """Write the objects in the chosen format."""
        with self.saying_errors():
            layer, record = self._layer(), self.record
            labels = planes_of(layer, record).stack
            classes = classes_of_layer(layer, record)
            picture = (self.image.layer or layer).name
            form = str(self.format.currentData())

            def show(written: list[Path]) -> None:
                what = f"{len(written)} files" if len(written) > 1 else written[0].name
                self.say(f"{what} written to {folder}.")

            self._start(
                lambda cancel: export_layer(folder, labels, classes, picture, form, cancel), show
            )

    def save_labels(self, path: Path) -> None:
        """Write the layer with its recipe and its table."""
        with self.saying_errors():
            layer, record = self._layer(), self.record
            planes = planes_of(layer, record)
            said = (layer.metadata or {}).get(METADATA_KEY) or {}
            if record is not None and record.findings:
                said = record.metadata()
            features, classes = layer.features, classes_of_layer(layer, record)
            where = placement_of(layer, planes)

            def work(cancel: Any) -> Generator[Any, None, list[str]]:
                yield None
                return save(path, planes.stack, said, features, classes, where)

            def show(written: list[str]) -> None:
                self.say(f"{', '.join(Path(name).name for name in written)} written.")

            self._start(work, show)

    def _layer(self) -> Any:
        layer = self.labels.layer
        if layer is None:
            raise ConfigError("There is no layer of objects: segment something, or open labels.")
        return layer

    def _table(self, *, planes: bool) -> Any:
        if planes:
            if self._measured is None or self._measured.planes is None:
                raise ConfigError("Nothing is measured in several slices yet: press Measure first.")
            return self._measured.planes
        features = self._layer().features
        if not holds_measured(features) or (table := to_table(features)) is None:
            raise ConfigError("Nothing is measured yet: press Measure first.")
        return table

    def _add(self, source: Any, planes: Any, linked: Linked) -> None:
        """Add linked objects over their source, with their classes."""
        data = laid_out(linked.values, (*planes.leading, *planes.rows_cols), planes.shape)
        said = dict((source.metadata or {}).get(METADATA_KEY) or {})
        named = linked.classes if isinstance(linked.classes, dict) else {}
        if said or named:
            said["numbers"] = as_metadata(named)
        layer = self.viewer.add_labels(
            data,
            name=f"{source.name.removesuffix(' result')} objects",
            opacity=source.opacity,
            metadata={METADATA_KEY: said} if said else {},
            **planes.like_layer(),
        )
        if named:
            layer.features = as_features(named)
        source.visible = False
        self.labels.choose(layer)
        count = int(data.max(initial=0))
        self.say(f"{count} object{'' if count == 1 else 's'} in the layer {layer.name!r}.")

    def _choose_newest(self) -> None:
        """Choose the newest result, or else the topmost labels that are shown."""
        results = [record.layer for record in self.session.results if record.layer is not None]
        shown = [x for x in self.viewer.layers if is_kind("Labels")(x) and x.visible]
        if results or shown:
            self.labels.choose((results or shown)[-1])

    def _layer_changed(self) -> None:
        """Choose the image that a layer lies on, and forget what was measured of another."""
        layer = self.labels.layer
        self._follow(layer)
        self._forget_measured()
        if layer is not None:
            shape = tuple(layer.data.shape)
            alike = [
                image
                for image in self.viewer.layers
                if is_kind("Image")(image) and tuple(image.data.shape[: layer.ndim]) == shape
            ]
            self.image.choose(alike[-1] if alike else None)
        self._enable()

    def _follow(self, layer: Any) -> None:
        """Hear when the features of a layer change, and of no other any more."""
        if self._followed is not None:
            self._followed.events.features.disconnect(self._features_changed)
        self._followed = layer
        if layer is not None:
            layer.events.features.connect(self._features_changed)

    def _features_changed(self, event: Any = None) -> None:
        """Forget what was measured of a layer that has been painted or segmented since."""
        if not holds_measured(self._followed.features):
            self._forget_measured()
            self._enable()

    def _forget_measured(self) -> None:
        self._measured = None
        self.summary.hide()

    def _enable(self) -> None:
        layer = self.labels.layer
        ready = layer is not None and not self._busy
        for part in (
            self.link_button, self.measure_button, self.export_button, self.save_button,
        ):  # fmt: skip
            part.setEnabled(ready)
        tabled = ready and to_table(layer.features) is not None
        self.csv_button.setEnabled(tabled and holds_measured(layer.features))
        self.table_button.setEnabled(tabled)
        measured = self._measured
        self.planes_button.setEnabled(
            ready and measured is not None and measured.planes is not None
        )

    def _start(self, generator: Any, show: Any) -> None:
        self._busy = True
        self.bar.setRange(0, 0)
        self.bar.show()
        self.stop_button.show()
        self._enable()
        self.workers.start(
            generator,
            on_value=self._told,
            on_result=show,
            on_error=self.say_error,
            on_end=self._ended,
        )

    def _told(self, what: Any) -> None:
        if isinstance(what, Progress):
            self.bar.setRange(0, what.total)
            self.bar.setValue(what.done)

    def _ended(self) -> None:
        self._busy = False
        self.bar.hide()
        self.stop_button.hide()
        self._enable()

    def _ask_csv(self, *, planes: bool) -> None:
        name = "slices.csv" if planes else "objects.csv"
        if (path := self.ask_save("Save table", name, _TABLES)) is not None:
            self.save_table(path, planes=planes)

    def _ask_export(self) -> None:
        if (folder := self.ask_folder("Export objects to")) is not None:
            self.export(folder)

    def _ask_save(self) -> None:
        if (path := self.ask_save("Save labels", "labels.tif", _LABELS)) is not None:
            self.save_labels(path)


def _row(*widgets: Any) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row
