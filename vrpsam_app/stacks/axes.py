"""From the axes of a file to planes: rows and columns last, channels as grey or as colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vrpsam_app.errors import ImageError
from vrpsam_app.output_paths import free_name
from vrpsam_app.stacks.stack import PixelSize, Stack

if TYPE_CHECKING:
    import dask.array as da

# An axis that its file gives no name.
UNKNOWN = ""
# What unnamed axes are taken for, the last one first: as ImageJ takes pages without names.
_TAKEN_FOR = ("z", "t", "i", "j", "k", "l", "m", "n")
# Channels that are shown as colours when nobody chooses; of more, a person has to.
MOST_COLOURS = 3
_MOST_NAMED = 12
_SAMPLE_NAMES = ("red", "green", "blue", "opacity")
_NAMED_IN_WORDS = {
    "time": "t",
    "frame": "t",
    "frames": "t",
    "depth": "z",
    "plane": "z",
    "planes": "z",
    "slice": "z",
    "channel": "c",
    "channels": "c",
    "row": "y",
    "rows": "y",
    "height": "y",
    "col": "x",
    "cols": "x",
    "column": "x",
    "columns": "x",
    "width": "x",
    "rgb": "s",
    "samples": "s",
    "color": "s",
    "colour": "s",
}


@dataclass(frozen=True, eq=False)
class FileImage:
    """What a file holds, with its axes in the order and under the names of the file.

    Attributes
    ----------
    data : lazy, as stored
    axes : a name for each axis of `data`
        "y" and "x" are rows and columns, "s" the samples of a colour, "c" channels; UNKNOWN where
        the file does not say.
    path : which file it is, for messages
    channel_names : names along "c", as far as they are known; of those shown as colours, once they
        are put together
    pixel_size : None if the file does not say
    scene : which of several images in the file it is; None if there is one
    """

    data: da.Array
    axes: tuple[str, ...]
    path: Path
    channel_names: tuple[str, ...] = ()
    pixel_size: PixelSize | None = None
    scene: str | None = field(default=None)

    @property
    def name(self) -> str:
        """The file's name, and the scene's where there are several."""
        return self.path.name if self.scene is None else f"{self.path.name}: {self.scene}"


def axis_name(name: str) -> str:
    """Return the name of an axis as this package spells it: ``Time`` is ``t``, ``row`` is ``y``."""
    lower = name.strip().lower()
    return _NAMED_IN_WORDS.get(lower, lower)


def axes_of_shape(shape: Sequence[int]) -> tuple[str, ...]:
    """Return the axes of an array that has no names.

    Parameters
    ----------
    shape : (..., rows, cols), or (..., rows, cols, 3 or 4) with colours last
    """
    colour = len(shape) >= 3 and shape[-1] in (3, 4)
    plane = ("y", "x", "s") if colour else ("y", "x")
    return (UNKNOWN,) * (len(shape) - len(plane)) + plane[max(0, len(plane) - len(shape)) :]


def to_stack(
    image: FileImage,
    *,
    channels: Sequence[int | str] | None = None,
    pixel_size: PixelSize | None = None,
    axes: Sequence[str] | None = None,
) -> Stack:
    """Put the planes last, show channels as grey or colours, and drop axes of length one.

    Parameters
    ----------
    image : what a reader found
    channels : which channels are shown, by number from 0 or by name
        One is shown as grey. Two as magenta and green (the first in red and blue, the second in
        green), three as red, green and blue in the order given; their values stay as they are, so
        one intensity range is laid over all of them. None shows what there is if it is at most
        three. Of a colour picture, one of its red, green and blue can be chosen.
    pixel_size : replaces the file's
    axes : a name for each axis of the file, replaces the file's
        Such as ``"tzyx"`` or ``("position", "y", "x")``.

    Returns
    -------
    stack : Stack
        Leading axes in the order of the file. One that the file does not name is "z"; of two, the
        first is "t", as ImageJ takes them.

    Raises
    ------
    ImageError
        If there are too many channels to show, no such channel, or axes that make no planes.
    """
    image = _with_names(image, axes)
    image = _samples_or_channels(image)
    image = _shown(image, channels)
    kept = [i for i, a in enumerate(image.axes) if a in ("y", "x") or image.data.shape[i] > 1]
    index = tuple(slice(None) if i in kept else 0 for i in range(image.data.ndim))
    return Stack(
        image.data[index],
        tuple(image.axes[i] for i in kept if image.axes[i] not in ("y", "x", "s")),
        "s" in image.axes,
        pixel_size or image.pixel_size,
        image.name,
        image.channel_names,
    )


def to_channels(
    image: FileImage,
    *,
    channels: Sequence[int | str] | None = None,
    pixel_size: PixelSize | None = None,
    axes: Sequence[str] | None = None,
) -> dict[str, Stack]:
    """Return each channel as a grey stack, by name; what cannot be told apart as one without name.

    Parameters
    ----------
    image, pixel_size, axes : as for :func:`to_stack`
    channels : which, by number from 0 or by name, as many as are wanted; None takes all

    Raises
    ------
    ImageError
        As for :func:`to_stack`.
    """
    named = _samples_or_channels(_with_names(image, axes))
    if "s" in named.axes or "c" not in named.axes:
        return {"": to_stack(image, channels=channels, pixel_size=pixel_size, axes=axes)}
    names = _names_along_c(named)
    chosen = range(len(names)) if channels is None else _numbers(channels, image, names)
    if len(chosen) == 1:
        return {"": to_stack(image, channels=chosen, pixel_size=pixel_size, axes=axes)}
    unused = _free_names(chosen, names)
    return {
        name: to_stack(image, channels=(number,), pixel_size=pixel_size, axes=axes)
        for name, number in zip(unused, chosen, strict=True)
    }


def _with_names(image: FileImage, axes: Sequence[str] | None) -> FileImage:
    """Name every axis once, and put rows, columns and samples last."""
    shape = image.data.shape
    names = list(image.axes) if axes is None else [axis_name(a) for a in axes]
    if axes is not None and len(names) != len(shape):
        raise ImageError(
            f"Axes {''.join(axes)!r} for {image.name} of shape {shape}: expected {len(shape)} "
            f"names, such as {''.join(_all_named(image.axes))!r}."
        )
    names = _all_named(names)
    if len(set(names)) < len(names) or not {"y", "x"} <= set(names):
        raise ImageError(
            f"{image.name} has axes {', '.join(names)} and shape {shape}: expected different "
            "names with y (rows) and x (columns) among them. Name them with axes, such as 'zyx'."
        )
    last = [names.index(a) for a in ("y", "x", "s") if a in names]
    order = [i for i in range(len(names)) if i not in last] + last
    data: Any = image.data
    return replace(image, data=data.transpose(order), axes=tuple(names[i] for i in order))


def _all_named(axes: Sequence[str]) -> list[str]:
    """Return the axes with a name for each unknown one."""
    free = (name for name in _TAKEN_FOR if name not in axes)
    named = [next(free, UNKNOWN) if name == UNKNOWN else name for name in reversed(axes)]
    return named[::-1]


def _samples_or_channels(image: FileImage) -> FileImage:
    """Keep samples that are RGB or RGBA; one sample is grey, other numbers are channels."""
    if "s" not in image.axes:
        return image
    samples = image.data.shape[-1]
    rest = image.axes[:-1]
    if samples in (3, 4):
        return image
    if samples == 1:
        return replace(image, data=image.data[..., 0], axes=rest)
    if "c" in rest and image.data.shape[rest.index("c")] > 1:
        raise ImageError(
            f"{image.name} has {image.data.shape[rest.index('c')]} channels of {samples} samples: "
            "expected samples that are RGB. Save one channel as a file of its own."
        )
    data: Any = image.data
    axes = image.axes
    if "c" in axes:  # of length one
        data, axes = (
            data[(slice(None),) * axes.index("c") + (0,)],
            tuple(a for a in axes if a != "c"),
        )
    return replace(image, data=np.moveaxis(data, -1, 0), axes=("c", *axes[:-1]), channel_names=())


def _shown(image: FileImage, channels: Sequence[int | str] | None) -> FileImage:
    """Choose channels, and put two or three of them together as colours."""
    colour = "s" in image.axes
    if "c" not in image.axes:
        image = replace(image, channel_names=())
        if channels is None:
            return image
        if not colour:
            _shown_numbers(channels, image, ("",))
            return image
        # A colour picture: its samples can be chosen from.
        names = _SAMPLE_NAMES[: image.data.shape[-1]]
        data: Any = image.data
        axes = ("c", *image.axes[:-1])
        image = replace(image, data=np.moveaxis(data, -1, 0), axes=axes, channel_names=names)
        colour = False
    at = image.axes.index("c")
    count = image.data.shape[at]
    names = _names_along_c(image)
    if channels is None and count > MOST_COLOURS:
        raise ImageError(
            f"{image.name} has {count} channels: {_listed(names)}. Choose one, or two or three "
            "to show as colours: channels=(0,) in Python, --channels 0 on the command line."
        )
    chosen = tuple(range(count)) if channels is None else _shown_numbers(channels, image, names)
    if colour and len(chosen) > 1:
        raise ImageError(
            f"{image.name} has {count} channels, each in colour: {_listed(names)}. Choose one."
        )
    planes = [image.data[(slice(None),) * at + (number,)] for number in chosen]
    axes = tuple(a for a in image.axes if a != "c")
    if len(planes) == 1:
        return replace(image, data=planes[0], axes=axes, channel_names=())
    if len(planes) == 2:
        planes = [planes[0], planes[1], planes[0]]
    stacked: Any = np.stack(planes, axis=-1)
    return replace(
        image,
        data=stacked.rechunk({stacked.ndim - 1: 3}),
        axes=(*axes, "s"),
        channel_names=_free_names(chosen, names),
    )


def _names_along_c(image: FileImage) -> tuple[str, ...]:
    """Return a name for each channel, empty where the file says none."""
    known, count = image.channel_names, image.data.shape[image.axes.index("c")]
    return tuple(known[i] if i < len(known) else "" for i in range(count))


def _free_names(chosen: Sequence[int], names: Sequence[str]) -> tuple[str, ...]:
    """Return a different name for each of the chosen channels."""
    taken: set[str] = set()
    return tuple(free_name(names[i] or f"channel{i}", taken) for i in chosen)


def _shown_numbers(
    channels: Sequence[int | str], image: FileImage, names: tuple[str, ...]
) -> tuple[int, ...]:
    """Return the numbers of channels that are chosen to be shown."""
    chosen = _numbers(channels, image, names)
    if not 1 <= len(chosen) <= MOST_COLOURS:
        raise ImageError(
            f"{len(chosen)} channels are chosen of {image.name}: expected one (grey), or two or "
            "three (colours)."
        )
    return chosen


def _numbers(
    channels: Sequence[int | str], image: FileImage, names: tuple[str, ...]
) -> tuple[int, ...]:
    """Return the numbers of chosen channels."""
    if isinstance(channels, (str, int)):
        channels = (channels,)
    lower = [name.lower() for name in names]
    found = []
    for channel in channels:
        if isinstance(channel, str):
            number = lower.index(channel.lower()) if channel.lower() in lower else -1
        else:
            number = int(channel)
        if not 0 <= number < len(names):
            raise ImageError(
                f"{image.name} has no channel {channel!r}. It has {len(names)}: {_listed(names)}."
            )
        found.append(number)
    return tuple(found)


def _listed(names: Sequence[str]) -> str:
    listed = [f"{i} {name!r}" if name else str(i) for i, name in enumerate(names[:_MOST_NAMED])]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(listed) + more
