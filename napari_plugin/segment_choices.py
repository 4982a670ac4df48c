"""From what is chosen in the segment widget to planes and marks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from napari_plugin.advanced_form import AdvancedForm
from napari_plugin.layer_annotations import LabelsMeaning
from napari_plugin.layer_planes import LayerPlanes
from napari_plugin.marks_layers import (
    MarksMeaning,
    marks_layers,
    marks_meaning,
    no_marks_any_more,
    say_meaning,
)
from napari_plugin.result_record import METADATA_KEY
from napari_plugin.segment_form import SegmentForm
from vrpsam_app.errors import ImageError


def image_planes(
    viewer: Any, form: SegmentForm, advanced: AdvancedForm
) -> tuple[tuple[object, ...], Callable[[], LayerPlanes]]:
    """Return what the planes depend on, and a call that makes them.

    Raises
    ------
    ImageError
        If no image is chosen, or a named layer is not there.
    """
    layer = form.image.layer
    if layer is None:
        raise ImageError("No image layer is chosen: open an image.")
    layers = [layer, *_named(viewer, advanced.more_images.value)]
    shown = tuple(viewer.dims.displayed)[-2:]
    offset = viewer.dims.ndim - layer.ndim
    axes = tuple(axis - offset for axis in shown)
    level = min(advanced.level.value, int(advanced.level.max))
    channel_axis, channels = advanced.chosen_channel_axis(), advanced.chosen_channels()
    turned = None if axes == (layer.ndim - 2, layer.ndim - 1) else axes

    def make() -> LayerPlanes:
        return LayerPlanes.of(
            layers if len(layers) > 1 else layer,
            shown=turned if turned is None else (turned[0], turned[1]),
            level=level,
            channel_axis=channel_axis,
            channels=channels,
        )

    key = (
        tuple((id(x), id(x.data), tuple(x.scale), tuple(x.translate)) for x in layers),
        turned,
        level,
        channel_axis,
        channels,
    )
    return key, make


def say_all_marked(viewer: Any, on: bool) -> None:
    """Say of all marks whether everything of their kind is marked."""
    for layer in marks_layers(viewer):
        meaning = marks_meaning(layer)
        if meaning is not None and meaning.all_marked != on:
            say_meaning(layer, replace(meaning, all_marked=on))


def take_marks_from(viewer: Any, layer: Any, ids: frozenset[int]) -> None:
    """Let the marks of a layer that a person has count, and those of no other such layer."""
    for other in marks_layers(viewer):
        held = other.metadata[METADATA_KEY]
        if held.get("taken") and other is not layer:
            held.pop("taken")
            no_marks_any_more(other)
    if layer is None:
        return
    before = marks_meaning(layer) or MarksMeaning()
    objects = type(layer).__name__ == "Labels"
    say_meaning(layer, replace(before, numbers=LabelsMeaning(objects, ids)))
    layer.metadata[METADATA_KEY]["taken"] = True


def _named(viewer: Any, text: str) -> list[Any]:
    """Return the layers whose names were typed."""
    names = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [name for name in names if name not in viewer.layers]
    if unknown:
        raise ImageError(
            f"There is no layer {unknown[0]!r}: type the names of image layers, with commas "
            "between."
        )
    return [getattr(viewer.layers[name], "__wrapped__", viewer.layers[name]) for name in names]
