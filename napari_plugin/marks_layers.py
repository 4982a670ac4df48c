"""Layers that are marked on: made over their image; their metadata say what the marks mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from napari_plugin.layer_annotations import CLASS, NOT_VALUE, POSITIVE, LabelsMeaning, class_name
from napari_plugin.layer_planes import Index, LayerPlanes
from napari_plugin.result_record import METADATA_KEY
from vrpsam_app.overlays import NEGATIVE_COLOR

Tool = Literal["brush", "points", "box", "outline", "stroke"]

_YELLOW, _RED = "#ffd23f", "#{:02x}{:02x}{:02x}".format(*NEGATIVE_COLOR)
_NAMES: Mapping[Tool, str] = {
    "brush": "Marks",
    "points": "Marked points",
    "box": "Marked shapes",
    "outline": "Marked shapes",
    "stroke": "Marked shapes",
}
_MODES: Mapping[Tool, str] = {
    "brush": "paint",
    "points": "add",
    "box": "add_rectangle",
    "outline": "add_polygon_lasso",
    "stroke": "add_path",
}
# Brush and strokes are drawn this wide, as a share of the plane's shorter side.
_BRUSH_SHARE = 0.03
_MOST_BRUSHED = 2**28
"""Voxels up to which brushed marks have the shape of the image; above it they have one plane."""


@dataclass(frozen=True, eq=False)
class MarksMeaning:
    """What the marks of a layer mean.

    Attributes
    ----------
    classes : names of the numbers of a Labels layer; the first one is that of all other marks
    all_marked : whether everything of each kind is marked on the slices that are
    numbers : of a Labels layer
    """

    classes: Mapping[int, str] = field(default_factory=dict)
    all_marked: bool = False
    numbers: LabelsMeaning = field(default_factory=LabelsMeaning)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as a layer's metadata hold them."""
        said: dict[str, Any] = {"classes": dict(self.classes), "all_marked": self.all_marked}
        if self.numbers.objects:
            said |= {"objects": True, "ids": sorted(self.numbers.ids)}
        return said


def marks_meaning(layer: Any) -> MarksMeaning | None:
    """Return what the marks of a layer mean, None if it is no layer of marks."""
    held = (getattr(layer, "metadata", None) or {}).get(METADATA_KEY)
    said = held.get("marks") if isinstance(held, Mapping) else None
    if not isinstance(said, Mapping):
        return None
    classes = said.get("classes")
    named = classes.items() if isinstance(classes, Mapping) else ()
    return MarksMeaning(
        {int(number): str(name) for number, name in named},
        bool(said.get("all_marked", False)),
        LabelsMeaning(bool(said.get("objects", False)), frozenset(said.get("ids", ()))),
    )


def say_meaning(layer: Any, meaning: MarksMeaning) -> None:
    """Make a layer one of marks, or change what they mean; its data stay as they are."""
    held = dict((layer.metadata or {}).get(METADATA_KEY) or {})
    layer.metadata[METADATA_KEY] = {**held, "marks": meaning.to_json()}


def no_marks_any_more(layer: Any) -> None:
    """Take a layer from those whose marks count; its data stay as they are."""
    held = dict((layer.metadata or {}).get(METADATA_KEY) or {})
    held.pop("marks", None)
    layer.metadata[METADATA_KEY] = held


def marks_layers(viewer: Any) -> list[Any]:
    """Return the layers of marks of a viewer, in the order of its list."""
    return [layer for layer in viewer.layers if marks_meaning(layer) is not None]


def pick_tool(
    viewer: Any, planes: LayerPlanes, index: Index, tool: Tool, label: str, positive: bool
) -> Any:
    """Select the layer for a tool, making it if there is none, and take the tool in hand.

    Parameters
    ----------
    index : plane that is shown, where a large image is brushed on
    label : class of the next marks
    positive : whether they are on the object
    """
    kind = {"brush": "Labels", "points": "Points"}.get(tool, "Shapes")
    own = (m for m in reversed(marks_layers(viewer)) if _kind(m) == kind and _is_own(m))
    layer = next((m for m in own if _covers(m, planes, index)), None)
    if layer is None:
        layer = _made(viewer, planes, index, tool)
    viewer.layers.selection.active = getattr(layer, "__wrapped__", layer)
    layer.visible = True
    say_next(layer, label, positive)
    layer.mode = _MODES[tool]
    if tool == "stroke":
        layer.current_edge_width = _brush_size(planes)
    return layer


def tool_in_hand(viewer: Any) -> Tool | None:
    """Return the tool that marks are made with now, None if the active layer is in other use."""
    layer = viewer.layers.selection.active
    if layer is None or marks_meaning(layer) is None:
        return None
    return next((tool for tool, mode in _MODES.items() if mode == layer.mode), None)


def say_next(layer: Any, label: str, positive: bool) -> None:
    """Say what the next marks on a layer mean."""
    if _kind(layer) == "Labels":
        layer.selected_label = _number_of(layer, label) if positive else NOT_VALUE
        return
    layer.selected_data = set()  # else the marks that are selected would change as well
    layer.feature_defaults = {CLASS: [label], POSITIVE: [positive]}
    colour = _YELLOW if positive else _RED
    if _kind(layer) == "Points":
        layer.current_face_color = colour
    else:
        layer.current_edge_color = colour


def _made(viewer: Any, planes: LayerPlanes, index: Index, tool: Tool) -> Any:
    name, like = _NAMES[tool], planes.like_layer()
    if tool == "brush":
        shape = planes.shape
        if int(np.prod(shape, dtype=np.int64)) > _MOST_BRUSHED:
            shape, like = planes.like_plane(index)
        layer = viewer.add_labels(np.zeros(shape, np.uint8), name=name, opacity=0.5, **like)
        layer.colormap = _brush_colours()
        layer.brush_size = _brush_size(planes)
    elif tool == "points":
        layer = viewer.add_points(
            ndim=len(planes.shape),
            name=name,
            features={CLASS: np.empty(0, object), POSITIVE: np.empty(0, bool)},
            size=max(4.0, min(planes.stack.plane_hw) / 40),
            border_color="black",
            face_color=_YELLOW,
            **like,
        )
    else:
        layer = viewer.add_shapes(
            ndim=len(planes.shape),
            name=name,
            features={CLASS: np.empty(0, object), POSITIVE: np.empty(0, bool)},
            edge_color=_YELLOW,
            face_color="transparent",
            edge_width=max(1.0, min(planes.stack.plane_hw) / 250),
            **like,
        )
    say_meaning(layer, MarksMeaning())
    return layer


def _number_of(layer: Any, label: str) -> int:
    """Return the number of a class on a Labels layer, naming a new one where it has none."""
    meaning = marks_meaning(layer) or MarksMeaning()
    known = {class_name(n, meaning.classes): n for n in {1, *meaning.classes}}
    if label in known:
        return known[label]
    painted = bool(np.any(np.asarray(layer.data) == 1)) if 1 not in meaning.classes else True
    number = 1 if not painted else next(n for n in range(1, NOT_VALUE) if n not in meaning.classes)
    classes = {**meaning.classes, number: label}
    if painted and 1 not in classes:
        classes[1] = class_name(1, {})
    say_meaning(layer, MarksMeaning(classes, meaning.all_marked, meaning.numbers))
    return number


def _covers(layer: Any, planes: LayerPlanes, index: Index) -> bool:
    """Tell whether a layer of marks lies over an image; one of labels has the pixels of a plane."""
    if _kind(layer) != "Labels":
        return planes.lie_like(layer)
    shape = tuple(layer.data.shape)
    if shape == planes.shape:
        return planes.lie_like(layer)
    return shape == planes.like_plane(index)[0] and planes.lie_like(layer, index)


def _is_own(layer: Any) -> bool:
    meaning = marks_meaning(layer)
    return meaning is not None and not meaning.numbers.objects


def _brush_size(planes: LayerPlanes) -> float:
    return max(3.0, round(_BRUSH_SHARE * min(planes.stack.plane_hw)))


def _brush_colours() -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    from napari_plugin.result_layers import class_colours

    colours = class_colours(64)
    colours[1] = _YELLOW
    colours[NOT_VALUE] = _RED
    return DirectLabelColormap(color_dict=colours)


def _kind(layer: Any) -> str:
    return type(getattr(layer, "__wrapped__", layer)).__name__
