"""Image layers as a stack of planes, and where each plane lies in the layer and in the world."""

from __future__ import annotations

import itertools
import math
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_plugin.layer_frame import LayerFrame, matrix_of
from vrpsam_app.errors import ImageError
from vrpsam_app.stacks.axes import FileImage, axis_name, to_stack
from vrpsam_app.stacks.stack import PixelSize, Stack, unit_of_length

if TYPE_CHECKING:
    from napari.layers import Image

Index = tuple[int, ...]
# Names that planes need for themselves, and what an axis is called that has one of them.
_RESERVED = frozenset({"y", "x", "s", "c"})
_FREE = "ijklmnop"
# Layers whose pixels nowhere differ by more than this part of one lie in the same place.
_SAME_PLACE = 1e-3


@dataclass(frozen=True, eq=False)
class LayerPlanes:
    """What the model is asked about: planes of one image layer, or of several shown as colours.

    Attributes
    ----------
    stack : the planes, lazily; axes of length one are left out
    frame : the result's axes in the world
    leading : result axis of each leading axis of the stack
    rows_cols : result axes of rows and columns
    name : of the layer, or of all of them
    key : what is the same as long as layers, their data, resolution and channels are
    source : file that the layer was opened from; None for several layers, and for data that are no
        file's as far as :func:`follow_data` saw
    channels : that were chosen of the channel axis; None for what there is
    """

    stack: Stack
    frame: LayerFrame
    leading: tuple[int, ...]
    rows_cols: tuple[int, int]
    name: str
    key: str
    source: Path | None = None
    channels: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        layers: Image | Sequence[Image],
        *,
        shown: tuple[int, int] | None = None,
        level: int = 0,
        channel_axis: int | None = None,
        channels: Sequence[int] | None = None,
    ) -> LayerPlanes:
        """Take image layers as they are; no pixel is read.

        Parameters
        ----------
        layers : one layer, or two or three of equal shape that are shown as colours
        shown : axes of the layer that are rows and columns, negative from the end
            None takes the last two; others are what a person sees after rolling the axes.
        level : of a multiscale layer, 0 for the finest
        channel_axis : axis of a single layer that holds channels, from 0; None if there is none
        channels : which of them, at most three; None shows what there is

        Raises
        ------
        ImageError
            If layers do not belong together, or an axis or level is not there.
        """
        layers = [layers] if not isinstance(layers, Sequence) else list(layers)
        if not layers:
            raise ImageError("No image layer is chosen: open an image, or choose one in the list.")
        first = layers[0]
        _check_alike(layers)
        arrays = [_array_of(layer, level) for layer in layers]
        rows, cols = _plane_axes(first, shown)
        if channel_axis is not None and (
            len(layers) > 1 or is_rgb(first) or channel_axis in (rows, cols)
        ):
            raise ImageError(
                f"Axis {channel_axis} of {first.name!r} cannot hold channels: it is shown as rows "
                "or columns, or the colours come from elsewhere. Choose another axis."
            )
        names = _axis_names(first, rows, cols, channel_axis)
        data = [_lazy(a, colour=is_rgb(first)) for a in arrays]
        axes = (*names, *(["s"] if is_rgb(first) else []))
        array: Any = data[0]
        if len(data) > 1:
            if is_rgb(first):
                raise ImageError(
                    "Several colour layers are chosen: expected one, or grey ones that are the "
                    "channels of one image."
                )
            array, axes = np.stack(data), ("c", *axes)
        name = " + ".join(layer.name for layer in layers)
        factors = _factors(first, arrays[0])
        size = _pixel_size(first, rows, cols, names, factors)
        stack = to_stack(FileImage(array, axes, Path(name), pixel_size=size), channels=channels)
        frame = LayerFrame.of(first, tuple(arrays[0].shape[: first.ndim]), factors, channel_axis)
        kept = frame.kept
        return cls(
            stack=stack,
            frame=frame,
            leading=tuple(kept.index(names.index(axis)) for axis in stack.axes),
            rows_cols=(kept.index(rows), kept.index(cols)),
            name=name,
            key="+".join(_data_key(layer) for layer in layers)
            + f"/{level}/{channel_axis}/{channels}/{rows},{cols}",
            source=_file_of(first) if len(layers) == 1 else None,
            channels=None if channels is None else tuple(channels),
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result: that of the layer, without colours and channels."""
        return self.frame.shape

    @property
    def is_turned(self) -> bool:
        """Whether planes are not the last two axes of the layer."""
        return self.rows_cols != (len(self.shape) - 2, len(self.shape) - 1)

    def shows(self, layer: Any) -> bool:
        """Whether a layer is among those that were taken, and all have the data they had then."""
        taken = set(self.key.partition("/")[0].split("+"))
        return _data_key(layer) in taken <= {_data_key(seen) for seen in list(_DATA_SEEN)}

    def place(self, index: Index) -> tuple[int | slice, ...]:
        """Return where a plane lies in the result, as an index that gives shape (rows, cols)."""
        place: list[int | slice] = [0] * len(self.shape)
        for axis, number in zip(self.leading, index, strict=True):
            place[axis] = number
        for axis in self.rows_cols:
            place[axis] = slice(None)
        return tuple(place)

    def index_at(self, point: Sequence[float]) -> Index:
        """Return the plane that a viewer shows.

        Parameters
        ----------
        point : position of the sliders in the world, ``viewer.dims.point``
        """
        data = self.frame.to_data(np.asarray([point], float))[0]
        return tuple(
            int(np.clip(round(data[axis]), 0, self.shape[axis] - 1)) for axis in self.leading
        )

    def indices_in(self, region: Sequence[Any]) -> set[Index]:
        """Return the planes of which a part of the result consists.

        Parameters
        ----------
        region : as the result would be indexed: slices, numbers, or arrays of numbers
        """
        if any(isinstance(part, np.ndarray) and part.ndim for part in region):
            columns = [np.ravel(np.asarray(region[axis])) for axis in self.leading]
            if not columns:
                return {()}
            every = np.stack(np.broadcast_arrays(*columns), axis=1)
            return {tuple(int(n) for n in row) for row in np.unique(every, axis=0)}
        spans: list[Iterable[int]] = []
        for axis in self.leading:
            part = region[axis]
            length = self.shape[axis]
            spans.append(range(length)[part] if isinstance(part, slice) else [int(part)])
        return set(itertools.product(*spans))

    def positions(self, world: NDArray[Any]) -> tuple[list[Index], NDArray[np.float64]]:
        """Return plane and continuous (row, col) of points in the world.

        Parameters
        ----------
        world : shape (N, D)
            Of D axes the last ones count.

        Returns
        -------
        indices : of the nearest plane of each point; outside the stack as they come out
        row_col : shape (N, 2)
            Pixel i covers [i, i + 1), as everywhere in this package but in napari.
        """
        data = self.frame.to_data(world)
        leading = np.rint(data[:, list(self.leading)]).astype(int)
        indices = [tuple(int(n) for n in row) for row in leading]
        return indices, data[:, list(self.rows_cols)] + 0.5

    def holds(self, index: Index) -> bool:
        """Whether there is such a plane."""
        return all(0 <= n < m for n, m in zip(index, self.stack.leading_shape, strict=True))

    def words(self, index: Index) -> str:
        """Say which plane that is: ``t 3, z 12``; empty for a single plane."""
        return ", ".join(f"{a} {n}" for a, n in zip(self.stack.axes, index, strict=True))

    def like_layer(self) -> dict[str, Any]:
        """Return scale, translate and all else that lays the result over the image."""
        return self.frame.layer_arguments()

    def like_plane(self, index: Index) -> tuple[tuple[int, ...], dict[str, Any]]:
        """Return shape and arguments of a layer that holds one plane and shows only there."""
        shape = [1] * len(self.shape)
        for axis in self.rows_cols:
            shape[axis] = self.shape[axis]
        return tuple(shape), self.frame.layer_arguments(self._start(index))

    def lie_like(self, layer: Any, index: Index | None = None) -> bool:
        """Whether the pixels of a layer lie in the world where those of the result do.

        Parameters
        ----------
        index : of the plane that the layer begins with; None for all of them
        """
        if layer.ndim != len(self.shape):
            return False
        frame = self.frame.matrix(None if index is None else self._start(index))
        shift = np.linalg.inv(frame) @ matrix_of(layer) - np.eye(len(frame))
        return bool((np.abs(shift) * [*self.shape, 1] <= _SAME_PLACE).all())

    def _start(self, index: Index) -> tuple[int, ...]:
        """Return the first pixel of a plane along each axis of the result."""
        return tuple(0 if isinstance(at, slice) else at for at in self.place(index))


def is_rgb(layer: Any) -> bool:
    """Whether the last axis of a layer's data holds colours; labels have none."""
    return bool(getattr(layer, "rgb", False))


def _check_alike(layers: Sequence[Any]) -> None:
    """Refuse layers that are no channels of one image."""
    first = layers[0]
    if len(layers) > 3:
        raise ImageError(
            f"{len(layers)} image layers are chosen: expected one, or two or three to show as "
            "colours."
        )
    for other in layers[1:]:
        same = (
            other.data.shape == first.data.shape
            and is_rgb(other) == is_rgb(first)
            and np.allclose(other.scale, first.scale)
            and np.allclose(other.translate, first.translate)
        )
        if not same:
            raise ImageError(
                f"{other.name!r} has shape {tuple(other.data.shape)} and scale "
                f"{tuple(map(float, other.scale))}, {first.name!r} {tuple(first.data.shape)} and "
                f"{tuple(map(float, first.scale))}: channels of one image have the same. Choose "
                "one of them."
            )


_DATA_SEEN: weakref.WeakKeyDictionary[Any, tuple[Any, int]] = weakref.WeakKeyDictionary()


def _data_key(layer: Any) -> str:
    """Name a layer and the data that it has now: `layer.data = ...` makes another image of it."""
    layer = getattr(layer, "__wrapped__", layer)
    data = getattr(layer.data, "__wrapped__", layer.data)
    seen, number = _DATA_SEEN.get(layer, (data, 0))
    number += seen is not data
    _DATA_SEEN[layer] = data, number
    return f"{getattr(layer, 'unique_id', id(layer))}.{number}"


def follow_data(layer: Any) -> None:
    """Count from now on how often an image layer is given other data; no layer of another kind.

    Only so :attr:`LayerPlanes.source` can tell that data are no longer those of the file: what was
    put into a layer earlier, or changed within the array, nobody knows.
    """
    layer = getattr(layer, "__wrapped__", layer)
    if hasattr(layer, "rgb"):
        _data_key(layer)
        layer.events.data.connect(_count_data)


def _count_data(event: Any) -> None:
    _data_key(event.source)


def _file_of(layer: Any) -> Path | None:
    """Return the file that the data of a layer were opened from."""
    path = getattr(getattr(layer, "source", None), "path", None)
    return Path(path) if path and _data_key(layer).endswith(".0") else None


def _array_of(layer: Any, level: int) -> Any:
    """Return the array of a layer at a level, as it is stored."""
    data = layer.data
    if layer.multiscale:
        if not 0 <= level < len(data):
            raise ImageError(
                f"{layer.name!r} has {len(data)} resolutions: expected one from 0 to "
                f"{len(data) - 1}, not {level}."
            )
        data = data[level]
    # A labelled array keeps its own, lazy or not, under this name.
    return data.data if type(data).__module__.partition(".")[0] == "xarray" else data


def _plane_axes(layer: Any, shown: tuple[int, int] | None) -> tuple[int, int]:
    ndim = layer.ndim
    if ndim < 2:
        raise ImageError(f"{layer.name!r} has {ndim} axis: expected at least two.")
    seen = sorted({axis % ndim for axis in shown or (-2, -1) if -ndim <= axis < ndim})
    if len(seen) != 2:
        raise ImageError(
            f"{layer.name!r} has {ndim} axes and the viewer shows others: show the image itself, "
            "or choose the layer that is shown."
        )
    return seen[0], seen[1]


def _axis_names(layer: Any, rows: int, cols: int, channel_axis: int | None) -> tuple[str, ...]:
    """Return a name for each axis of a layer: y and x are what is shown as a plane."""
    leading = [i for i in range(layer.ndim) if i not in (rows, cols, channel_axis)]
    given = {i: own_label(layer, i) for i in leading}
    unknown = [i for i in leading if not given[i]]
    taken = {name for name in given.values() if name}
    usual = [name for name in ("z", "t") if name not in taken]
    # The last unnamed axis is z, the one before it t, as readers of files have it.
    for i, name in zip(reversed(unknown), [*usual, *_FREE], strict=False):
        given[i] = name
    names = {**given, rows: "y", cols: "x"}
    if channel_axis is not None:
        names[channel_axis] = "c"
    seen: set[str] = set()
    for i in range(layer.ndim):
        name = names[i]
        if i in leading and (name in _RESERVED or name in seen):
            name = next(f for f in _FREE if f not in seen and f not in names.values())
            names[i] = name
        seen.add(name)
    return tuple(names[i] for i in range(layer.ndim))


def own_label(layer: Any, axis: int) -> str:
    """Return the name that a person or reader gave an axis, as this package spells it.

    Empty where there is only napari's own, which is a number.
    """
    labels = getattr(layer, "axis_labels", ())
    label = str(labels[axis]) if axis < len(labels) else ""
    return "" if label.lstrip("-").isdecimal() else axis_name(label)


def _lazy(array: Any, *, colour: bool) -> Any:
    """Return a lazy array of the same shape; one that is lazy keeps its chunks."""
    leading = len(array.shape) - 2 - colour
    axes = [f"axis {i}" for i in range(leading)]
    return Stack.from_array(array, axes=axes, color=colour).data


def _factors(layer: Any, array: Any) -> tuple[float, ...]:
    """Return how many of the layer's pixels one of the chosen level's covers, for each axis."""
    whole = tuple(layer.data.shape[: layer.ndim])
    return tuple(n / m for n, m in zip(whole, array.shape[: layer.ndim], strict=True))


def _pixel_size(
    layer: Any, rows: int, cols: int, names: Sequence[str], factors: Sequence[float]
) -> PixelSize | None:
    """Return the physical size of pixels if the layer's units are lengths."""
    units = [unit_of_length(str(unit)) for unit in layer.units]
    distances = np.abs(np.asarray(layer.scale, float)) * np.asarray(factors)

    def in_unit_of_rows(axis: int) -> float | None:
        unit = units[axis]
        if unit is None or not distances[axis] > 0 or not math.isfinite(distances[axis]):
            return None
        return PixelSize(distances[axis], distances[axis], unit=unit).to(units[rows] or "um").row

    if units[rows] is None or (row := in_unit_of_rows(rows)) is None:
        return None
    col = in_unit_of_rows(cols)
    if col is None:
        return None
    plane = in_unit_of_rows(names.index("z")) if "z" in names else None
    return PixelSize(row, col, plane, units[rows] or "um")
