"""Pictures on disk: PNG, JPEG, WebP, BMP, GIF and single-plane TIFF, read safely, written whole.

A file is refused by its header before anything is decoded, and a result appears under its name only
once it is complete.
"""

from __future__ import annotations

import contextlib
import glob
import io
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.errors import ImageError, ImageFileError, OutputError
from vrpsam_app.file_errors import damaged, reading
from vrpsam_app.images import check_plane
from vrpsam_app.pillow_pictures import (
    PictureHeader,
    decode_picture,
    picture_format,
    picture_header,
    upright,
)
from vrpsam_app.tiff_files import TIFF_SIGNATURES, read_tiff, read_tiff_header

# Largest image that is decoded unless the caller says otherwise: 300 MB as RGB.
MAX_PIXELS = 100_000_000

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})

# What else is an image wherever it lies; a movie among photos is one only if somebody names it.
_OTHER_ENDINGS = (".zarr", ".zarr.zip", ".ozx", ".nii", ".nii.gz", ".czi", ".nd2", ".lif")


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
    """Read a picture as it is meant to be seen.

    Parameters
    ----------
    path : PNG, JPEG, WebP, BMP, GIF (first frame) or single-plane TIFF
        Recognised by its content, whatever its name ends in.
    max_pixels : height times width above which a file is refused before it is decoded

    Returns
    -------
    image : shape (H, W), (H, W, 3) or (H, W, 4)
        In the file's own type: 16-bit and float intensities are kept. Turned upright as the file
        asks; palettes and CMYK become RGB, or RGBA if part of them is transparent; TIFFs in which
        zero is white are inverted.

    Raises
    ------
    ImageFileError
        If the file is missing, a folder, too large, damaged, or none of these formats.
    """
    return read_pixels(Path(path), max_pixels, as_stored=False)[0]


def read_mask(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.bool_]:
    """Read a mask: what is not black is marked.

    Parameters
    ----------
    path : a file as for :func:`read_image`
        Any channel but opacity counts. A JPEG, whose compression leaves traces in the black, is
        marked where it is brighter than half. A TIFF counts by the numbers it holds, even if it
        asks to be shown inverted.
    max_pixels : as for :func:`read_image`

    Returns
    -------
    mask : shape (H, W), bool

    Raises
    ------
    ImageFileError
        As for :func:`read_image`.
    """
    pixels, file_format = read_pixels(Path(path), max_pixels, as_stored=True)
    if file_format == "JPEG":
        pixels = pixels > 127
    return pixels_to_mask(pixels)


def pixels_to_mask(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where any channel but opacity is neither zero nor NaN.

    Parameters
    ----------
    pixels : shape (H, W), (H, W, 3) or (H, W, 4)

    Returns
    -------
    mask : shape (H, W), bool
    """
    marked: NDArray[np.bool_] = (pixels != 0) & (pixels == pixels)  # NaN is not equal to itself
    return marked if marked.ndim == 2 else np.any(marked[..., :3], axis=2)


def write_mask(path: str | Path, mask: ArrayLike, *, overwrite: bool = False) -> Path:
    """Write a mask as a PNG of 0 and 255.

    Parameters
    ----------
    path : a name that ends in .png
    mask : shape (H, W)
        Anything not zero is written as 255.
    overwrite : replace a file that exists

    Returns
    -------
    path : where it was written

    Raises
    ------
    OutputError
        If the file exists, its folder does not, or it cannot be written. Nothing is left behind.
    """
    array = check_plane(mask, name="The mask")
    if array.ndim != 2:
        raise ImageError(f"The mask has shape {array.shape}: expected (H, W).")
    return write_image(path, pixels_to_mask(array).astype(np.uint8) * 255, overwrite=overwrite)


def write_image(path: str | Path, rgb: ArrayLike, *, overwrite: bool = False) -> Path:
    """Write a picture as PNG.

    Parameters
    ----------
    path : a name that ends in .png
    rgb : what :func:`encode_png` takes
    overwrite : replace a file that exists

    Returns
    -------
    path : where it was written

    Raises
    ------
    OutputError
        If the file exists, its folder does not, or it cannot be written. Nothing is left behind.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise OutputError(f"{path} would be written as PNG: expected a name that ends in .png.")
    write_whole(path, encode_png(rgb), overwrite=overwrite)
    return path


def write_whole(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    """Write a file so that nobody ever sees part of it.

    Parameters
    ----------
    path : in a folder that exists
    data : the whole content
    overwrite : replace a file that exists

    Raises
    ------
    OutputError
        If the file exists, its folder does not, or it cannot be written. Nothing is left behind.
    """
    # In the same folder, because only then the last step is a rename and not a copy.
    partial = path.with_name(f".{path.name[:32]}-{secrets.token_hex(4)}.part")
    try:
        _check_free(path, overwrite)
        with open(partial, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OutputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        with contextlib.suppress(OSError, ValueError):
            partial.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{path} cannot be written ({reason}). Check its name, the folder's rights and the "
            "free space."
        ) from error


def remove_half_written(folder: Path) -> None:
    """Remove what :func:`write_whole` had begun in a folder when its process was killed.

    For folders that one process at a time writes to.
    """
    for partial in folder.glob(".*.part"):
        partial.unlink(missing_ok=True)


def find_images(patterns: Sequence[str | Path]) -> list[Path]:
    """Return the image files that names, folders and patterns stand for, each once.

    Parameters
    ----------
    patterns : files (taken as they are), folders (their images, sorted), patterns such as
        ``"plate*/*.tif"`` or ``"**/*.png"`` (sorted)

    Raises
    ------
    ImageFileError
        If one of them stands for nothing.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern).expanduser()
        matches = [path] if path.is_file() else sorted(p for p in _within(path) if _is_image(p))
        if not matches:
            what = "is a folder without images" if path.is_dir() else "stands for no image"
            raise ImageFileError(
                f"{pattern} {what}: expected {', '.join(sorted(IMAGE_SUFFIXES))}. Check the name."
            )
        found.update(dict.fromkeys(matches))
    return list(found)


def find_files(patterns: Sequence[str | Path]) -> list[Path]:
    """Return the files and folders of any format that names, folders and patterns stand for.

    Parameters
    ----------
    patterns : as for :func:`find_images`
        A folder stands for what in it has the name of an image, Zarr folders among them; without
        any, and if it is a Zarr itself, for itself. So does a pattern for all that it matches.

    Raises
    ------
    ImageFileError
        If one of them stands for nothing.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern).expanduser()
        if path.is_file() or (path.is_dir() and _is_other(path)):
            matches = [path]
        else:
            within = _within(path)
            matches = sorted(p for p in within if _is_image(p) or _is_other(p))
            # Else a DICOM series, movies, outlines of another program.
            matches = matches or ([path] if path.is_dir() else sorted(within))
        found |= dict.fromkeys(matches or find_images([pattern]))  # which says what is wrong
    return list(found)


def passed_over(patterns: Sequence[str | Path], found: Sequence[Path]) -> list[Path]:
    """Return what lies in folders and was not found there, but for hidden files.

    Parameters
    ----------
    patterns, found : what :func:`find_files` was given, and what it returned
    """
    folders = [path for path in (Path(p).expanduser() for p in patterns) if path.is_dir()]
    taken = set(found)
    return [
        path
        for folder in folders
        if folder not in taken
        for path in sorted(folder.iterdir())
        if path not in taken and not path.name.startswith(".")
    ]


def encode_png(array: ArrayLike) -> bytes:
    """Return an image as the bytes of a PNG file.

    Parameters
    ----------
    array : bool or uint16 of shape (H, W), uint8 of shape (H, W), (H, W, 3) or (H, W, 4)

    Raises
    ------
    ImageError
        If it has another shape or type.
    """
    from PIL import Image

    plane = check_plane(array)
    if plane.dtype != np.uint8 and not (plane.ndim == 2 and plane.dtype in (np.bool_, np.uint16)):
        raise ImageError(
            f"An image of shape {plane.shape} and type {plane.dtype} does not fit in a PNG: "
            "expected uint8, or a single plane of bool or uint16. Convert it with to_rgb(image)."
        )
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(plane)).save(stream, format="PNG")
    return stream.getvalue()


def decode_png(data: bytes, *, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
    """Return the image in the bytes of a PNG file, as :func:`read_image` would.

    Raises
    ------
    ImageFileError
        If the bytes are no PNG, are damaged, or hold more than `max_pixels` pixels.
    """
    name = "The PNG data"
    if picture_format(data[:16]) != "PNG":
        raise ImageFileError(f"{name} do not begin like a PNG: expected the bytes of one.")
    try:
        return decode_picture(io.BytesIO(data), "PNG", name, max_pixels)
    except ImageFileError:
        raise
    except Exception as error:  # a decoder may raise anything on damaged data
        raise damaged(name, error) from error


def read_pixels(
    path: Path, max_pixels: int, *, as_stored: bool, indices: bool = False
) -> tuple[NDArray[Any], str]:
    """Return pixels and format; `as_stored` inverts no TIFF, `indices` applies no palette."""
    with reading(path), path.open("rb") as stream:
        file_format = _format_of(stream.read(16), path)
        if file_format != "TIFF":
            pixels = decode_picture(stream, file_format, str(path), max_pixels, indices)
            return pixels, file_format
        plane = read_tiff(path, max_pixels=max_pixels)
        pixels = upright(plane.pixels, plane.orientation)
        return _inverted(pixels) if plane.white_is_zero and not as_stored else pixels, file_format


def read_header(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> PictureHeader:
    """Say what :func:`read_image` will return, without decoding it.

    Raises
    ------
    ImageFileError
        As for :func:`read_image`, but for damage behind the header.
    """
    path = Path(path)
    with reading(path), path.open("rb") as stream:
        file_format = _format_of(stream.read(16), path)
        if file_format == "TIFF":
            return read_tiff_header(path, max_pixels=max_pixels)
        return picture_header(stream, file_format, str(path), max_pixels)


def _format_of(start: bytes, path: Path) -> str:
    """Return the format that a file's first bytes announce."""
    file_format = "TIFF" if start.startswith(TIFF_SIGNATURES) else picture_format(start)
    if file_format is None:
        what = "is no image, whatever its name says" if start else "is empty"
        raise ImageFileError(f"{path} {what}: expected PNG, JPEG, WebP, BMP, GIF or TIFF.")
    return file_format


def _inverted(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the numbers of a white-is-zero TIFF the other way round; floats are left alone."""
    return ~pixels if pixels.dtype.kind in "bu" else pixels


def _check_free(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise OutputError(f"{path} is a folder: expected the name of a file to write.")
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: the folder {path.parent} does not exist.")
    if path.exists() and not overwrite:
        raise OutputError(
            f"{path} exists: choose another name, or allow overwriting (--overwrite)."
        )


def _within(path: Path) -> list[Path]:
    """Return what lies in a folder, or what a pattern matches."""
    if path.is_dir():
        return list(path.iterdir())
    return [Path(name) for name in glob.glob(str(path), recursive=True)]


def _is_image(path: Path) -> bool:
    """Tell a picture by its name; names that begin with a dot are hidden files."""
    hidden = path.name.startswith(".")
    return path.suffix.lower() in IMAGE_SUFFIXES and not hidden and path.is_file()


def _is_other(path: Path) -> bool:
    """Tell an image of another format by its name."""
    return path.name.lower().endswith(_OTHER_ENDINGS) and not path.name.startswith(".")
