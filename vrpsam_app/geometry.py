"""Resizing, without torch, and the change between (row, col) and (x, y)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.errors import ImageError


def resize_mask_area(mask: ArrayLike, hw: tuple[int, int]) -> NDArray[np.float32]:
    """Resize a mask by area: each new pixel is the share of it that is covered.

    However coarse the new grid, no marked pixel vanishes: it leaves a share above zero.

    Parameters
    ----------
    mask : shape (H, W), bool or float in [0, 1]
    hw : (height, width) of the result

    Returns
    -------
    coverage : shape hw, float32 in [0, 1]

    Examples
    --------
    >>> resize_mask_area(np.eye(4, dtype=bool), (2, 2))
    array([[0.5, 0. ],
           [0. , 0.5]], dtype=float32)
    """
    array = np.asarray(mask)
    height, width = _check_size(hw)
    if array.ndim != 2 or array.size == 0:
        raise ImageError(f"Mask has shape {array.shape}: expected (H, W).")
    covered = _average_rows(_average_rows(array, height).T, width).T
    return np.ascontiguousarray(np.clip(covered, 0, 1), dtype=np.float32)


def resize_bilinear(array: ArrayLike, hw: tuple[int, int]) -> NDArray[Any]:
    """Resize an image or a map, averaging where it shrinks so that nothing aliases.

    Parameters
    ----------
    array : shape (H, W) or (H, W, C)
    hw : (height, width) of the result

    Returns
    -------
    resized : shape hw or (height, width, C)
        uint8 for uint8, float32 for everything else. Pixel centres are at half integers (what
        torch calls ``align_corners=False``).
    """
    from PIL import Image

    pixels = np.asarray(array)
    height, width = _check_size(hw)
    if pixels.ndim not in (2, 3) or pixels.size == 0:
        raise ImageError(f"Array has shape {pixels.shape}: expected (H, W) or (H, W, C).")
    if pixels.dtype != np.uint8:
        pixels = pixels.astype(np.float32)
    if pixels.shape[:2] == (height, width):
        return pixels.copy()
    channels = pixels[..., None] if pixels.ndim == 2 else pixels
    resized = np.stack(
        [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(channels[..., c])).resize(
                    (width, height), Image.Resampling.BILINEAR
                )
            )
            for c in range(channels.shape[2])
        ],
        axis=-1,
    )
    return resized[..., 0] if pixels.ndim == 2 else resized


def reduce_by(array: ArrayLike, factor: int) -> NDArray[Any]:
    """Reduce an image to 1/`factor` of its size by averaging blocks, a few rows at a time.

    Parameters
    ----------
    array : shape (H, W) or (H, W, C), booleans, integers or floats
    factor : whole number; 1 returns the array as it is

    Returns
    -------
    reduced : shape (ceil(H / factor), ceil(W / factor)) and C, of the same type
        Blocks at the right and lower border are averaged over the pixels that they have.

    Examples
    --------
    >>> reduce_by(np.array([[0, 4], [8, 8]], np.uint8), 2)
    array([[5]], dtype=uint8)
    """
    pixels = np.asarray(array)
    if pixels.ndim not in (2, 3) or pixels.size == 0 or factor < 1:
        raise ImageError(
            f"Array of shape {pixels.shape} by {factor}: expected (H, W) or (H, W, C) and a whole "
            "number of at least 1."
        )
    if factor == 1:
        return pixels
    height, width = (-(-side // factor) for side in pixels.shape[:2])
    reduced = np.empty((height, width, *pixels.shape[2:]), pixels.dtype)
    starts = np.arange(width) * factor
    counts = np.minimum(starts + factor, pixels.shape[1]) - starts
    across = counts.reshape(-1, *[1] * (pixels.ndim - 2))
    for row in range(height):
        rows = pixels[row * factor : (row + 1) * factor].astype(np.float64)
        mean = np.add.reduceat(rows.mean(axis=0), starts, axis=0) / across
        whole = pixels.dtype.kind in "bui"
        reduced[row] = np.rint(mean) if whole else mean
    return reduced


def fit_within(hw: tuple[int, int], longest: int) -> tuple[int, int]:
    """Return the size with the same proportions whose longer side is `longest`.

    Parameters
    ----------
    hw : (height, width) in pixels
    longest : pixels of the longer side of the result, larger or smaller than now

    Returns
    -------
    hw : (height, width), rounded to the nearest, at least 1 each

    Examples
    --------
    >>> fit_within((300, 600), 512)
    (256, 512)
    """
    height, width = _check_size(hw)
    if longest < 1:
        raise ImageError(f"The longer side is to have {longest} pixels: expected at least 1.")
    scale = longest / max(height, width)
    return max(1, math.floor(height * scale + 0.5)), max(1, math.floor(width * scale + 0.5))


def swap_xy(points: ArrayLike) -> NDArray[Any]:
    """Turn (row, col) pairs into (x, y) pairs, or back.

    Parameters
    ----------
    points : shape (..., 2)

    Returns
    -------
    swapped : same shape, a copy
    """
    array = np.asarray(points)
    if array.ndim == 0 or array.shape[-1] != 2:
        raise ImageError(f"Points have shape {array.shape}: expected (..., 2).")
    return array[..., ::-1].copy()


def _check_size(hw: tuple[int, int]) -> tuple[int, int]:
    height, width = (int(side) for side in hw)
    if min(height, width) < 1:
        raise ImageError(f"Size {height} x {width} is empty: expected at least 1 x 1 pixels.")
    return height, width


def _average_rows(array: NDArray[Any], count: int) -> NDArray[np.float64]:
    """Average an array's rows in `count` equal spans; rows at a border count by their share."""
    size = len(array)
    averaged = np.empty((count, *array.shape[1:]))
    for index in range(count):
        top, bottom = index * size / count, (index + 1) * size / count
        first, stop = math.floor(top), min(math.ceil(bottom), size)
        rows = np.arange(first, stop)
        shares = np.minimum(rows + 1, bottom) - np.maximum(rows, top)
        averaged[index] = shares @ array[first:stop] / (bottom - top)
    return averaged
