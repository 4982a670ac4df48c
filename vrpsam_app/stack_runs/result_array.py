"""Results of a stack as Zarr: one chunk for each plane or band of rows, there whole or not at all.

Zarr writes a chunk under another name and renames it, so that a run that is killed leaves whole
chunks only. Which are there says the folder itself.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.readers.stated_size import OWN_SIZE
from vrpsam_app.stacks.stack import PixelSize

Index = tuple[int, ...]

BAND_ROWS = 1024
"""Rows of a chunk of a plane that is too large to be one chunk."""
MOST_BYTES_OF_CHUNK = 64 * 1024**2
MANIFEST = "vrpsam_run"
"""Attribute that holds what the run was begun with."""

# UDUNITS-2 names, as OME-NGFF 0.5 asks for.
_OME_UNITS = {
    "m": "meter",
    "cm": "centimeter",
    "mm": "millimeter",
    "um": "micrometer",
    "nm": "nanometer",
    "pm": "picometer",
    "inch": "inch",
    "angstrom": "angstrom",
}
_OME_VERSION = "0.5"


@dataclass(frozen=True, slots=True)
class ResultLayout:
    """What a result looks like on disk.

    Attributes
    ----------
    axes : names of the leading axes
    leading_shape : their lengths
    plane_hw : rows and columns of a plane
    dtype : of the values
    pixel_size : None if unknown
    ome : whether it is an OME-Zarr image of one resolution, and not a plain array
    """

    axes: tuple[str, ...]
    leading_shape: tuple[int, ...]
    plane_hw: tuple[int, int]
    dtype: np.dtype[Any]
    pixel_size: PixelSize | None = None
    ome: bool = False

    @property
    def block_rows(self) -> int:
        """Rows of a chunk: all of them, or a band."""
        whole = math.prod(self.plane_hw) * self.dtype.itemsize <= MOST_BYTES_OF_CHUNK
        return self.plane_hw[0] if whole else min(BAND_ROWS, self.plane_hw[0])

    @property
    def blocks(self) -> int:
        """Chunks of a plane."""
        return math.ceil(self.plane_hw[0] / self.block_rows)

    def rows(self, block: int) -> slice:
        """Return the rows of a plane that a chunk holds."""
        start = block * self.block_rows
        return slice(start, min(start + self.block_rows, self.plane_hw[0]))


class ResultArray:
    """A result on disk that is being filled, or is complete.

    Parameters
    ----------
    folder : the Zarr folder
    layout : what it holds
    """

    def __init__(self, folder: Path, layout: ResultLayout) -> None:
        import zarr

        self.folder = folder
        self.layout = layout
        inner = folder / "0" if layout.ome else folder
        array = zarr.open_array(inner, mode="r+")
        expected = layout.leading_shape + layout.plane_hw
        if array.shape != expected or array.dtype != layout.dtype:
            raise OutputError(
                f"{folder} holds {array.shape} of {array.dtype}: expected {expected} of "
                f"{layout.dtype}. It was changed since it was begun: choose another name."
            )
        # Empty planes are stored as well: what is there is known by its file.
        self._array = array.with_config({"write_empty_chunks": True})
        self._inner = inner

    @classmethod
    def create(cls, folder: Path, layout: ResultLayout, manifest: Mapping[str, Any]) -> ResultArray:
        """Make an empty result; all of it appears at once.

        Raises
        ------
        OutputError
            If it cannot be written.
        ConfigError
            If OME-Zarr has no place for the axes.
        """
        import zarr

        attributes: dict[str, Any] = {MANIFEST: dict(manifest)}
        partial = folder.with_name(abandoned_name(folder))
        array: dict[str, Any] = {
            "shape": layout.leading_shape + layout.plane_hw,
            "chunks": (1,) * len(layout.axes) + (layout.block_rows, layout.plane_hw[1]),
            "dtype": layout.dtype,
            "fill_value": 0,
            "dimension_names": (*layout.axes, "y", "x"),
        }
        try:
            if layout.ome:
                attributes["ome"] = ome_attributes(layout, folder.name)
                group = zarr.create_group(partial, attributes=attributes)
                group.create_array("0", **array)
            else:
                if layout.pixel_size is not None:
                    attributes[OWN_SIZE] = asdict(layout.pixel_size)
                zarr.create_array(partial, attributes=attributes, **array)
            partial.rename(folder)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise cannot_write(folder, error) from error
        return cls(folder, layout)

    @property
    def array(self) -> Any:
        """The Zarr array itself, for who shows and changes it."""
        return self._array

    def stored(self, index: Index, block: int) -> bool:
        """Tell whether a chunk is there."""
        path = self._path_of(index, block)
        return path.is_file() and path.stat().st_size > 0

    def write(self, index: Index, block: int, values: NDArray[Any]) -> None:
        """Write a whole chunk, or nothing.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        try:
            place: tuple[int | slice, ...] = (*index, self.layout.rows(block))
            self._array[place] = values
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def read(self, index: Index, rows: slice = slice(None)) -> NDArray[Any]:
        """Return rows of a plane."""
        place: tuple[int | slice, ...] = (*index, rows)
        return np.asarray(self._array[place])

    def clean(self) -> None:
        """Remove what a killed run left half written."""
        for partial in self._inner.rglob("*.partial"):
            with contextlib.suppress(OSError):
                partial.unlink()

    def _path_of(self, index: Index, block: int) -> Path:
        return self._inner / self._array.metadata.encode_chunk_key((*index, block, 0))


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return what the run in a folder was begun with, None if the folder holds no run of ours."""
    try:
        attributes = json.loads((folder / "zarr.json").read_text(encoding="utf-8"))["attributes"]
        manifest = attributes[MANIFEST]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest if isinstance(manifest, dict) else None


def abandoned_name(folder: Path) -> str:
    """Return a name for what is not yet, or no longer, a result."""
    return f"{_abandoned_start(folder)}{secrets.token_hex(4)}.part"


def remove_abandoned(folder: Path) -> None:
    """Remove results that were killed before they appeared under their name."""
    for partial in folder.parent.glob(f"{glob.escape(_abandoned_start(folder))}*.part"):
        shutil.rmtree(partial, ignore_errors=True)


def _abandoned_start(folder: Path) -> str:
    """Return how such names begin: long ones are cut, and another result's never begin alike."""
    digest = hashlib.sha256(os.fsencode(folder.name)).hexdigest()[:8]
    return f".{folder.name[:32]}-{digest}-"


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Return the error that says why a result cannot be written, and what to do."""
    reason = error.strerror or error
    return OutputError(
        f"{path} cannot be written ({reason}). What is finished is kept: check the folder's rights "
        "and the free space, then go on with resume."
    )


def ome_attributes(layout: ResultLayout, name: str) -> dict[str, Any]:
    """Return the metadata of an OME-Zarr image of one resolution (OME-NGFF 0.5).

    Raises
    ------
    ConfigError
        If the axes are not in the order that OME-NGFF asks for: t, a channel or one of any name,
        z; then rows and columns.
    """
    axes = [*layout.axes, "y", "x"]
    kinds = [_ome_kind(axis) for axis in axes]
    order = {"time": 0, "channel": 1, "other": 1, "space": 2}
    ranks = [order[kind] for kind in kinds]
    if ranks != sorted(ranks) or len(axes) > 5 or ranks.count(1) > 1:
        raise ConfigError(
            f"OME-Zarr has no place for the axes {', '.join(layout.axes)}: expected t, c, z, in "
            "this order, one of them under another name at the most. Write to a name that ends in "
            ".zarr instead (--stack-format zarr), or say what the axes are (--axes)."
        )
    return {
        "version": _OME_VERSION,
        "multiscales": [
            {
                "name": name,
                "axes": [
                    _ome_axis(axis, kind, layout.pixel_size)
                    for axis, kind in zip(axes, kinds, strict=True)
                ],
                "datasets": [
                    {
                        "path": "0",
                        "coordinateTransformations": [
                            {"type": "scale", "scale": list(_scales(axes, layout.pixel_size))}
                        ],
                    }
                ],
            }
        ],
    }


def _ome_kind(axis: str) -> str:
    return {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}.get(
        axis, "other"
    )


def _ome_axis(axis: str, kind: str, pixel_size: PixelSize | None) -> dict[str, str]:
    described = {"name": axis} if kind == "other" else {"name": axis, "type": kind}
    if kind == "space" and pixel_size is not None and (axis != "z" or pixel_size.plane is not None):
        described["unit"] = _OME_UNITS[pixel_size.unit]
    return described


def _scales(axes: list[str], pixel_size: PixelSize | None) -> Iterator[float]:
    known = {} if pixel_size is None else {"y": pixel_size.row, "x": pixel_size.col}
    if pixel_size is not None and pixel_size.plane is not None:
        known["z"] = pixel_size.plane
    return (known.get(axis, 1.0) for axis in axes)
