"""What a notebook shows of a reference and of a prediction, as PNGs of a moderate size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotations import Marks
from vrpsam_app.geometry import fit_within, resize_bilinear, resize_mask_area
from vrpsam_app.image_files import encode_png
from vrpsam_app.images import intensity_range_of, to_rgb
from vrpsam_app.overlays import draw_marks, overlay

LONGEST_SIDE = 1024
"""Larger planes are reduced: the notebook keeps the pictures in its file."""


def marks_png(image: NDArray[Any], marks: Marks) -> bytes:
    """Draw marks into their image.

    Parameters
    ----------
    image : shape (H, W), (H, W, 3) or (H, W, 4)
    marks : of the same size
    """
    size = _size(image)
    plane = np.nan_to_num(image) if image.dtype.kind == "f" else image
    small = Marks(
        resize_mask_area(marks.positive, size) > 0,  # a click stays to be seen
        resize_mask_area(marks.negative, size) > 0,
        marks.kind,
    )
    rgb = to_rgb(plane, intensity_range_of([image]))
    return encode_png(draw_marks(resize_bilinear(rgb, size), small))


def mask_png(mask: NDArray[np.bool_], probability: NDArray[np.float32]) -> bytes:
    """Draw a mask into the probability from which it was cut, white where that is 1.

    Parameters
    ----------
    mask, probability : shape (H, W)
    """
    size = _size(mask)
    grey = np.rint(255 * np.clip(resize_bilinear(probability, size), 0, 1)).astype(np.uint8)
    return encode_png(overlay(grey, resize_mask_area(mask, size) >= 0.5))


def _size(plane: NDArray[Any]) -> tuple[int, int]:
    hw = (plane.shape[0], plane.shape[1])
    return fit_within(hw, LONGEST_SIDE) if max(hw) > LONGEST_SIDE else hw
