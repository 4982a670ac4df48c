"""Label images on disk: one whole number per pixel, from palettes too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageError
from vrpsam_app.image_files import MAX_PIXELS, read_pixels


def read_labels(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.integer[Any]]:
    """Read a label image as the numbers it holds.

    Parameters
    ----------
    path : PNG, BMP, GIF or single-plane TIFF of one channel
        Of a picture with a palette, as PASCAL VOC and DAVIS have them, the indices into the
        palette are the labels, not the colours they stand for.
    max_pixels : height times width above which a file is refused before it is decoded

    Returns
    -------
    labels : shape (H, W), unsigned or signed integers as stored
        Masks of one bit become 0 and 1.

    Raises
    ------
    ImageFileError
        If the file is missing, damaged, too large or no picture.
    ImageError
        If it has several channels or fractions, or is a JPEG, which changes numbers.
    """
    values, file_format = read_pixels(Path(path), max_pixels, as_stored=True, indices=True)
    if values.ndim != 2 or values.dtype.kind not in "bui":
        raise ImageError(
            f"{path} has shape {values.shape} and type {values.dtype}: expected one channel of "
            "whole numbers, 0 for background. Save labels as a grey or palette PNG."
        )
    if file_format == "JPEG":
        raise ImageError(
            f"{path} is a JPEG, whose compression changes label numbers: save labels as PNG."
        )
    return values.astype(np.uint8) if values.dtype == np.bool_ else values
