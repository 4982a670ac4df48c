"""TIFF files, as microscopes and ImageJ write them: opened, checked, and decoded page by page."""

from __future__ import annotations

import logging
import math
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageFileError
from vrpsam_app.pillow_pictures import PictureHeader, upright

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffFrame, TiffPage

# First bytes of classic and big TIFF, little and big endian.
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# Values of the TIFF 6.0 tags Compression, PhotometricInterpretation and ExtraSamples.
_UNCOMPRESSED, _DEFLATE = 1, (8, 32946)
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3
_NUMBERS = (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE)
_ALPHA = (1, 2)
_DESCRIPTION_TAG, _ORIENTATION_TAG = 270, 274
_LYING = (5, 6, 7, 8)  # orientations that exchange rows and columns
# Of what tifffile only logs, the words that mean that pixels are lacking.
_LACKING = (
    "invalid page offset",
    "corrupted",
    "zeroed",
    "failed to read",
    "missing",
    "subset",
    "invalid value",
)


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


@contextmanager
def open_tiff(path: Path, *, is_ome: bool | None = None) -> Iterator[TiffFile]:
    """Open a TIFF file.

    Parameters
    ----------
    path : of the file
    is_ome : False looks at no OME-XML, which can name further files; None does where there is some

    Raises
    ------
    ImageFileError
        If it is no TIFF file, or ends early.
    """
    import tifffile

    logged = _Logged()
    logger = logging.getLogger("tifffile")
    logger.addHandler(logged)
    try:
        with tifffile.TiffFile(path, is_ome=is_ome) as file:
            # Finds every page and what belongs together, and says what is wrong only in the log.
            file.series  # noqa: B018
            lacking = next((m for m in logged.messages if any(w in m for w in _LACKING)), None)
            if lacking is not None:
                raise ImageFileError(
                    f"{path} is truncated, or parts of it are elsewhere ({lacking}). Copy or "
                    "export it again, with all its files in one folder."
                )
            yield file
    finally:
        logger.removeHandler(logged)


def tiff_file(path: Path) -> TiffFile:
    """Open a TIFF file by itself, whatever files it names; the caller closes it."""
    import tifffile

    return tifffile.TiffFile(path, is_ome=False)


class _Logged(logging.Handler):
    """Keeps what is logged in the thread that made it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread = threading.get_ident()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        # Tags of other programs that point nowhere harm no pixel; the description holds the axes.
        harmless = "TiffTag" in text and f"TiffTag {_DESCRIPTION_TAG} " not in text
        if record.thread == self.thread and not harmless:
            self.messages.append(text.partition("> ")[2] or text)


def read_tiff(path: Path, *, max_pixels: int) -> TiffPlane:
    """Read a TIFF file that holds one plane; reduced copies of it are passed over.

    Raises
    ------
    ImageFileError
        If it holds several planes, more than `max_pixels` pixels, channels that are no colours, or
        is damaged or compressed in a way that is not supported.
    """
    with _single_page(path, max_pixels) as (page, index):
        check_complete(page, path)
        _check_segments(page, path, max_pixels)
        pixels, orientation = _decode(page, path, index)
        return TiffPlane(
            pixels=_colours(pixels, page, path, palette=True),
            white_is_zero=page.photometric == _WHITE_IS_ZERO,
            orientation=orientation,
        )


def read_tiff_header(path: Path, *, max_pixels: int) -> PictureHeader:
    """Say what :func:`read_tiff` will give, turned upright, without decoding it.

    Raises
    ------
    ImageFileError
        As for :func:`read_tiff`, but for damage of the pixels.
    """
    with _single_page(path, max_pixels) as (page, _):
        check_complete(page, path)
        return page_header(page, path)


@contextmanager
def _single_page(path: Path, max_pixels: int) -> Iterator[tuple[TiffPage, int]]:
    """Open a file of one plane and give its page, checked by what its header says."""
    # Without its OME-XML, which can name further files, a file is read by itself and nothing else.
    with open_tiff(path, is_ome=False) as file:
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
        check_numbers(page, path)
        yield page, index


def check_numbers(page: TiffPage, path: Path) -> np.dtype[Any]:
    """Return the type of a page's numbers; refuse it if they are no intensities."""
    if page.dtype is None or page.dtype.kind not in "buif":
        raise ImageFileError(
            f"{path} holds numbers of type {page.dtype}: expected integers or floats. Save it "
            "as 8 or 16 bits or as float."
        )
    return np.dtype(page.dtype)


def page_header(page: TiffPage, path: Path, *, palette: bool = True) -> PictureHeader:
    """Say what :func:`read_page` will give, without decoding the page.

    Raises
    ------
    ImageFileError
        If its channels are no colours.
    """
    hw = (page.imagelength, page.imagewidth)
    if orientation_of(page) in _LYING:
        hw = hw[::-1]
    if page.photometric not in _NUMBERS:
        return PictureHeader(hw, 3, np.dtype(np.uint8))
    shape = (1, 1) if page.samplesperpixel == 1 else (1, 1, page.samplesperpixel)
    pixels = _colours(np.zeros(shape, check_numbers(page, path)), page, path, palette)
    return PictureHeader(hw, 1 if pixels.ndim == 2 else pixels.shape[2], pixels.dtype)


def read_page(page: TiffPage, path: Path, index: int, *, palette: bool = True) -> NDArray[Any]:
    """Decode one page as it is meant to be seen.

    Parameters
    ----------
    page, path, index : the page, its file, and which page it is
    palette : whether a palette is applied

    Returns
    -------
    pixels : shape (H, W), (H, W, 3) or (H, W, 4)
    """
    pixels, orientation = _decode(page, path, index)
    pixels = _colours(pixels, page, path, palette)
    if is_inverted(page):
        pixels = ~pixels
    return upright(pixels, orientation)


def is_inverted(page: TiffPage) -> bool:
    """Return whether zero is white; of fractions nobody knows what black would be."""
    numbers = page.dtype is not None and page.dtype.kind in "bu"
    return page.photometric == _WHITE_IS_ZERO and numbers


def needs_imagecodecs(page: TiffPage) -> bool:
    """Return whether the tiles of a page are compressed in a way that only imagecodecs reads."""
    import tifffile

    try:
        _ = tifffile.TIFF.DECOMPRESSORS[page.compression]
    except KeyError:
        return True
    return False


def is_plain(page: TiffPage) -> bool:
    """Return whether the stored numbers are intensities, and no colours to be converted."""
    return page.photometric in _NUMBERS


def orientation_of(page: TiffPage) -> int:
    """Return how the pixels of a page have to be turned, 1 to 8."""
    tag = page.tags.get(_ORIENTATION_TAG)
    return int(tag.value) if tag is not None else 1


def chosen_samples(count: int, page: TiffPage) -> list[int] | None:
    """Return which samples of a pixel make RGB or RGBA, None if it is all of them."""
    opacity = bool(page.extrasamples) and int(page.extrasamples[0]) in _ALPHA
    if count == 2 and opacity:
        return [0, 0, 0, 1]
    return [0, 1, 2] if count == 4 and not opacity else None


def palette_of(page: TiffPage) -> NDArray[np.uint8] | None:
    """Return the colours of a page's palette, shape (entries, 3), None if it has none."""
    if page.photometric != _PALETTE or page.samplesperpixel != 1 or page.colormap is None:
        return None
    # Palette entries have 16 bits, of which the upper 8 carry the colour.
    return np.ascontiguousarray(page.colormap.T >> 8).astype(np.uint8)


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


def check_complete(page: TiffPage | TiffFrame, path: Path) -> None:
    """Refuse a page whose data end beyond the file."""
    keyframe: Any = page.keyframe
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    stored = sum(count for _, count in segments)
    size = page.parent.filehandle.size
    beyond = any(offset + count > size for offset, count in segments)
    # Each row of an uncompressed page, of any number of bits, fills whole bytes.
    bits = keyframe.imagewidth * keyframe.samplesperpixel * keyframe.bitspersample
    needed = math.ceil(bits / 8) * keyframe.imagelength
    if beyond or not stored or (keyframe.compression == _UNCOMPRESSED and stored < needed):
        raise ImageFileError(f"{path} is truncated. Copy or export it again.")


def _check_segments(page: TiffPage, path: Path, max_pixels: int) -> None:
    """Refuse a page whose data unpack to more than they should."""
    segments = zip(page.dataoffsets, page.databytecounts, strict=False)
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
    """Decode a page: tifffile for numbers, as far as it can, Pillow for the rest.

    Returns
    -------
    pixels : as stored
    orientation : how they have to be turned
    """
    orientation = orientation_of(page)
    plain = page.compression == _UNCOMPRESSED or page.compression in _DEFLATE
    if plain and is_plain(page):
        return np.asarray(page.asarray()), orientation
    # Without imagecodecs, tifffile unpacks LZMA and others to whatever size a bad file makes them.
    if is_plain(page) and find_spec("imagecodecs") is not None:
        with suppress(Exception):  # a decoder may raise anything on a damaged file
            return np.asarray(page.asarray()), orientation
    try:
        return _decode_with_pillow(page, path, index), 1
    except Exception as error:
        raise ImageFileError(
            f"{path} cannot be decoded ({page.compression!r}, {page.bitspersample} bits, "
            f"{page.photometric!r}): expected an uncompressed or deflated file. Save it so, or "
            'run: pip install "vrpsam-app[formats]".'
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
        stored = check_numbers(page, path)
        if pixels.dtype.itemsize < stored.itemsize:  # of 16-bit colours it gives the upper half
            raise ValueError(f"Pillow has {pixels.dtype} for {stored}")
        if page.photometric == _WHITE_IS_ZERO and image.mode in ("1", "L"):
            pixels = ~pixels
        return pixels.astype(stored, copy=False)  # the same bits, or more of them than were stored


def _colours(pixels: NDArray[Any], page: TiffPage, path: Path, palette: bool) -> NDArray[Any]:
    """Put colours last, apply a palette, and keep a fourth channel only if it is opacity."""
    colours = palette_of(page) if palette and pixels.ndim == 2 else None
    if colours is not None:
        coloured: NDArray[Any] = colours[pixels]
        return coloured
    if pixels.ndim == 3 and page.axes == "SYX" and pixels.shape[0] == page.samplesperpixel:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim == 2:
        return pixels
    chosen = chosen_samples(pixels.shape[2], page)
    if chosen is not None:
        return pixels[..., chosen]
    if pixels.shape[2] in (3, 4):
        return pixels
    if pixels.shape[2] == 1:
        return pixels[..., 0]
    raise ImageFileError(
        f"{path} has {pixels.shape[2]} channels: expected grey, RGB or RGBA. Save one channel as a "
        "file of its own."
    )
