"""What of an image layer a person chose, and the planes that all panels make of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from napari_plugin.layer_frame import matrix_of
from napari_plugin.layer_planes import LayerPlanes
from vrpsam_app.errors import ImageError


@dataclass(frozen=True, slots=True)
class ImageChoice:
    """What of an image layer is shown to the model.

    Attributes
    ----------
    level : of a multiscale layer, 0 for the finest
    channel_axis : axis that holds channels; None if there is none
    channels : which of them; None for what there is
    more_images : names of other layers that are channels of the same image
    """

    level: int = 0
    channel_axis: int | None = None
    channels: tuple[int, ...] | None = None
    more_images: tuple[str, ...] = ()


def image_planes(
    viewer: Any, layer: Any, choice: ImageChoice
) -> tuple[tuple[object, ...], Callable[[], LayerPlanes]]:
    """Return what the planes depend on, and a call that makes them as the viewer shows them.

    Raises
    ------
    ImageError
        If no image is chosen, or a named layer is not there.
    """
    if layer is None:
        raise ImageError("No image layer is chosen: open an image.")
    layers = [layer, *_named(viewer, choice.more_images)]
    shown = tuple(viewer.dims.displayed)[-2:]
    offset = viewer.dims.ndim - layer.ndim
    axes = tuple(axis - offset for axis in shown)
    turned = None if axes == (layer.ndim - 2, layer.ndim - 1) else axes

    def make() -> LayerPlanes:
        return LayerPlanes.of(
            layers if len(layers) > 1 else layer,
            shown=turned if turned is None else (turned[0], turned[1]),
            level=choice.level,
            channel_axis=choice.channel_axis,
            channels=choice.channels,
        )

    places = tuple((id(x), id(x.data), matrix_of(x).tobytes()) for x in layers)
    return (places, turned, choice), make


def _named(viewer: Any, names: Sequence[str]) -> list[Any]:
    """Return the layers whose names were typed."""
    unknown = [name for name in names if name not in viewer.layers]
    if unknown:
        raise ImageError(
            f"There is no layer {unknown[0]!r}: type the names of image layers, with commas "
            "between."
        )
    return [getattr(viewer.layers[name], "__wrapped__", viewer.layers[name]) for name in names]
