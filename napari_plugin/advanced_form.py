"""What few people need: which model, which channels, which objects, which tiles."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QWidget,
)
from superqt import QCollapsible

from napari_plugin.model_choice import EMBEDDED, ModelChoice
from vrpsam_app.methods import METHODS
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.linking import LinkOptions

_OWN_SAM = "the model's own"
# What a person would choose; guards and peers are for measuring.
_FOR_MEASURING = frozenset({"everything", "nothing", "ignore_reference"})
_LINKS = ("match", "unique", "separate")
_CUTS = ("distance", "components", "intensity", "probability")
_TILES = ("auto", "whole", "tiles")


class AdvancedForm(QCollapsible):
    """A part of the widget that is closed at first.

    Parameters
    ----------
    choice : what is chosen at first

    Attributes
    ----------
    model, method, sam, device : who answers
    label : name of the class that is marked next
    ids : numbers of objects that count as marks, where marks are taken from a Labels layer
    level, channel_axis, channels : of the image
    cut, min_area, links, gaps : of objects
    tiles : how large planes are shown
    """

    def __init__(self, choice: ModelChoice) -> None:
        super().__init__("Advanced")
        inside = QWidget()
        form = QFormLayout(inside)
        form.setContentsMargins(4, 2, 4, 2)
        form.setSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.label = _line("object", "Name of the class that is marked next.")
        self.ids = _line("", "Only these objects of the layer that marks are taken from: 3, 7")
        self.ids.setPlaceholderText("all")
        self.model = _combo([EMBEDDED], "Name, folder, or organisation/name on the Hub.", edit=True)
        self.method = _combo(
            [name for name in METHODS if name not in _FOR_MEASURING],
            "How references are turned into an answer.",
        )
        for i in range(self.method.count()):
            summary = METHODS[self.method.itemText(i)].summary
            self.method.setItemData(i, summary, 3)  # 3: what is shown beside the pointer
        self.sam = _combo([_OWN_SAM], "SAM's weights for methods that need a SAM.", edit=True)
        self.device = _combo(["auto", "cuda", "mps", "cpu"], "Where the model runs.")
        self.level = QSpinBox()
        self.level.setToolTip("Resolution of a multiscale image, 0 for the finest.")
        self.level.setMaximum(0)
        self.channel_axis = _combo(["none"], "Axis of the layer that holds channels.")
        self.channels = _line("", "Channels to show: 0, or two or three as colours, 0,2.")
        self.channels.setPlaceholderText("all, at most three")
        self.more_images = _line("", "Names of one or two more image layers: channels of one image")
        self.more_images.setPlaceholderText("none")
        self.cut = _combo(_CUTS, "How touching objects are told apart.")
        self.min_area = QDoubleSpinBox()
        self.min_area.setRange(-1, 1e9)
        self.min_area.setValue(-1)
        self.min_area.setDecimals(0)
        self.min_area.setSpecialValueText("by the marks")
        self.min_area.setToolTip("Smaller objects are left out, in pixels of a slice.")
        self.links = _combo(
            _LINKS, "What a number means in the next slice: the same object or not."
        )
        self.gaps = QSpinBox()
        self.gaps.setToolTip("Slices that an object may be missing in and still be the same.")
        self.tiles = _combo(_TILES, "Large planes with small objects are shown in tiles.")
        self.in_use = QLabel("-")
        for title, widget in (
            ("Class", self.label),
            ("Only ids", self.ids),
            ("Model", self.model),
            ("Method", self.method),
            ("SAM", self.sam),
            ("Device", self.device),
            ("In use", self.in_use),
            ("Resolution", self.level),
            ("Channel axis", self.channel_axis),
            ("Channels", self.channels),
            ("More layers", self.more_images),
            ("Cut at", self.cut),
            ("Smallest", self.min_area),
            ("Numbers", self.links),
            ("Gaps", self.gaps),
            ("Tiles", self.tiles),
        ):
            form.addRow(title, widget)
        self.model.setCurrentText(choice.model)
        self.method.setCurrentText(choice.method)
        self.device.setCurrentText(choice.device)
        self.setContent(inside)
        self.collapse(animate=False)
        self._listed = False
        self.toggled.connect(self._list_weights)

    def changes(self) -> list[Any]:
        """Return the signals that tell of another value; edited text counts when it is complete."""
        lines = [b.lineEdit() for b in (self.model, self.sam)] + [self.channels, self.more_images]
        boxes = (self.model, self.method, self.sam, self.device, self.channel_axis)
        chosen = (*boxes, self.cut, self.links, self.tiles)
        return [
            *(line.editingFinished for line in lines if line is not None),
            *(box.currentIndexChanged for box in chosen),
            *(box.valueChanged for box in (self.level, self.min_area, self.gaps)),
        ]

    def choice(self) -> dict[str, str]:
        """Return the values of a :class:`ModelChoice`."""
        sam = self.sam.currentText().strip()
        return {
            "model": self.model.currentText().strip() or EMBEDDED,
            "method": self.method.currentText(),
            "device": self.device.currentText(),
            "sam": "" if sam == _OWN_SAM else sam,
        }

    def object_options(self) -> ObjectOptions:
        """Return how masks become objects."""
        least = self.min_area.value()
        cut: Any = self.cut.currentText()
        return ObjectOptions(method=cut, min_area=None if least < 0 else least)

    def link_options(self) -> LinkOptions:
        """Return what numbers mean from slice to slice."""
        rule: Any = self.links.currentText()
        return LinkOptions(rule=rule, gaps=self.gaps.value())

    def chosen_ids(self) -> frozenset[int]:
        """Return the numbers that were typed; what is no number is passed over."""
        parts = self.ids.text().replace(",", " ").split()
        return frozenset(int(part) for part in parts if part.isdecimal())

    def chosen_channels(self) -> tuple[int, ...] | None:
        """Return the channels that were typed, None for what there is."""
        parts = self.channels.text().replace(",", " ").split()
        return tuple(int(p) for p in parts if p.isdecimal()) or None

    def chosen_channel_axis(self) -> int | None:
        """Return the axis of channels, None if there is none."""
        at = self.channel_axis.currentIndex()
        return None if at <= 0 else at - 1

    def show_image(self, layer: Any) -> None:
        """Offer the resolutions and axes of an image layer."""
        self.level.setMaximum(len(layer.data) - 1 if layer is not None and layer.multiscale else 0)
        self.channel_axis.blockSignals(True)
        self.channel_axis.clear()
        self.channel_axis.addItem("none")
        if layer is not None and not layer.rgb and layer.ndim > 2:
            for i in range(layer.ndim - 2):
                self.channel_axis.addItem(f"{layer.axis_labels[i]} ({layer.data.shape[i]})")
        self.channel_axis.blockSignals(False)

    def _list_weights(self, opened: bool = True) -> None:
        """List what is here and what can be had, once somebody looks."""
        if not opened or self._listed:
            return
        self._listed = True
        from hub_weights import in_bytes, list_weights

        for weights in list_weights():
            box = {"model": self.model, "sam": self.sam}.get(weights.kind)
            if box is None:
                continue
            if box.findText(weights.name) < 0:
                box.addItem(weights.name)
            size = "" if weights.size is None else f", {in_bytes(weights.size)}"
            about = f"{weights.purpose}: {weights.state}{size}, {weights.license}"
            box.setItemData(box.findText(weights.name), about, 3)


def _line(text: str, tip: str) -> QLineEdit:
    line = QLineEdit(text)
    line.setToolTip(tip)
    return line


def _combo(items: Any, tip: str, *, edit: bool = False) -> QComboBox:
    combo = QComboBox()
    combo.addItems(list(items))
    combo.setEditable(edit)
    combo.setToolTip(tip)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(8)
    return combo
