"""Result layers: made over their image, written plane by plane, undone."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_plugin.layer_planes import Index, LayerPlanes
from napari_plugin.result_record import ResultRecord
from napari_plugin.run_state import RunState
from napari_plugin.session import Session
from vrpsam_app.errors import ImageError
from vrpsam_app.output_paths import prepare_folder
from vrpsam_app.overlays import PALETTE
from vrpsam_app.stack_runs.result_array import ResultArray, ResultLayout

_OPACITY = 0.55
_MOST_CLASSES = 64


def dtype_of(objects: bool) -> np.dtype[Any]:
    """Return the type of a result: object numbers need room, classes do not."""
    return np.dtype(np.int32 if objects else np.uint8)


def is_large(planes: LayerPlanes, objects: bool, memory_mb: float) -> bool:
    """Tell whether a result goes to disk."""
    return math.prod(planes.shape) * dtype_of(objects).itemsize > memory_mb * 2**20


def empty_data(planes: LayerPlanes, objects: bool, folder: Path | None) -> Any:
    """Return an array of the result's shape, in memory, or on disk in `folder`.

    Raises
    ------
    ImageError
        If planes are not the last two axes and the result is too large for memory.
    OutputError
        If the folder cannot be written.
    """
    dtype = dtype_of(objects)
    if folder is None:
        return np.zeros(planes.shape, dtype)
    if planes.is_turned:
        raise ImageError(
            f"{planes.name!r} is shown with its axes turned, and its result is too large for "
            "memory: show rows and columns as they are stored (reset the order of the axes), or "
            "raise the largest result in memory in the preferences."
        )
    prepare_folder(folder.parent)
    axes = tuple(f"axis {i}" for i in range(len(planes.shape) - 2))
    hw = (planes.shape[-2], planes.shape[-1])
    layout = ResultLayout(axes, planes.shape[:-2], hw, dtype)
    return ResultArray.create(folder, layout, {}).array


def run_folder(session: Session, planes: LayerPlanes) -> Path:
    """Return a folder for the result of a run that is too large for memory."""
    plain = re.sub(r"[^\w.-]+", "_", planes.name).strip("_.")[:60] or "image"
    return session.preferences.results_folder / plain


def free_folder(folder: Path, stem: str) -> Path:
    """Return a name in a folder that is not taken: ``labels.zarr``, ``labels_2.zarr`` ..."""
    path, number = folder / f"{stem}.zarr", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}_{number}.zarr"
    return path


def result_of(viewer: Any, session: Session, planes: LayerPlanes) -> ResultRecord | None:
    """Return the newest result of the same image that is still there and lies over it."""
    for record in reversed(session.results):
        layer = record.layer
        there = layer is not None and layer in viewer.layers
        if there and record.planes.key == planes.key and planes.lie_like(layer):
            return record
    return None


def add_result_layer(
    viewer: Any, session: Session, planes: LayerPlanes, state: RunState
) -> ResultRecord:
    """Add a Labels layer with the data of a state, and remember what it is."""
    arguments = planes.like_layer()
    if state.settings.objects is None:  # classes have the colours that all surfaces give them
        from napari.utils.colormaps import DirectLabelColormap

        arguments["colormap"] = DirectLabelColormap(color_dict=class_colours(len(PALETTE)))
    layer = viewer.add_labels(
        state.data, name=f"{planes.name} result", opacity=_OPACITY, **arguments
    )
    layer = getattr(layer, "__wrapped__", layer)
    if np.dtype(state.data.dtype) == dtype_of(objects=False):
        layer.colormap = class_colormap(_MOST_CLASSES)
    record = ResultRecord(layer, planes, state)
    session.add_result(record)
    record.tell_layer()
    return record


def write_plane(record: ResultRecord, index: Index, values: NDArray[Any]) -> None:
    """Write the numbers of a plane; nothing is redrawn, and Ctrl+Z does not take it back."""
    record.state.data[record.planes.place(index)] = values


def write_undoable(record: ResultRecord, index: Index, values: NDArray[Any]) -> bool:
    """Write a plane so that Ctrl+Z in the layer takes it back; returns whether anything changed."""
    layer = record.layer
    old = record.plane(index)
    rows, cols = np.nonzero(old != values)
    if layer is None or not len(rows):
        return False
    place: list[Any] = []
    row_axis, col_axis = record.planes.rows_cols
    for axis, at in enumerate(record.planes.place(index)):
        where = {row_axis: rows, col_axis: cols}.get(axis)
        place.append(np.full(len(rows), at) if where is None else where)
    with record.writing(), layer.block_history():
        layer.data_setitem(tuple(place), values[rows, cols].astype(old.dtype))
    return True


def class_colormap(count: int) -> Any:
    """Return a colormap for layers of classes."""
    from napari.utils.colormaps import DirectLabelColormap

    return DirectLabelColormap(color_dict=class_colours(count))


def class_colours(count: int) -> dict[int | None, Any]:
    """Return the colours of classes, those of all surfaces; None stands for what has none."""
    colours: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    for i in range(count):
        colours[i + 1] = np.array([*(c / 255 for c in PALETTE[i % len(PALETTE)]), 1.0])
    return colours
