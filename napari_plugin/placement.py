"""Where labels lie in the world: kept beside those that are saved, given back to their layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_plugin.layer_planes import LayerPlanes
from napari_plugin.session import unwrapped
from vrpsam_app.stacks.stack import Stack

SETTING = "layer"
"""Under which the settings of a saved recipe hold it."""
_ARGUMENTS = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def placement_of(layer: Any, planes: LayerPlanes) -> dict[str, Any]:
    """Return as plain values what a file of labels cannot say of their layer.

    Parameters
    ----------
    planes : of the layer, in the order in which they are written
    """
    layer = unwrapped(layer)
    return {
        "shape": list(planes.shape),
        "planes": [*planes.leading, *planes.rows_cols],
        "scale": np.asarray(layer.scale, float).tolist(),
        "translate": np.asarray(layer.translate, float).tolist(),
        "rotate": np.asarray(layer.rotate, float).tolist(),
        "shear": np.asarray(layer.shear, float).tolist(),
        "affine": np.asarray(layer.affine, float).tolist(),
        "units": [str(unit) for unit in layer.units],
        "axis_labels": list(layer.axis_labels),
    }


def placed(stack: Stack, said: object) -> tuple[Any, dict[str, Any], list[int]]:
    """Return saved labels as their layer had them, what places it, and its rows and columns.

    Parameters
    ----------
    stack : the labels that were read
    said : as `placement_of` gave it; where it is of others, the file alone tells

    Returns
    -------
    data : of the layer
    arguments : of the layer
    rows_cols : axes of the layer that are rows and columns of the planes
    """
    if not isinstance(said, Mapping) or not _is_of(stack, said):
        ndim = stack.data.ndim
        return stack.data, placed_like(stack), [ndim - 2, ndim - 1]
    arguments = {name: said[name] for name in _ARGUMENTS if name in said}
    axes = list(said["planes"])
    return laid_out(stack.data, axes, said["shape"]), arguments, axes[-2:]


def laid_out(values: Any, axes: Sequence[int], shape: Sequence[int]) -> Any:
    """Return planes as a layer has them.

    Parameters
    ----------
    values : the planes, those along the last axis running fastest
    axes : of the layer, one for each of the planes' own: leading ones, rows, columns
    shape : of the layer; axes that the planes do not have are of length one
    """
    apart = values.reshape([shape[axis] for axis in axes])
    order = sorted(range(len(axes)), key=axes.__getitem__)
    return apart.transpose(order).reshape(tuple(shape))


def placed_like(stack: Stack) -> dict[str, Any]:
    """Return scale, units and axis labels of a layer that shows a stack."""
    size = stack.pixel_size
    lengths = {"y": 1.0, "x": 1.0} if size is None else {"y": size.row, "x": size.col}
    if size is not None and size.plane is not None:
        lengths["z"] = size.plane
    axes = (*stack.axes, "y", "x")
    return {
        "scale": tuple(lengths.get(axis, 1.0) for axis in axes),
        "units": tuple(size.unit if size and axis in lengths else "pixel" for axis in axes),
        "axis_labels": axes,
    }


def _is_of(stack: Stack, said: Mapping[str, Any]) -> bool:
    """Tell whether a placement fits labels: somebody may have cropped them since."""
    try:
        shape, axes = said["shape"], said["planes"]
        there = tuple(shape[axis] for axis in axes) == tuple(stack.data.shape)
        return there and len(set(axes)) == len(axes) and math.prod(shape) == stack.data.size
    except (KeyError, IndexError, TypeError):
        return False
