"""Label images on disk: one whole number per pixel, from palettes and stacks too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.errors import ImageError, OutputError
from vrpsam_app.file_errors import reading
from vrpsam_app.image_files import MAX_PIXELS, read_pixels, write_image
from vrpsam_app.label_images import check_labels
from vrpsam_app.pillow_pictures import picture_format
from vrpsam_app.stacks.stack import PixelSize, Stack
from vrpsam_app.stacks.stack_files import open_stack


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


def open_labels(
    path: str | Path, *, pixel_size: PixelSize | None = None, max_pixels: int = MAX_PIXELS
) -> Stack:
    """Open a label image or a stack of them; planes are read when they are asked for.

    Parameters
    ----------
    path : a picture as for :func:`read_labels`, or a stack that
        :func:`vrpsam_app.stacks.stack_files.open_stack` opens: TIFF, Zarr, NIfTI, NumPy, a folder
    pixel_size : replaces what the file says
    max_pixels : of a plane, or of the part of one that is read at once

    Raises
    ------
    ImageFileError
        If it cannot be read.
    ImageError
        If it holds colours or fractions, or is a JPEG.
    """
    path = Path(path).expanduser()
    if path.is_file():
        with reading(path), path.open("rb") as file:
            is_picture = picture_format(file.read(16)) is not None
        if is_picture:
            labels = read_labels(path, max_pixels=max_pixels)
            return Stack.from_array(labels, axes=(), pixel_size=pixel_size, name=path.name)
    stack = open_stack(path, pixel_size=pixel_size, max_pixels=max_pixels)
    if stack.color or stack.dtype.kind not in "bui":
        raise ImageError(
            f"{path} holds {'colours' if stack.color else stack.dtype}: expected one channel of "
            "whole numbers, 0 for background. Save labels as such."
        )
    return stack


def holds_masks(stack: Stack) -> bool:
    """Tell masks from numbered objects: masks have no other number than one beside 0.

    Planes are read until a second number is found. One object in one piece comes out the same,
    whichever it is taken for.
    """
    found: set[int] = set()
    for index in stack.indices():
        plane = stack.plane(index)
        found |= {int(plane.max()), int(plane.min(initial=plane.max(), where=plane > 0))} - {0}
        if len(found) > 1:
            return False
    return True


def write_labels(path: str | Path, labels: ArrayLike, *, overwrite: bool = False) -> Path:
    """Write a label image as PNG, of 8 bits for up to 255 objects, else of 16.

    Parameters
    ----------
    path : a name that ends in .png
    labels : shape (H, W), integer, 0 for background
    overwrite : replace a file that exists

    Raises
    ------
    OutputError
        If it cannot be written, or a number is above 65,535. Nothing is left behind.
    """
    array = check_labels(labels)
    highest = int(array.max(initial=0))
    if highest > np.iinfo(np.uint16).max:
        raise OutputError(
            f"{path} would hold the object {highest}: a PNG numbers up to 65535. Write a TIFF."
        )
    dtype = np.uint8 if highest < 256 else np.uint16
    return write_image(path, array.astype(dtype), overwrite=overwrite)
