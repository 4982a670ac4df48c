"""LabelMe's JSON: the objects of one picture, as masks or as polygons to drag."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from vrpsam_app.errors import ImageFileError, ObjectFileError
from vrpsam_app.exchange.json_files import read_json, write_json
from vrpsam_app.exchange.object_plane import FoundShape, ObjectPlane, check_size, plane_of
from vrpsam_app.exchange.outlines import Patch, as_one_ring, fill_rings, outlines_of
from vrpsam_app.image_files import decode_png, encode_png

_WHAT = "a JSON file that LabelMe saved"
_VERSION = "5.5.0"  # of LabelMe's format; masks came with 5.3


def write_labelme(
    path: str | Path, plane: ObjectPlane, *, polygons: bool = False, overwrite: bool = False
) -> Path:
    """Write the objects of one picture for LabelMe.

    Parameters
    ----------
    path : a name that ends in .json, beside the picture
    plane : its `name` is where LabelMe looks for the picture, from the folder of the file
    polygons : write polygons along the edges of the pixels in the place of masks
        Masks are exact. LabelMe itself draws polygons one pixel too wide at the right and below.
    overwrite : replace a file that exists

    Raises
    ------
    OutputError
        If the file cannot be written. Nothing is left behind.

    Notes
    -----
    The number of an object is its group, so that polygons of several pieces stay one object.
    """
    height, width = plane.hw
    shapes: list[dict[str, Any]] = []
    for number, patch in plane.objects():
        about: dict[str, Any] = {
            "label": plane.class_of(number),
            "group_id": number,
            "description": "",
            "flags": {},
        }
        if polygons:
            for outline in outlines_of(patch):
                points = as_one_ring([outline]).tolist()
                shapes.append({**about, "points": points, "shape_type": "polygon", "mask": None})
            continue
        rows, cols = patch.window
        # Both corners of a mask are pixels that belong to it.
        corners = [[cols.start, rows.start], [cols.stop - 1, rows.stop - 1]]
        data = base64.b64encode(encode_png(patch.mask.astype(np.uint8) * 255)).decode("ascii")
        shapes.append(
            {
                **about,
                "points": [[float(x), float(y)] for x, y in corners],
                "shape_type": "mask",
                "mask": data,
            }
        )
    document: dict[str, Any] = {
        "version": _VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": plane.name,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    write_json(Path(path), document, overwrite=overwrite)
    return Path(path)


def read_labelme(path: str | Path) -> ObjectPlane:
    """Read the objects of a picture that was annotated in LabelMe.

    Parameters
    ----------
    path : JSON
        Polygons, rectangles, circles and masks; points and lines are passed over. Shapes of one
        label and one group are one object.

    Raises
    ------
    ObjectFileError
        If the file is missing, damaged, not of LabelMe, or a shape lies outside the picture.
    """
    return labelme_plane(read_json(Path(path), _WHAT), Path(path))


def labelme_plane(document: Any, path: Path) -> ObjectPlane:
    """Return the objects of a document that was read from `path`; see :func:`read_labelme`."""
    try:
        name = PureWindowsPath(str(document["imagePath"])).name
        hw = check_size(document["imageHeight"], document["imageWidth"], f"{path}: {name}")
        pieces: dict[tuple[str, str, object], list[Patch]] = {}
        for index, shape in enumerate(document["shapes"]):
            where = f"{path}: shape {index}"
            patch = _patch_of(shape, hw, where)
            if patch is None:
                continue
            group = shape.get("group_id")
            kind, which = ("shape", index) if group is None else ("group", group)
            pieces.setdefault((str(shape["label"]), kind, which), []).append(patch)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ObjectFileError(
            f"{path} is not as expected ({type(error).__name__}: {error}): expected {_WHAT}."
        ) from error
    shapes = [
        FoundShape(
            _united(patches), label, group if kind == "group" and isinstance(group, int) else None
        )
        for (label, kind, group), patches in pieces.items()
    ]
    return plane_of(shapes, hw, name)


def _patch_of(shape: dict[str, Any], hw: tuple[int, int], where: str) -> Patch | None:
    """Return the pixels of one shape, None if it encloses nothing."""
    kind, points = shape.get("shape_type") or "polygon", np.asarray(shape["points"], np.float64)
    if kind == "mask":
        return _mask_of(shape, points, hw, where)
    if kind == "rectangle":
        (x0, y0), (x1, y1) = points
        rings = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    elif kind == "circle":
        centre, rim = points
        angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
        ways = np.column_stack([np.cos(angle), np.sin(angle)])
        rings = centre + np.hypot(*(rim - centre)) * ways
    elif kind in ("polygon", "oriented_rectangle"):
        rings = points
    else:
        return None
    patch = fill_rings([rings], hw, name=where)
    if patch is None:
        raise _outside(where, hw)
    return patch


def _mask_of(
    shape: dict[str, Any], points: np.ndarray[Any, Any], hw: tuple[int, int], where: str
) -> Patch:
    """Return a mask that is stored as a picture, in the window between two pixels."""
    left, top = points[0].astype(int).tolist()
    try:
        mask = decode_png(base64.b64decode(shape["mask"], validate=True)) > 0
    except (binascii.Error, ImageFileError) as error:
        raise ObjectFileError(f"{where} has a mask that cannot be read ({error}).") from error
    if (
        mask.ndim != 2
        or min(top, left) < 0
        or top + mask.shape[0] > hw[0]
        or (left + mask.shape[1] > hw[1])
    ):
        raise _outside(where, hw)
    return Patch(top, left, mask)


def _united(patches: list[Patch]) -> Patch:
    """Return several pieces as one."""
    if len(patches) == 1:
        return patches[0]
    top = min(p.top for p in patches)
    left = min(p.left for p in patches)
    bottom = max(p.top + p.mask.shape[0] for p in patches)
    right = max(p.left + p.mask.shape[1] for p in patches)
    mask = np.zeros((bottom - top, right - left), np.bool_)
    for patch in patches:
        rows, cols = patch.window
        mask[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left] |= patch.mask
    return Patch(top, left, mask)


def _outside(where: str, hw: tuple[int, int]) -> ObjectFileError:
    return ObjectFileError(
        f"{where} does not lie in the picture of {hw[0]} x {hw[1]} pixels (rows x columns): was "
        "that cropped or resized?"
    )
