"""What the segment widget says of the image that is chosen: what hides it, which channels count."""

from __future__ import annotations

from typing import Any

from napari_plugin.image_choice import ImageChoice
from napari_plugin.session import unwrapped

_HIDING = ("opaque", "translucent", "translucent_no_depth")
"""Of napari's ways to blend layers, those that let nothing through at full opacity."""


def image_words(viewer: Any, layer: Any, choice: ImageChoice) -> str:
    """Say what a person could take wrongly of the chosen image; empty if nothing."""
    layer = unwrapped(layer)
    layers = [unwrapped(each) for each in viewer.layers]
    if layer not in layers:
        return ""
    said = [_channels(layer, choice)]
    above = layers[layers.index(layer) + 1 :] if layer.visible else layers
    hiding = [other for other in above if _hides(other, layer, choice)]
    if hiding:
        said.append(f"Marks go to {layer.name!r}, which is hidden by {hiding[-1].name!r}.")
    return " ".join(filter(None, said))


def _channels(layer: Any, choice: ImageChoice) -> str:
    axis = choice.channel_axis
    if axis is None:
        return ""
    count = layer.data.shape[axis]
    shown = range(count) if choice.channels is None else choice.channels
    if len(shown) == count:
        return f"{count} channels as one image."
    only = f"only {shown[0]}" if len(shown) == 1 else f"{', '.join(map(str, shown))} as one image"
    return f"Of {count} channels {only}; others under Advanced."


def _hides(other: Any, layer: Any, choice: ImageChoice) -> bool:
    """Tell whether an image lies over the middle of another, so that this one is not seen."""
    if (
        type(other).__name__ != "Image"
        or other is layer
        or other.name in choice.more_images  # channels of the same image
        or not other.visible
        or other.opacity < 1
        or other.blending not in _HIDING
    ):
        return False
    low, high = (corner[-2:] for corner in layer.extent.world)
    over_low, over_high = (corner[-2:] for corner in other.extent.world)
    middle = (low + high) / 2
    return bool((over_low <= middle).all() and (middle <= over_high).all())
