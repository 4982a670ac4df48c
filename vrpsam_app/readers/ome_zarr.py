"""What OME-Zarr 0.1 to 0.5 says in its attributes: axes, sizes, channels, and which array it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vrpsam_app.errors import ImageFileError
from vrpsam_app.readers.stated_size import stated_size
from vrpsam_app.stacks.axes import axis_name
from vrpsam_app.stacks.stack import PixelSize

# Before version 0.3 the axes were always these.
_EARLY_AXES = ("t", "c", "z", "y", "x")
_NAMED_BY_TYPE = {"channel": "c", "time": "t"}


@dataclass(frozen=True, slots=True)
class Multiscale:
    """An image of several sizes.

    Attributes
    ----------
    full : path of the array at full size, below the group
    axes : names of its axes
    channel_names : as far as they are given
    pixel_size : of the full size
    """

    full: str
    axes: tuple[str, ...]
    channel_names: tuple[str, ...]
    pixel_size: PixelSize | None


def ome_attributes(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a group's attributes that is OME's: all, or "ome" since version 0.5."""
    ome = attributes.get("ome")
    return ome if isinstance(ome, Mapping) else attributes


def images_named(ome: Mapping[str, Any], path: Path) -> list[str]:
    """Return the paths of the images that a well, or a group of labels, names; [] for others.

    Raises
    ------
    ImageFileError
        If this is a plate, whose images lie in its wells.
    """
    plate = ome.get("plate")
    if isinstance(plate, Mapping):
        wells = [well.get("path") for well in plate.get("wells", []) if isinstance(well, Mapping)]
        example = path / str(wells[0] if wells else "A/1") / "0"
        raise ImageFileError(
            f"{path} is a plate of {len(wells)} wells: expected one image. Give a field of a well, "
            f"such as {example}."
        )
    well = ome.get("well")
    if isinstance(well, Mapping):
        return [str(image["path"]) for image in well.get("images", [])]
    labels = ome.get("labels")
    return [str(name) for name in labels] if isinstance(labels, list) else []


def multiscale_of(ome: Mapping[str, Any], path: Path) -> Multiscale | None:
    """Return the image that a group is, None if it is not one.

    Raises
    ------
    ImageFileError
        If what it says of itself makes no sense, or is of a later version.
    """
    multiscales = ome.get("multiscales")
    if not isinstance(multiscales, list) or not multiscales:
        return None
    first = multiscales[0]
    try:
        dataset = first["datasets"][0]
        names, units = _axes(first.get("axes"))
        scale = [
            a * b
            for a, b in zip(_scale(first, len(names)), _scale(dataset, len(names)), strict=True)
        ]
        full = str(dataset["path"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        version = first.get("version") if isinstance(first, Mapping) else None
        raise ImageFileError(
            f"{path} is OME-Zarr {version or ome.get('version') or 'of unknown version'} whose "
            f"description cannot be read ({type(error).__name__}: {error}): expected version 0.1 "
            "to 0.5. Export it again, or give the path of its full-size array."
        ) from error
    stated = {name: (s, u) for name, s, u in zip(names, scale, units, strict=True)}
    (rows, row_unit), (cols, col_unit), (planes, plane_unit) = (
        stated.get(axis, (None, None)) for axis in "yxz"
    )
    size = stated_size(rows, cols, planes, (row_unit, col_unit, plane_unit))
    return Multiscale(full, names, _channel_names(ome), size)


def _axes(axes: Any) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    """Return names and units, from names alone (0.3) or descriptions (since 0.4)."""
    if axes is None:
        return _EARLY_AXES, (None,) * len(_EARLY_AXES)
    names: list[str] = []
    units: list[str | None] = []
    for axis in axes:
        if isinstance(axis, str):
            names.append(axis_name(axis))
            units.append(None)
        else:
            name = axis_name(axis["name"])
            names.append(_NAMED_BY_TYPE.get(axis.get("type"), name))
            units.append(axis.get("unit"))
    return tuple(names), tuple(units)


def _scale(described: Mapping[str, Any], axes: int) -> Sequence[float]:
    for transform in described.get("coordinateTransformations") or []:
        if transform["type"] == "scale" and "scale" in transform:
            return [float(value) for value in transform["scale"]]
    return [1.0] * axes


def _channel_names(ome: Mapping[str, Any]) -> tuple[str, ...]:
    omero = ome.get("omero")
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    if not isinstance(channels, list):
        return ()
    return tuple(str(c.get("label") or "") for c in channels if isinstance(c, Mapping))
