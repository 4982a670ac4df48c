"""Single-plane TIFF files, as microscopes and ImageJ write them, read as the numbers they hold."""

from __future__ import annotations

import math
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageFileError

if TYPE_CHECKING:
    from tifffile import TiffPage

# First bytes of classic and big TIFF, little and big endian.
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# Values of the TIFF 6.0 tags Compression, PhotometricInterpretation and ExtraSamples.
_UNCOMPRESSED, _DEFLATE = 1, (8, 32946)
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3
_NUMBERS = (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE)
_ALPHA = (1, 2)
_ORIENTATION_TAG = 274


@dataclass(frozen=True, slots=True, eq=False)
class TiffPlane:
    """The one plane of a TIFF file.

    Attributes
    ----------
    pixels : shape (H, W), (H, W, 3) or (H, W, 4), as stored but for palettes, which are applied
    white_is_zero : whether the file asks to be shown inverted
    orientation : how the pixels have to be turned, as the TIFF tag of that name says (1 to 8)
    """

    pixels: NDArray[Any]
    white_is_zero: bool
    orientation: int


def read_tiff(path: Path, *, max_pixels: int) -> TiffPlane:
    """Read a TIFF file that holds one plane; reduced copies of it are passed over.

    Raises
    ------
    ImageFileError
        If it holds several planes, more than `max_pixels` pixels, channels that are no colours, or
        is damaged or compressed in a way that is not supported.
    """
    import tifffile

    # Without its OME-XML, which can name further files, a file is read by itself and nothing else.
    with tifffile.TiffFile(path, is_ome=False) as file:
        page, index = _only_page(file, path)
        height, width = page.imagelength, page.imagewidth
        if height * width > max_pixels:
            raise ImageFileError(
                f"{path} has {height} x {width} pixels: at most {max_pixels} are read. Crop or "
                "shrink it, or raise max_pixels."
            )
        if height < 1 or width < 1 or page.axes not in ("YX", "YXS", "SYX"):
            raise ImageFileError(
                f"{path} holds an array of shape {page.shape}: expected one plane. Save the plane "
                "you need as a file of its own."
            )
        if not 1 <= page.samplesperpixel <= 4:
            raise ImageFileError(
                f"{path} has {page.samplesperpixel} channels: expected grey, RGB or RGBA. Save the "
                "channels you need as a file of their own."
            )
        if page.dtype is None or page.dtype.kind not in "buif":
            raise ImageFileError(
                f"{path} holds numbers of type {page.dtype}: expected integers or floats. Save it "
                "as 8 or 16 bits or as float."
            )
        _check_complete(page, path, file.filehandle.size, max_pixels)
        pixels, orientation = _decode(page, path, index)
        return TiffPlane(
            pixels=_colours(pixels, page, path),
            white_is_zero=page.photometric == _WHITE_IS_ZERO,
            orientation=orientation,
        )


def _only_page(file: Any, path: Path) -> tuple[TiffPage, int]:
    """Return the page at full size and its index."""
    full = [(page, i) for i, page in enumerate(file.pages) if not page.keyframe.is_reduced]
    stacked = [s for s in file.series if not s.keyframe.is_reduced and s.size > s.keyframe.size]
    if len(full) != 1 or stacked:
        shape = stacked[0].shape if stacked else f"{len(full)} pages"
        raise ImageFileError(
            f"{path} holds a stack ({shape}): expected a single plane. Save the plane you need as "
            "a file of its own, or read it with tifffile.imread(path, key=0)."
        )
    return file.pages[full[0][1]], full[0][1]


def _check_complete(page: TiffPage, path: Path, file_size: int, max_pixels: int) -> None:
    """Refuse a page whose data end beyond the file or unpack to more than they should."""
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    stored = sum(count for _, count in segments)
    beyond = any(offset + count > file_size for offset, count in segments)
    # Each row of an uncompressed page, of any number of bits, fills whole bytes.
    bytes_of_row = math.ceil(page.imagewidth * page.samplesperpixel * page.bitspersample / 8)
    lacking = page.compression == _UNCOMPRESSED and stored < bytes_of_row * page.imagelength
    if beyond or not stored or lacking:
        raise ImageFileError(f"{path} is truncated. Copy or export it again.")
    pixels_in_segment = page.chunks[0] * page.chunks[1]
    # Tiles reach over the border of a small image, but no writer makes them huge.
    if pixels_in_segment > max(max_pixels, page.imagelength * page.imagewidth):
        raise ImageFileError(f"{path} has tiles of {page.chunks} pixels: it is damaged.")
    if page.compression not in _DEFLATE:
        return
    limit = int(np.prod(page.chunks)) * max(1, page.bitspersample // 8)
    for offset, count in segments:
        page.parent.filehandle.seek(offset)
        if _unpacked_size(page.parent.filehandle.read(count), limit) > limit:
            raise ImageFileError(f"{path} unpacks to more than its size allows: it is damaged.")


def _unpacked_size(data: bytes, limit: int) -> int:
    """Return how many bytes `data` inflates to, in steps and no further than just over `limit`."""
    inflate, size = zlib.decompressobj(), 0
    while data and size <= limit and not inflate.eof:
        size += len(inflate.decompress(data, 2**20))
        data = inflate.unconsumed_tail
    return size


def _decode(page: TiffPage, path: Path, index: int) -> tuple[NDArray[Any], int]:
    """Decode a page: tifffile for plain and deflated numbers, Pillow for the rest.

    Returns
    -------
    pixels : as stored
    orientation : how they have to be turned
    """
    tag = page.tags.get(_ORIENTATION_TAG)
    orientation = int(tag.value) if tag is not None else 1
    plain = page.compression == _UNCOMPRESSED or page.compression in _DEFLATE
    if plain and page.photometric in _NUMBERS:
        return np.asarray(page.asarray()), orientation
    try:
        return _decode_with_pillow(page, path, index), 1
    except Exception as error:  # a decoder may raise anything on a damaged file
        # Pillow has no 16-bit colour; tifffile has, where the imagecodecs package is installed.
        if page.photometric in _NUMBERS:
            with suppress(ValueError):
                return np.asarray(page.asarray()), orientation
        raise ImageFileError(
            f"{path} cannot be decoded ({page.compression!r}, {page.bitspersample} bits, "
            f"{page.photometric!r}): expected an uncompressed or deflated file. Save it so, or "
            "run: pip install imagecodecs."
        ) from error


def _decode_with_pillow(page: TiffPage, path: Path, index: int) -> NDArray[Any]:
    """Decode a page with Pillow, which turns it upright, and undo its inversion."""
    from PIL import TiffImagePlugin

    with TiffImagePlugin.TiffImageFile(str(path)) as image:
        image.seek(index)
        if page.photometric not in _NUMBERS:
            return np.asarray(image.convert("RGB"))
        image.load()  # turning may exchange the sides: their lengths are right only after it
        pixels = np.asarray(image)
        if page.photometric == _WHITE_IS_ZERO and image.mode in ("1", "L"):
            return ~pixels
        return pixels


def _colours(pixels: NDArray[Any], page: TiffPage, path: Path) -> NDArray[Any]:
    """Put colours last, apply a palette, and keep a fourth channel only if it is opacity."""
    if page.photometric == _PALETTE and pixels.ndim == 2 and page.colormap is not None:
        # Palette entries have 16 bits, of which the upper 8 carry the colour.
        return np.moveaxis(page.colormap[:, pixels] >> 8, 0, -1).astype(np.uint8)
    if pixels.ndim == 3 and page.axes == "SYX" and pixels.shape[0] == page.samplesperpixel:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return pixels
    opacity = bool(page.extrasamples) and int(page.extrasamples[0]) in _ALPHA
    if pixels.shape[2] == 4:
        return pixels if opacity else pixels[..., :3]
    if pixels.shape[2] == 2 and opacity:
        return pixels[..., [0, 0, 0, 1]]
    if pixels.shape[2] == 1:
        return pixels[..., 0]
    raise ImageFileError(
        f"{path} has {pixels.shape[2]} channels: expected grey, RGB or RGBA. Save one channel as a "
        "file of its own."
    )
