"""References as JSON: pixels and marks inside, so that they outlive the files they came from."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError, VRPSAMError
from vrpsam_app.image_files import MAX_PIXELS, decode_png, encode_png
from vrpsam_app.json_fields import (
    json_bool,
    json_image_shape,
    json_list,
    json_object,
    json_text,
)
from vrpsam_app.references import Reference

if TYPE_CHECKING:
    from vrpsam_app.annotations import Kind

# Far above what a person annotates; a file that claims more is not one of ours.
MAX_REFERENCES = 10_000

T = TypeVar("T")


def references_to_json(references: Sequence[Reference]) -> dict[str, Any]:
    """Return ``{"references": [...], "images": {...}}`` of plain values.

    One picture may carry several references, so pixels stand apart and once.
    """
    images = {reference.image_key: reference.image for reference in references}
    return {
        "references": [
            {
                "label": reference.label,
                "kind": reference.kind,
                "exhaustive": reference.exhaustive,
                "image": reference.image_key,
                "positive": _to_base64(encode_png(reference.positive)),
                "negative": _to_base64(encode_png(reference.negative)),
                "content_key": reference.content_key,
            }
            for reference in references
        ],
        "images": {key: _image_to_json(image) for key, image in images.items()},
    }


def references_from_json(data: Mapping[str, object]) -> tuple[Reference, ...]:
    """Build equal references from what :func:`references_to_json` gave.

    Raises
    ------
    ConfigError
        If a field is missing, malformed, or not what was recorded.
    """
    images = {
        key: _image_from_json(json_object(value, f"images.{key}"), f"images.{key}")
        for key, value in json_object(data.get("images"), "images").items()
    }
    items = json_list(data.get("references"), "references", MAX_REFERENCES)
    return tuple(
        _reference_from_json(json_object(item, f"references[{i}]"), images, f"references[{i}]")
        for i, item in enumerate(items)
    )


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _from_base64(item: Mapping[str, object], name: str, where: str) -> bytes:
    return base64.b64decode(json_text(item.get(name), f"{where}.{name}"), validate=True)


def _image_to_json(image: NDArray[Any]) -> dict[str, Any]:
    """Keep 8-bit pictures as PNG, which anything opens, and every other kind as packed pixels."""
    if image.dtype == np.uint8:
        return {"format": "png", "data": _to_base64(encode_png(image))}
    plain = np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("<"))
    return {
        "format": "zlib",
        "dtype": plain.dtype.str,
        "shape": list(plain.shape),
        "data": _to_base64(zlib.compress(plain.tobytes())),
    }


def _image_from_json(item: Mapping[str, Any], where: str) -> NDArray[Any]:
    if item.get("format") == "png":
        return _decoded(where, lambda: decode_png(_from_base64(item, "data", where)))
    if item.get("format") == "zlib":
        return _decoded(where, lambda: _unpack(item, where))
    raise ConfigError(
        f"{where}.format is {item.get('format')!r}: expected 'png' or 'zlib'. The file was written "
        "by another release: read it with that one."
    )


def _unpack(item: Mapping[str, Any], where: str) -> NDArray[Any]:
    data = _from_base64(item, "data", where)
    dtype = np.dtype(json_text(item.get("dtype"), f"{where}.dtype"))
    shape = json_image_shape(item.get("shape"), f"{where}.shape", MAX_PIXELS)
    if dtype.kind not in "biuf":
        raise ValueError(f"pixels of type {dtype} are not real numbers")
    expected = int(np.prod(shape)) * dtype.itemsize
    unpacker = zlib.decompressobj()
    pixels = unpacker.decompress(data, expected + 1)  # a bomb stops here
    if len(pixels) != expected:
        raise ValueError(f"{len(pixels)} bytes of pixels where shape and type make {expected}")
    return np.frombuffer(pixels, dtype=dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _reference_from_json(
    item: Mapping[str, Any], images: Mapping[str, NDArray[Any]], where: str
) -> Reference:
    def build() -> Reference:
        key = json_text(item.get("image"), f"{where}.image")
        if key not in images:
            raise ValueError(f"its image {key[:16]} is missing")
        return Reference(
            image=images[key],
            positive=decode_png(_from_base64(item, "positive", where)) != 0,
            negative=decode_png(_from_base64(item, "negative", where)) != 0,
            kind=cast("Kind", json_text(item.get("kind"), f"{where}.kind")),  # checked there
            exhaustive=json_bool(item.get("exhaustive"), f"{where}.exhaustive"),
            label=json_text(item.get("label"), f"{where}.label"),
        )

    reference = _decoded(where, build)
    if reference.content_key != item.get("content_key"):
        raise ConfigError(
            f"{where} is not what was recorded: pixels or marks were changed. Use a copy of the "
            "original file."
        )
    return reference


def _decoded(where: str, decode: Callable[[], T]) -> T:
    """Turn whatever damaged data makes a decoder raise into an error that names the field."""
    try:
        return decode()
    except ConfigError:
        raise
    except (VRPSAMError, ValueError, TypeError, binascii.Error, zlib.error) as error:
        raise ConfigError(
            f"{where} cannot be read ({error}). The file is damaged or was edited: use a copy of "
            "the original."
        ) from error
