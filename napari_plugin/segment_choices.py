"""From what is chosen in the segment widget to what marks mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from napari_plugin.layer_annotations import LabelsMeaning
from napari_plugin.marks_layers import (
    MarksMeaning,
    marks_layers,
    marks_meaning,
    no_marks_any_more,
    say_meaning,
)
from napari_plugin.result_record import METADATA_KEY


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
