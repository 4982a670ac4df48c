"""QuPath's GeoJSON: one feature for each object, polygons with holes along the edges of pixels."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vrpsam_app.errors import ObjectFileError
from vrpsam_app.exchange.json_files import read_json, write_json
from vrpsam_app.exchange.object_plane import FoundShape, ObjectPlane, class_names, plane_of
from vrpsam_app.exchange.outlines import Outline, Ring, fill_rings, outlines_of
from vrpsam_app.overlays import PALETTE

_WHAT = "GeoJSON with polygons, as QuPath exports it"
# Objects that are equal get equal ids, in QuPath's form.
_NAMESPACE = uuid.UUID("6f0c7a5e-3d0b-5c53-9a55-6f4a3f1f7b11")


def write_geojson(
    path: str | Path,
    planes: Sequence[ObjectPlane],
    *,
    names: Sequence[str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write objects as detections that QuPath imports.

    Parameters
    ----------
    path : a name that ends in .geojson or .json
    planes : of one picture or stack
        Coordinates are pixels of the whole picture from its top left corner, as QuPath has them;
        QuPath knows the pixel size from the picture itself.
    names : the classes; None takes those there are
    overwrite : replace a file that exists

    Raises
    ------
    OutputError
        If the file cannot be written. Nothing is left behind.
    ConfigError
        If an object has a class that is not among `names`.
    """
    colours = {n: PALETTE[i % len(PALETTE)] for i, n in enumerate(class_names(planes, names))}
    features = [
        _feature(plane, number, outlines_of(patch), colours)
        for plane in planes
        for number, patch in plane.objects()
    ]
    document = {"type": "FeatureCollection", "features": features}
    write_json(Path(path), document, overwrite=overwrite)
    return Path(path)


def read_geojson(path: str | Path, hw: tuple[int, int], name: str = "") -> list[ObjectPlane]:
    """Read the polygons of a GeoJSON file.

    Parameters
    ----------
    path : a collection of features, a list of them, or one, as QuPath exports
        Points and lines enclose nothing and are passed over.
    hw : height and width of the picture, which the file does not say
    name : of the picture

    Returns
    -------
    planes : one for each slice and time that has objects
        An object's number is its name if each has a number for a name, else its place in the file.

    Raises
    ------
    ObjectFileError
        If the file is missing, damaged or holds no features, or an object lies outside the picture.
    """
    return geojson_planes(read_json(Path(path), _WHAT), Path(path), hw, name)


def geojson_planes(
    document: Any, path: Path, hw: tuple[int, int], name: str = ""
) -> list[ObjectPlane]:
    """Return the objects of a document that was read from `path`; see :func:`read_geojson`."""
    if isinstance(document, dict):
        document = document.get("features", [document])
    planes: dict[tuple[tuple[str, int], ...], list[FoundShape]] = {}
    try:
        for index, feature in enumerate(document):
            where = f"{path}: feature {index}"
            rings, place = _geometry(feature["geometry"])
            if not rings:
                continue
            patch = fill_rings(rings, hw, name=where)
            if patch is None:
                raise ObjectFileError(
                    f"{where} has no pixel in a picture of {hw[0]} x {hw[1]} (rows x columns): "
                    "does it belong to another one, or to one of another size?"
                )
            about = feature.get("properties") or {}
            given = str(about.get("name", ""))
            shape = FoundShape(
                patch,
                (about.get("classification") or {}).get("name"),
                int(given) if given.isdecimal() else None,
                (about.get("measurements") or {}).get("score"),
            )
            planes.setdefault(place, []).append(shape)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ObjectFileError(
            f"{path} is not as expected ({type(error).__name__}: {error}): expected {_WHAT}."
        ) from error
    if len(planes) > 1 and () in planes:  # QuPath does not write the first plane of a stack down
        planes.setdefault((("t", 0), ("z", 0)), []).extend(planes.pop(()))
    found = [plane_of(shapes, hw, name, dict(place)) for place, shapes in sorted(planes.items())]
    return found or [plane_of([], hw, name)]


def _feature(
    plane: ObjectPlane,
    number: int,
    outlines: Sequence[Outline],
    colours: dict[str, tuple[int, int, int]],
) -> dict[str, Any]:
    """Return one object as QuPath's detection."""
    pieces = [[_closed(ring) for ring in (o.border, *o.holes)] for o in outlines]
    geometry: dict[str, Any] = (
        {"type": "Polygon", "coordinates": pieces[0]}
        if len(pieces) == 1
        else {"type": "MultiPolygon", "coordinates": pieces}
    )
    if plane.position:
        geometry["plane"] = {
            "c": -1,
            "z": plane.position.get("z", 0),
            "t": plane.position.get("t", 0),
        }
    class_name = plane.class_of(number)
    known = f"{plane.name} {sorted(plane.position.items())} {number} {pieces}"
    properties: dict[str, Any] = {
        "objectType": "detection",
        "name": str(number),
        "classification": {"name": class_name, "color": list(colours[class_name])},
    }
    if number in plane.scores:
        properties["measurements"] = {"score": float(plane.scores[number])}
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(_NAMESPACE, known)),
        "geometry": geometry,
        "properties": properties,
    }


def _closed(ring: Ring) -> list[list[int]]:
    """Return a ring as GeoJSON has it, its first corner repeated at the end."""
    corners: list[list[int]] = ring.astype(int).tolist()
    return [*corners, corners[0]]


def _geometry(geometry: dict[str, Any]) -> tuple[list[Any], tuple[tuple[str, int], ...]]:
    """Return the rings of a geometry, and where in a stack it lies."""
    kind, coordinates = geometry["type"], geometry.get("coordinates", [])
    if kind == "Polygon":
        rings = list(coordinates)
    elif kind == "MultiPolygon":
        rings = [ring for piece in coordinates for ring in piece]
    elif kind == "GeometryCollection":
        rings = [ring for part in geometry["geometries"] for ring in _geometry(part)[0]]
    else:
        rings = []
    plane = geometry.get("plane") or {}
    # What QuPath writes for a picture without a stack is left out there and here.
    place = tuple((axis, int(plane[axis])) for axis in ("t", "z") if plane.get(axis) is not None)
    return rings, place
