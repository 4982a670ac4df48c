"""What few people need: which model, which channels, which objects, which tiles."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox, FloatSpinBox, Label, LineEdit, SpinBox
from magicgui.widgets.bases import Widget
from qtpy.QtWidgets import QFormLayout, QWidget
from superqt import QCollapsible

from napari_plugin.image_choice import ImageChoice
from napari_plugin.layer_planes import own_label
from napari_plugin.model_choice import EMBEDDED, ModelChoice
from vrpsam_app.methods import METHODS, usable_methods
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.linking import LinkOptions
from vrpsam_app.stacks.axes import MOST_COLOURS

_OWN_SAM = "the model's own"
_OWN_FEATURES = "that of the SAM or model"
_NO_AXIS = ("none", -1)
_MOST_CHANNELS = 4
"""Of an axis named channels that is taken for what its name says: more are no colours."""
_TIP = 3  # Qt's role of what is shown beside the pointer


class AdvancedForm(QCollapsible):
    """A part of the widget that is closed at first.

    Parameters
    ----------
    choice : what is chosen at first

    Attributes
    ----------
    model, method, sam, features, device, in_use : who answers
    label : name of the class that is marked next
    ids : numbers of objects that count as marks, where marks are taken from a Labels layer
    level, channel_axis, channels, more_images : of the image
    cut, min_area, links, gaps : of objects
    tiles : how large planes are shown
    """

    def __init__(self, choice: ModelChoice) -> None:
        super().__init__("Advanced", None, "▾", "▸")
        self.label = _line("Class", "Name of the class that is marked next.", value="object")
        self.ids = _line(
            "Only ids", "Only these objects of the layer that marks are taken from: 3, 7", "all"
        )
        self.model = _names("Model", "Name, folder, or organisation/name on the Hub.", EMBEDDED)
        self.method = _combo("Method", "How references are turned into an answer.")
        self.sam = _names("SAM", "SAM's weights for methods that need a SAM.", _OWN_SAM)
        self.features = _names(
            "Features", "A backbone's weights for matching, such as DINOv2.", _OWN_FEATURES
        )
        self.device = _combo("Device", "Where the model runs.", "auto", "cuda", "mps", "cpu")
        self.in_use = Label(label="In use", value="-")
        self._lengths: tuple[int, ...] = ()  # of the axes that may hold channels
        self.level = SpinBox(
            label="Resolution", max=0, tooltip="Resolution of a multiscale image, 0 for the finest."
        )
        self.channel_axis = _combo(
            "Channel axis", "Axis of the layer that holds channels.", _NO_AXIS
        )
        self.channels = _line(
            "Channels",
            "Channels to show: 0, or two or three as colours, 0,2.",
            "all, or the first three",
        )
        self.more_images = _line(
            "More layers", "Names of one or two more image layers: channels of one image", "none"
        )
        self.cut = _combo(
            "Cut at", "How touching objects are told apart.",
            "distance", "components", "intensity", "probability",
        )  # fmt: skip
        self.min_area = FloatSpinBox(
            label="Smallest", value=-1, min=-1, max=1e9, step=1,
            tooltip="Smaller objects are left out, in pixels of a slice.",
        )  # fmt: skip
        self.min_area.native.setDecimals(0)
        self.min_area.native.setSpecialValueText("by the marks")
        self.links = _combo(
            "Numbers", "What a number means in the next slice: the same object or not.",
            "match", "unique", "separate",
        )  # fmt: skip
        self.gaps = SpinBox(
            label="Gaps", max=99,
            tooltip="Slices that an object may be missing in and still be the same.",
        )  # fmt: skip
        self.tiles = _combo(
            "Tiles", "Large planes with small objects are shown in tiles.", "auto", "whole", "tiles"
        )
        inside = QWidget()
        form = QFormLayout(inside)  # magicgui's container sizes titles before it knows the font
        form.setContentsMargins(4, 2, 4, 2)
        form.setSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        # In the order in which they were made.
        for row in [each for each in vars(self).values() if isinstance(each, Widget)]:
            form.addRow(row.label, row.native)
        self.setContent(inside)
        # By its text: what an odd preference names and a list has not is passed over.
        self.model.native.setCurrentText(choice.model)
        self._list_methods()
        self.method.native.setCurrentText(choice.method)
        self.device.native.setCurrentText(choice.device)
        self.collapse(animate=False)
        self._listed = False
        self.toggled.connect(self._list_weights)
        # Before anybody else hears of another model.
        self.model.native.lineEdit().editingFinished.connect(self._list_methods)
        self.model.changed.connect(self._list_methods)

    def changes(self) -> list[Any]:
        """Return the signals that tell of another value; edited text counts when it is complete."""
        names, texts = (self.model, self.sam, self.features), (self.channels, self.more_images)
        lines = [*(box.native.lineEdit() for box in names), *(text.native for text in texts)]
        others = (self.method, self.device, self.channel_axis, self.cut, self.links, self.tiles)
        boxes = (*names, *others, self.level, self.min_area, self.gaps)
        return [*(line.editingFinished for line in lines), *(box.changed for box in boxes)]

    def choice(self) -> dict[str, str]:
        """Return the values of a :class:`ModelChoice`."""
        model, sam, features = (
            box.native.currentText().strip() for box in (self.model, self.sam, self.features)
        )
        return {
            "model": model or EMBEDDED,
            "method": self.method.value,
            "device": self.device.value,
            "sam": "" if sam == _OWN_SAM else sam,
            "features": "" if features == _OWN_FEATURES else features,
        }

    def object_options(self) -> ObjectOptions:
        """Return how masks become objects."""
        least = self.min_area.value
        return ObjectOptions(method=self.cut.value, min_area=None if least < 0 else least)

    def link_options(self) -> LinkOptions:
        """Return what numbers mean from slice to slice."""
        return LinkOptions(rule=self.links.value, gaps=self.gaps.value)

    def chosen_ids(self) -> frozenset[int]:
        """Return the numbers that were typed; what is no number is passed over."""
        return frozenset(_numbers(self.ids))

    def image_choice(self) -> ImageChoice:
        """Return what of the image is chosen."""
        axis, channels = self.channel_axis.value, _numbers(self.channels)
        if not channels and axis >= 0 and self._lengths[axis] > MOST_COLOURS:
            channels = tuple(range(MOST_COLOURS))
        names = (name.strip() for name in self.more_images.value.split(","))
        return ImageChoice(
            level=min(self.level.value, int(self.level.max)),
            channel_axis=None if axis < 0 else axis,
            channels=channels or None,
            more_images=tuple(name for name in names if name),
        )

    def show_image(self, layer: Any) -> None:
        """Offer the resolutions and axes of an image layer; an axis named channels is chosen."""
        self.level.max = len(layer.data) - 1 if layer is not None and layer.multiscale else 0
        axes = 0 if layer is None or layer.rgb else max(0, layer.ndim - 2)
        self._lengths = () if layer is None else tuple(layer.data.shape[:axes])
        names = [f"{layer.axis_labels[i]} ({n})" for i, n in enumerate(self._lengths)]
        named = (i for i in range(axes) if own_label(layer, i) in ("c", "ch"))
        few = (i for i in named if 1 < self._lengths[i] <= _MOST_CHANNELS)
        with self.channel_axis.changed.blocked():
            self.channel_axis.choices = [_NO_AXIS, *((name, i) for i, name in enumerate(names))]
            self.channel_axis.value = next(few, _NO_AXIS[1])

    def _list_methods(self) -> None:
        """List what can be used with the model; a SAM may be named for those that need one."""
        embedded = self.choice()["model"] == EMBEDDED
        names = usable_methods(embedded=embedded, sam=True)
        if names != list(self.method.choices):
            self.method.choices = names
            for i in range(len(names)):  # new ones stand behind those that stay
                name = self.method.native.itemText(i)
                self.method.native.setItemData(i, METHODS[name].summary, _TIP)

    def _list_weights(self, opened: bool = True) -> None:
        """List what is here and what can be had, once somebody looks."""
        if not opened or self._listed:
            return
        self._listed = True
        from hub_weights import in_bytes, list_weights

        boxes = {"model": self.model, "sam": self.sam, "backbone": self.features}
        typed = {kind: box.native.currentText() for kind, box in boxes.items()}
        for weights in list_weights():
            box = boxes.get(weights.kind)
            if box is None:
                continue
            if weights.name not in box.choices:
                box.set_choice(weights.name)
            size = "" if weights.size is None else f", {in_bytes(weights.size)}"
            about = f"{weights.purpose}: {weights.state}{size}, {weights.license}"
            box.native.setItemData(box.native.findText(weights.name), about, _TIP)
        for kind, box in boxes.items():
            box.native.setEditText(typed[kind])  # a tip on the chosen item brought its text back


def _line(title: str, tip: str, empty: str = "", *, value: str = "") -> LineEdit:
    line = LineEdit(label=title, value=value, tooltip=tip)
    line.native.setPlaceholderText(empty)
    return line


def _combo(title: str, tip: str, *choices: Any) -> ComboBox:
    combo: ComboBox = ComboBox(label=title, choices=choices, tooltip=tip)
    policy = combo.native.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    combo.native.setSizeAdjustPolicy(policy)
    combo.native.setMinimumContentsLength(8)
    return combo


def _names(title: str, tip: str, first: str) -> ComboBox:
    """Return a list of names in which others can be typed."""
    combo = _combo(title, tip, first)
    combo.native.setEditable(True)
    return combo


def _numbers(line: LineEdit) -> tuple[int, ...]:
    return tuple(int(p) for p in line.value.replace(",", " ").split() if p.isdecimal())
