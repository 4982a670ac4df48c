"""What the page shows: pictures as data URLs, results drawn over them."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.overlays import overlay


def encode_jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """Return a JPEG of a (H, W, 3) picture; for the page only, results are never JPEG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=88, subsampling=0)
    return buffer.getvalue()


def decode_jpeg(data: bytes) -> NDArray[np.uint8]:
    """Return the (H, W, 3) picture that :func:`encode_jpeg` was given, but for JPEG's losses."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def data_url(jpeg: bytes) -> str:
    """Return a JPEG as a URL that needs no second request and no file that others could guess."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def painted_url(jpeg: bytes, mask: NDArray[np.bool_]) -> str:
    """Return a picture with a mask of its size drawn in, as a data URL."""
    return data_url(encode_jpeg(overlay(decode_jpeg(jpeg), mask)))
