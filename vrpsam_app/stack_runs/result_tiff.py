"""A finished result as one TIFF file that ImageJ opens with its axes and pixel size."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.readers.stated_size import OWN_SIZE
from vrpsam_app.readers.tiff_metadata import OWN_AXES
from vrpsam_app.stack_runs.result_array import BAND_ROWS, ResultArray, ResultLayout, cannot_write

# Classic TIFF ends at 4 GB; the file is smaller than its pixels, but nobody knows by how much.
_MOST_BYTES_OF_IMAGEJ = 2**32 - 2**25
LARGE_PLANE = 2**26
"""Bytes of a plane above which it is written in tiles."""
_IMAGEJ_ORDER = "tzc"
_IMAGEJ_TYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))
_OME_AXES = frozenset("tzc")
# Namespace of the identifiers of OME-TIFF files: equal results are equal files.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "vrpsam-app/result")


def write_result_tiff(path: Path, result: ResultArray, name: str) -> None:
    """Write a complete result so that nobody ever sees part of the file.

    Parameters
    ----------
    path : replaced if it exists
    result : of which one plane, or one band of rows, is read at a time
    name : from which the identifier of an OME-TIFF is made

    Raises
    ------
    OutputError
        If it cannot be written. Nothing is left behind.

    Notes
    -----
    Up to 4 GB with the axes t, z, c: ImageJ's own TIFF. Above, or in another order: OME-TIFF in
    BigTIFF. Of axes that neither knows, names and pixel size stand where only this package looks.
    """
    import tifffile

    layout = result.layout
    shape = layout.leading_shape + layout.plane_hw
    kind, metadata, resolution = _description(layout, name)
    large = math.prod(layout.plane_hw) * layout.dtype.itemsize > LARGE_PLANE
    partial = path.with_name(f".{path.name[:32]}-{secrets.token_hex(4)}.part")
    try:
        with tifffile.TiffWriter(
            partial,
            imagej=kind == "imagej",
            ome=kind == "ome",
            bigtiff=kind != "imagej" and _nbytes(layout) > _MOST_BYTES_OF_IMAGEJ,
        ) as file:
            file.write(
                _tiles(result) if large else _planes(result),
                shape=shape,
                dtype=layout.dtype,
                tile=(BAND_ROWS, BAND_ROWS) if large else None,
                photometric="minisblack",
                compression="zlib",
                metadata=metadata,
                resolution=resolution,
                resolutionunit="NONE",
            )
        os.replace(partial, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _description(
    layout: ResultLayout, name: str
) -> tuple[str, dict[str, Any], tuple[float, float] | None]:
    """Return the kind of TIFF, what it says of itself, and pixels per unit (x, y)."""
    axes = "".join(layout.axes) if all(len(axis) == 1 for axis in layout.axes) else "?"
    size = layout.pixel_size
    resolution = None if size is None else (1 / size.col, 1 / size.row)
    ordered = list(axes) == sorted(axes, key=_IMAGEJ_ORDER.find) and set(axes) <= _OME_AXES
    metadata: dict[str, Any]
    if ordered and layout.dtype in _IMAGEJ_TYPES and _nbytes(layout) <= _MOST_BYTES_OF_IMAGEJ:
        metadata = {"axes": f"{axes.upper()}YX"}
        if size is not None:
            metadata["unit"] = size.unit
            if size.plane is not None:
                metadata["spacing"] = size.plane
        return "imagej", metadata, resolution
    if set(axes) <= _OME_AXES:
        metadata = {"axes": f"{axes.upper()}YX", "UUID": str(uuid.uuid5(_NAMESPACE, name))}
        if size is not None:
            metric = size.to("um")
            metadata |= {"PhysicalSizeX": metric.col, "PhysicalSizeXUnit": "µm"}
            metadata |= {"PhysicalSizeY": metric.row, "PhysicalSizeYUnit": "µm"}
            if metric.plane is not None:
                metadata |= {"PhysicalSizeZ": metric.plane, "PhysicalSizeZUnit": "µm"}
        return "ome", metadata, resolution
    metadata = {OWN_AXES: [*layout.axes, "y", "x"]}
    if size is not None:
        metadata[OWN_SIZE] = asdict(size)
    return "plain", metadata, resolution


def _nbytes(layout: ResultLayout) -> int:
    return math.prod(layout.leading_shape + layout.plane_hw) * layout.dtype.itemsize


def _planes(result: ResultArray) -> Iterator[NDArray[Any]]:
    for index in np.ndindex(result.layout.leading_shape):
        yield result.read(index)


def _tiles(result: ResultArray) -> Iterator[NDArray[Any]]:
    """Yield square tiles of every plane, those at the border filled up with zeros."""
    side = BAND_ROWS
    height, width = result.layout.plane_hw
    for index in np.ndindex(result.layout.leading_shape):
        for top in range(0, height, side):
            band = result.read(index, slice(top, min(top + side, height)))
            for left in range(0, width, side):
                part = band[:, left : left + side]
                missing = ((0, side - part.shape[0]), (0, side - part.shape[1]))
                yield np.pad(part, missing)
