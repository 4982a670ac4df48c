"""One annotation as JSON, in (x, y) order, and back; the JSON may come from anywhere."""

from __future__ import annotations

import base64
import binascii
import reprlib
from collections.abc import Mapping
from typing import Any

from vrpsam_app.annotation_types import (
    Annotation,
    Box,
    Mask,
    Point,
    Scribble,
    check_same_size,
)
from vrpsam_app.errors import AnnotationError, ImageFileError

MAX_ITEMS = 10_000
MAX_VERTICES = 100_000
# Pixels of all masks together. Each mask is as large as the image, however short its PNG is.
MAX_MASK_PIXELS = 200_000_000

_KEYS = {
    "point": {"xy", "radius"},
    "box": {"xyxy"},
    "scribble": {"xy", "width"},
    "mask": {"png"},
}
_DATA_URL = "data:image/png;base64,"


def check_amount(items: object, hw: tuple[int, int]) -> list[object]:
    """Return `items` as a list after checking that it is one and that drawing it is bounded.

    Raises
    ------
    AnnotationError
        If it is no list, or holds more than `MAX_ITEMS` items, `MAX_VERTICES` vertices or masks
        of more than `MAX_MASK_PIXELS` pixels in all (one mask is always allowed).
    """
    if not isinstance(items, list | tuple):
        raise AnnotationError(f"Annotations are {reprlib.repr(items)}: expected a list of objects.")
    objects = [item for item in items if isinstance(item, Mapping)]
    paths = [path for item in objects if isinstance(path := item.get("xy"), list | tuple)]
    masks = sum(item.get("type") == "mask" for item in objects)
    for count, limit, what in (
        (len(items), MAX_ITEMS, "annotations"),
        (sum(len(path) for path in paths if path), MAX_VERTICES, "vertices"),
        (masks, max(1, MAX_MASK_PIXELS // (hw[0] * hw[1])), f"masks of {hw[0]} x {hw[1]} pixels"),
    ):
        if count > limit:
            raise AnnotationError(
                f"The annotations hold {count} {what}: at most {limit} are read. Draw fewer, or "
                "join them in one mask."
            )
    return list(items)


def annotation_from_json(item: object, hw: tuple[int, int]) -> Annotation:
    """Build one annotation from a JSON object.

    Parameters
    ----------
    item : object as in :func:`vrpsam_app.annotations.annotations_from_json`
    hw : (height, width)
        Size of the image in pixels; a mask must have it.

    Raises
    ------
    AnnotationError
        If a field is missing, unknown or of the wrong type, or its values make no sense.
    """
    if not isinstance(item, Mapping):
        raise AnnotationError(f"{reprlib.repr(item)} is no annotation: expected an object.")
    kind = item.get("type")
    if not isinstance(kind, str) or kind not in _KEYS:
        raise AnnotationError(
            f"Type {reprlib.repr(kind)} is unknown: expected one of {', '.join(_KEYS)}."
        )
    if unknown := [key for key in item if key not in _KEYS[kind] | {"type", "positive"}]:
        raise AnnotationError(
            f"A {kind} has no field {reprlib.repr(unknown[0])}: expected "
            f"{', '.join(sorted(_KEYS[kind]))} and positive."
        )
    positive = item.get("positive", True)
    if kind == "point":
        x, y = _numbers(item.get("xy"), 2, "xy", "[x, y]")
        return Point(y, x, positive, item.get("radius"))
    if kind == "box":
        x0, y0, x1, y1 = _numbers(item.get("xyxy"), 4, "xyxy", "[x0, y0, x1, y1]")
        return Box(y0, x0, y1, x1, positive)
    if kind == "scribble":
        path = item.get("xy")
        if not isinstance(path, list | tuple):
            raise AnnotationError(f"xy is {reprlib.repr(path)}: expected [[x, y], ...].")
        pairs = [_numbers(vertex, 2, "A vertex", "[x, y]") for vertex in path]
        return Scribble(tuple((y, x) for x, y in pairs), item.get("width"), positive)
    return _mask_from_json(item.get("png"), hw, positive)


def annotation_to_json(annotation: Annotation) -> dict[str, Any]:
    """Return what :func:`annotation_from_json` reads."""
    item: dict[str, Any]
    if isinstance(annotation, Point):
        item = {"type": "point", "xy": [annotation.col, annotation.row]}
        if annotation.radius is not None:
            item["radius"] = annotation.radius
    elif isinstance(annotation, Box):
        corners = [annotation.left, annotation.top, annotation.right, annotation.bottom]
        item = {"type": "box", "xyxy": corners}
    elif isinstance(annotation, Scribble):
        item = {"type": "scribble", "xy": [[col, row] for row, col in annotation.vertices]}
        if annotation.width is not None:
            item["width"] = annotation.width
    else:
        from vrpsam_app.image_files import encode_png

        png = base64.b64encode(encode_png(annotation.mask)).decode("ascii")
        item = {"type": "mask", "png": png}
    return item | {"positive": annotation.positive}


def _numbers(value: object, count: int, name: str, expected: str) -> list[float]:
    """Return `count` JSON numbers; strings and booleans are refused, not converted."""
    if (
        not isinstance(value, list | tuple)
        or len(value) != count
        or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    ):
        raise AnnotationError(f"{name} is {reprlib.repr(value)}: expected {expected}, in pixels.")
    return list(value)


def _mask_from_json(png: object, hw: tuple[int, int], positive: Any) -> Mask:
    """Decode a base64 PNG of the image's size."""
    from vrpsam_app.image_files import decode_png, pixels_to_mask

    if not isinstance(png, str):
        raise AnnotationError(f"png is {reprlib.repr(png)}: expected a base64 string.")
    text = png.removeprefix(_DATA_URL)
    # Four bytes a pixel and some for the header are more than any PNG of this size needs.
    if len(text) > (4 * hw[0] * hw[1] + 65_536) * 4 / 3:
        raise AnnotationError(
            f"png holds {len(text)} characters, too many for a mask of {hw[0]} x {hw[1]} pixels."
        )
    try:
        # Room for a mask that is a little too large, so that both sizes can be named.
        pixels = decode_png(base64.b64decode(text, validate=True), max_pixels=4 * hw[0] * hw[1])
    except (binascii.Error, ValueError, ImageFileError) as error:
        raise AnnotationError(f"png is not a base64 PNG ({error}). Export it again.") from error
    check_same_size(pixels.shape[:2], hw, "The mask", "the image")
    return Mask(pixels_to_mask(pixels), positive)
