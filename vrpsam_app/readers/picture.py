"""Pictures as stacks: one file is a plane, a folder of them a stack in natural order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageFileError
from vrpsam_app.image_files import IMAGE_SUFFIXES, read_header, read_image
from vrpsam_app.pillow_pictures import PictureHeader
from vrpsam_app.readers.name_gaps import warn_of_gaps
from vrpsam_app.stacks.axes import UNKNOWN, FileImage
from vrpsam_app.stacks.lazy_planes import PlaneSource, box_of_planes, lazy_array


class _Pictures(PlaneSource):
    """Pictures of equal size, one behind the other."""

    concurrent = True

    def __init__(self, path: Path, files: Sequence[Path], header: PictureHeader, most: int) -> None:
        samples = () if header.samples == 1 else (header.samples,)
        super().__init__(path, (len(files), *header.hw, *samples), header.dtype)
        self.files = tuple(files)
        self.max_pixels = most

    def _read_box(self, handle: None, box: tuple[slice, ...]) -> NDArray[Any]:
        planes = [self._plane(file)[box[1:]] for file in self.files[box[0]]]
        return box_of_planes(planes, [len(planes)])

    def _plane(self, file: Path) -> NDArray[Any]:
        pixels = with_samples(read_image(file, max_pixels=self.max_pixels), self.shape[3:])
        if pixels.shape != self.shape[1:] or pixels.dtype != self.dtype:
            raise ImageFileError(
                f"{file} was changed while it was open: it has shape {pixels.shape} and type "
                f"{pixels.dtype}, expected {self.shape[1:]} and {self.dtype}. Open it again."
            )
        return pixels


def open_picture(path: Path, *, max_pixels: int) -> FileImage:
    """Open one picture: PNG, JPEG, WebP, BMP, GIF or single-plane TIFF.

    Raises
    ------
    ImageFileError
        If it cannot be read, or is larger than `max_pixels`.
    """
    header = read_header(path, max_pixels=max_pixels)
    source = _Pictures(path, [path], header, max_pixels)
    axes = ("y", "x") if header.samples == 1 else ("y", "x", "s")
    return FileImage(lazy_array(source, source.shape)[0], axes, path)


def open_picture_folder(path: Path, *, max_pixels: int) -> FileImage:
    """Open the pictures of a folder as one stack, sorted so that 2 comes before 10.

    Parameters
    ----------
    path : folder; files that are no pictures by their name, and hidden ones, are passed over
        Grey pictures among coloured ones become colours with equal parts, opaque ones among
        transparent ones opaque.

    Raises
    ------
    ImageFileError
        If there is no picture, or one differs from the first in size or type, by its name.
    """
    files = pictures_in(path)
    if not files:
        raise ImageFileError(
            f"{path} is a folder without pictures: expected {', '.join(sorted(IMAGE_SUFFIXES))}, "
            "a DICOM series, or a Zarr array. Check the name, or give one of its folders."
        )
    headers = [read_header(file, max_pixels=max_pixels) for file in files]
    first = headers[0]
    for file, header in zip(files, headers, strict=True):
        if header.hw != first.hw or header.dtype != first.dtype:
            raise ImageFileError(
                f"{file} has {header.hw[0]} x {header.hw[1]} pixels of type {header.dtype}, but "
                f"{files[0].name} has {first.hw[0]} x {first.hw[1]} of {first.dtype}: the pictures "
                "of a stack are alike. Move those of one kind to a folder of their own."
            )
    warn_of_gaps(files)
    most = PictureHeader(first.hw, max(header.samples for header in headers), first.dtype)
    source = _Pictures(path, files, most, max_pixels)
    plane = ("y", "x") if most.samples == 1 else ("y", "x", "s")
    return FileImage(lazy_array(source, (1, *source.shape[1:])), (UNKNOWN, *plane), path)


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures directly in a folder, by their names, in natural order."""
    found = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in IMAGE_SUFFIXES
        and not file.name.startswith(".")
        and file.is_file()
    ]
    return sorted(found, key=natural_key)


def natural_key(path: Path) -> tuple[list[str | int], str]:
    """Return what sorts names as people number them: image2 before image10."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [int(part) if part.isdecimal() else part for part in parts], path.name


def with_samples(pixels: NDArray[Any], samples: tuple[int, ...]) -> NDArray[Any]:
    """Return grey as RGB, and either as RGBA, where the other pictures of a stack are.

    Parameters
    ----------
    pixels : shape (H, W), (H, W, 3) or (H, W, 4)
    samples : (), (3,) or (4,), what is wanted
    """
    if samples and pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if samples == (4,) and pixels.shape[2:] == (3,):
        opaque = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 1
        alpha = np.full((*pixels.shape[:2], 1), opaque, pixels.dtype)
        pixels = np.concatenate([pixels, alpha], axis=2)
    return pixels
