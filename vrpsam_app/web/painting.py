"""What the page shows, as data URLs: pictures as JPEG, masks and probabilities as PNG."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.geometry import resize_mask_area
from vrpsam_app.image_files import encode_png


def encode_jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """Return a JPEG of a (H, W, 3) picture; for the page only, results are never JPEG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=88, subsampling=0)
    return buffer.getvalue()


def data_url(jpeg: bytes) -> str:
    """Return a JPEG as a URL that needs no second request and no file that others could guess."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def png_url(png: bytes) -> str:
    """Return a PNG as a URL that needs no second request."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def mask_url(mask: NDArray[np.bool_], hw: tuple[int, int]) -> str:
    """Return a mask of 0 and 255, reduced to a size at which it is drawn, as a URL."""
    shown = mask if mask.shape == hw else resize_mask_area(mask, hw) > 0
    return png_url(encode_png(shown.astype(np.uint8) * np.uint8(255)))
