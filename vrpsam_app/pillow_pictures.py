"""PNG, JPEG, WebP, BMP and GIF as Pillow decodes them, after a look at their headers."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageFileError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"RIFF": "WEBP",
}
_EXIF_ORIENTATION = 274
# How each value of the EXIF orientation turns what is stored into what is seen.
_UPRIGHT: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}
_LYING = (5, 6, 7, 8)  # orientations that exchange rows and columns
# How Pillow calls PNGs of 16 bits in each of several channels, of which it gives the upper 8.
_DEEP_COLOURS = ("RGB;16B", "RGBA;16B", "LA;16B")
# What it multiplies the numbers of grey PNGs of fewer bits with, so that the highest is 255.
_STRETCHED = {"L;2": 85, "L;4": 17}


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What a picture will be once it is decoded.

    Attributes
    ----------
    hw : rows and columns as it is seen
    samples : 1 for grey, 3 for RGB, 4 for RGBA
    dtype : bool, uint8, uint16, or what else a TIFF holds
    animated : whether there are frames behind the first, the one that is decoded
    """

    hw: tuple[int, int]
    samples: int
    dtype: np.dtype[Any]
    animated: bool = False


def picture_format(start: bytes) -> str | None:
    """Return the format that a file's first 12 bytes or more announce, None if it is another."""
    if start.startswith(b"RIFF") and start[8:12] != b"WEBP":
        return None
    return next((name for sign, name in _SIGNATURES.items() if start.startswith(sign)), None)


def picture_header(
    stream: IO[bytes], file_format: str, name: str, max_pixels: int
) -> PictureHeader:
    """Read the header of a picture and nothing else.

    Parameters
    ----------
    stream : the file
    file_format : what :func:`picture_format` said
    name : what messages call it
    max_pixels : rows times columns above which it is refused

    Raises
    ------
    ImageFileError
        If it is too large.
    """
    with _opened(stream, file_format, name, max_pixels) as image:
        width, height = image.size
        deep = _raw_mode(image) in _DEEP_COLOURS
        # Pillow decodes a PNG to look for EXIF behind its pixels, where hardly any file has it.
        known = file_format != "PNG" or _has_exif(image) or _has_chunk(stream, b"eXIf")
        lying = known and _exif_orientation(image) in _LYING
        mode = _mode_of(image)
        dtype = np.uint16 if deep else {"1": np.bool_, "I;16": np.uint16}.get(mode, np.uint8)
        samples = {"RGB": 3, "RGBA": 4}.get(mode, 1)
        return PictureHeader(
            (width, height) if lying else (height, width),
            samples,
            np.dtype(dtype),
            animated=_is_animated(image),
        )


def decode_picture(
    stream: IO[bytes], file_format: str, name: str, max_pixels: int, indices: bool = False
) -> NDArray[Any]:
    """Decode a picture, after a look at the size its header states, and turn it upright.

    Parameters
    ----------
    stream, file_format, name, max_pixels : as for :func:`picture_header`
    indices : whether of a picture with a palette its indices are wanted, not its colours, and of
        grey of 2 or 4 bits the numbers it holds, not those stretched to 255

    Raises
    ------
    ImageFileError
        If it is too large.
    """
    with _opened(stream, file_format, name, max_pixels) as image:
        raw_mode = _raw_mode(image)
        if raw_mode in _DEEP_COLOURS:
            again = _opened(stream, file_format, name, max_pixels)
            pixels = _deep_pixels(image, raw_mode, again)
        elif indices and image.mode == "P":
            pixels = np.asarray(image)
        else:
            pixels = _pixels_of(image)
            if indices and raw_mode in _STRETCHED:
                pixels = pixels // np.uint8(_STRETCHED[raw_mode])
        return upright(pixels, _exif_orientation(image))


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn pixels as the EXIF or TIFF orientation, 1 to 8, says."""
    return (
        pixels if orientation not in _UPRIGHT else np.ascontiguousarray(turned(pixels, orientation))
    )


def turned(pixels: Any, orientation: int) -> Any:
    """Turn an array, a lazy one too, whose first axes are rows and columns."""
    turn = _UPRIGHT.get(orientation)
    return pixels if turn is None else turn(pixels)


@contextmanager
def _opened(stream: IO[bytes], file_format: str, name: str, max_pixels: int) -> Iterator[ImageFile]:
    from PIL import Image

    Image.init()
    # The format's own reader: Image.open guesses, and its limit of pixels is one for the process.
    factory, _ = Image.OPEN[file_format]
    stream.seek(0)
    with factory(stream, name) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise ImageFileError(
                f"{name} has {height} x {width} pixels: at most {max_pixels} are read. Crop or "
                "shrink it, or raise max_pixels."
            )
        yield image


def _mode_of(image: Image) -> str:
    """Return the mode that the pixels are taken in: 1, L, I;16, RGB or RGBA."""
    transparent = "transparency" in image.info
    if image.mode.startswith("I"):
        return "I;16"
    if image.mode in ("1", "L", "RGB", "RGBA") and not transparent:
        return image.mode
    return "RGBA" if transparent or image.mode in ("LA", "PA", "La", "RGBa") else "RGB"


def _pixels_of(image: Image) -> NDArray[Any]:
    """Return the numbers of a Pillow image as bool, uint8 or uint16, as it gives them."""
    mode = _mode_of(image)
    if mode == "I;16":
        # Older releases of Pillow open 16-bit PNGs with 32-bit pixels.
        return np.asarray(image).astype(np.uint16)
    return np.asarray(image if mode == image.mode else image.convert(mode))


def _raw_mode(image: ImageFile) -> str:
    """Return how a PNG stores its pixels, as Pillow calls it; decoding forgets it."""
    stored = image.tile[0][3] if image.tile else ""
    return stored if isinstance(stored, str) else ""


def _deep_pixels(
    image: ImageFile, raw_mode: str, again: AbstractContextManager[ImageFile]
) -> NDArray[np.uint16]:
    """Return RGB or RGBA of a PNG with 16 bits in each of several channels.

    Parameters
    ----------
    image : not decoded yet
    raw_mode : one of `_DEEP_COLOURS`
    again : opens the same picture a second time
    """
    if raw_mode == "LA;16B":  # as many bytes for each pixel as 8-bit RGBA has
        pairs = _decoded_as(image, "RGBA").view(">u2").astype(np.uint16)
        return pairs[..., [0, 0, 0, 1]]
    upper: NDArray[np.uint16] = np.left_shift(np.asarray(image), 8, dtype=np.uint16)
    with again as other:
        # The upper bytes, were the lower ones stored first.
        pixels: NDArray[np.uint16] = upper | _decoded_as(other, raw_mode.replace("16B", "16L"))
    transparent = image.info.get("transparency")
    if transparent is None:
        return pixels
    opaque = np.any(pixels != np.array(transparent, np.uint16), axis=2)
    return np.dstack([pixels, np.where(opaque, np.uint16(65535), np.uint16(0))])


def _decoded_as(image: ImageFile, raw_mode: str) -> NDArray[np.uint8]:
    """Decode a PNG as if its pixels were stored in another way, of as many bytes."""
    # Older releases of Pillow have plain tuples.
    image.tile = [(*image.tile[0][:3], raw_mode)]  # type: ignore[list-item]
    return np.asarray(image)


def _has_exif(image: Image) -> bool:
    return "exif" in image.info or "Raw profile type exif" in image.info


def _has_chunk(stream: IO[bytes], kind: bytes) -> bool:
    """Return whether a PNG file has a chunk, leaving the stream where it was."""
    here = stream.tell()
    try:
        stream.seek(8)
        while len(head := stream.read(8)) == 8:
            if head[4:] == kind:
                return True
            stream.seek(int.from_bytes(head[:4], "big") + 4, io.SEEK_CUR)
        return False
    finally:
        stream.seek(here)


def _exif_orientation(image: Image) -> int:
    """Return the EXIF orientation; damaged EXIF is no reason to refuse a sound picture."""
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:
        return 1


def _is_animated(image: Image) -> bool:
    """Return whether there is a second frame; a damaged one is no reason to refuse the first."""
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:
        return True
