"""Any image plane a user has, checked and turned into 8-bit RGB by one rule of intensities."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.errors import ImageError

LOW_PERCENTILE, HIGH_PERCENTILE = 0.1, 99.9
# Values looked at per image (a 1024 x 1024 plane completely) and held for a whole set.
_SAMPLES_PER_IMAGE = 2**20
_SAMPLES_IN_ALL = 2**23
_NOTHING_FINITE = (
    "has no finite value, only NaN or infinity: expected intensities. Check how it was computed or "
    "exported."
)
# Modes of Pillow whose numbers are intensities.
_PLAIN_MODES = frozenset({"1", "L", "I", "I;16", "I;16L", "I;16B", "I;16N", "F", "RGB", "RGBA"})
# Values converted at once: a large image needs a few MB beside itself, and they stay in the cache.
_BLOCK = 2**18


@dataclass(frozen=True, slots=True)
class IntensityRange:
    """The intensities that become black and white, recorded with every result.

    Attributes
    ----------
    low, high : finite, ``low <= high``, in the image's own units
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        try:
            low, high = float(self.low), float(self.high)
        except (TypeError, ValueError, OverflowError) as error:
            raise ImageError(
                f"Intensity range ({self.low!r}, {self.high!r}) is invalid: expected two numbers."
            ) from error
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ImageError(
                f"Intensity range ({low:g}, {high:g}) is invalid: expected finite numbers, the "
                "lower one first."
            )
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)


def check_plane(image: ArrayLike, *, name: str = "image") -> NDArray[Any]:
    """Return `image` as an array if it is one plane this package can read.

    Parameters
    ----------
    image : shape (H, W), (H, W, 3) or (H, W, 4)
        Booleans, integers or floats; grey, RGB or RGBA. A Pillow picture with a palette or other
        colours (CMYK, YCbCr...) is taken as RGB, or as RGBA where it has transparency.
    name : what the messages call it

    Returns
    -------
    plane : same shape and type in native byte order, not copied if it can be avoided

    Raises
    ------
    ImageError
        If the shape or type is another. The message says how to get one of these.
    """
    try:
        array = np.asarray(_in_plain_colours(image))
    except (ValueError, TypeError, RuntimeError) as error:  # the last two: tensors of torch
        raise ImageError(f"{name} is no array ({error}): expected shape (H, W).") from error
    shape = array.shape
    hint = _shape_hint(shape)
    if hint is not None:
        raise ImageError(f"{name} has shape {shape}: expected (H, W) or (H, W, 3). {hint}")
    if array.dtype.kind not in "buif":
        raise ImageError(
            f"{name} has type {array.dtype}: expected booleans, integers or floats. "
            f"{_type_hint(array.dtype)}"
        )
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def intensity_range_of(images: Iterable[ArrayLike]) -> IntensityRange | None:
    """Return the range that a set of images shares, so that none is scaled on its own.

    Parameters
    ----------
    images : planes as :func:`check_plane` takes them; read one by one
        uint8 and boolean images are shown as they are and do not count.

    Returns
    -------
    range : IntensityRange, or None if all images are uint8 or boolean
        The 0.1 and 99.9 percentile of the finite values, each an existing value. Images of more
        than a million values are sampled on a regular grid. If the two agree although the images
        are not constant (a few bright specks), the smallest and largest value.

    Raises
    ------
    ImageError
        If an image cannot be read, or none has a finite value.
    """
    planes = (
        plane
        for plane in map(check_plane, images)
        if plane.dtype != np.uint8 and plane.dtype != np.bool_
    )
    first = next(planes, None)
    return None if first is None else _percentile_range(chain([first], planes))


def to_rgb(image: ArrayLike, intensity_range: IntensityRange | None = None) -> NDArray[np.uint8]:
    """Turn a plane into 8-bit RGB.

    Parameters
    ----------
    image : shape (H, W), (H, W, 3) or (H, W, 4)
        uint8 is taken as it is, booleans become 0 and 255; everything else is scaled from
        `intensity_range` to 0...255 and clipped. NaN counts as the low end. The fourth channel is
        opacity, laid over white: integers by their type's largest value, floats in [0, 1].
    intensity_range : optional
        The range of the set; None takes the image's own.

    Returns
    -------
    rgb : shape (H, W, 3), uint8, contiguous, always a new array
        All 0 where the range is a single value, as for a constant image.

    Raises
    ------
    ImageError
        If the image cannot be read or has no finite value.

    Examples
    --------
    >>> to_rgb(np.array([[100, 300]], np.uint16), IntensityRange(100, 300))[..., 0]
    array([[  0, 255]], dtype=uint8)
    """
    plane = check_plane(image)
    colour = plane[..., :3] if plane.ndim == 3 else plane[..., None]
    if plane.dtype == np.uint8:
        scaled = colour.astype(np.uint8)
    elif plane.dtype == np.bool_:
        scaled = colour.astype(np.uint8) * np.uint8(255)
    else:
        if not has_finite(plane):
            raise ImageError(f"image {_NOTHING_FINITE}")
        scaled = _scale(colour, intensity_range or _percentile_range([plane]))
    rgb = np.repeat(scaled, 3, axis=2) if scaled.shape[2] == 1 else scaled
    if plane.ndim == 3 and plane.shape[2] == 4:
        rgb = _over_white(rgb, plane[..., 3])
    return np.ascontiguousarray(rgb)


def has_finite(plane: NDArray[Any]) -> bool:
    """Tell whether a plane has any intensity; one that is all NaN or infinite cannot be shown."""
    colour = plane[..., :3] if plane.ndim == 3 else plane
    return plane.dtype.kind != "f" or any(_finite(block).size for block in _row_blocks(colour))


def plane_key(image: ArrayLike) -> str:
    """Return a hash of a plane's type, shape and pixels, by which embeddings are found again."""
    plane = np.ascontiguousarray(check_plane(image))
    digest = hashlib.blake2b(f"{plane.dtype.str} {plane.shape} ".encode(), digest_size=16)
    digest.update(plane.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _in_plain_colours(image: Any) -> Any:
    """Return a Pillow picture whose numbers are no intensities in RGB, all else as it is."""
    mode = getattr(image, "mode", None)
    # Tensors and tables have a `mode` too, which is a method.
    if not isinstance(mode, str) or mode in _PLAIN_MODES or not hasattr(image, "convert"):
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _shape_hint(shape: tuple[int, ...]) -> str | None:
    """Return what to do about a shape that is no plane, or None if it is one."""
    if 0 in shape:
        return "It is empty. Check the crop or the file it came from."
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4)):
        return None
    if len(shape) < 2:
        return "Give a two-dimensional array."
    if len(shape) == 3 and shape[0] in (3, 4):
        return "If the first axis holds colours, call np.moveaxis(image, 0, -1) first."
    if len(shape) == 3 and shape[2] <= 2:
        return "Choose one channel, for instance image[..., 0]."
    return "For a stack, call predict_stack(...), or choose one plane, for instance image[0]."


def _type_hint(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "c":
        return "Take its magnitude: np.abs(image)."
    return "Convert it, for instance image.astype(np.float32)."


def _percentile_range(planes: Iterable[NDArray[Any]]) -> IntensityRange:
    """Return the range of planes that all have to be scaled; see :func:`intensity_range_of`."""
    samples: list[NDArray[np.float64]] = []
    limit, held = _SAMPLES_PER_IMAGE, 0
    smallest, largest = math.inf, -math.inf
    for plane in planes:
        colour = plane[..., :3] if plane.ndim == 3 else plane
        for block in _row_blocks(colour):
            finite = _finite(block)
            if finite.size:
                smallest = min(smallest, float(finite.min()))
                largest = max(largest, float(finite.max()))
        step = math.ceil(math.sqrt(max(1.0, colour.size / limit)))
        samples.append(_finite(colour[::step, ::step]))
        held += samples[-1].size
        while held > _SAMPLES_IN_ALL:
            # Thin what is held and take less from now on, so that each image keeps its weight.
            samples, limit = [sample[::2] for sample in samples], max(1, limit // 2)
            held = sum(sample.size for sample in samples)
    if smallest > largest:
        raise ImageError(f"The set of images {_NOTHING_FINITE}")
    values = np.concatenate(samples)
    samples.clear()
    if values.size == 0:  # all sampled values are NaN, others are not
        return IntensityRange(smallest, largest)
    # In their own place: a copy for each would be the largest thing in memory.
    low = float(np.percentile(values, LOW_PERCENTILE, method="lower", overwrite_input=True))
    high = float(np.percentile(values, HIGH_PERCENTILE, method="higher", overwrite_input=True))
    return IntensityRange(low, high) if low < high else IntensityRange(smallest, largest)


def _row_blocks(array: NDArray[Any]) -> Iterable[NDArray[Any]]:
    """Yield groups of rows of at most about `_BLOCK` values."""
    rows = max(1, _BLOCK // max(1, array[0].size))
    return (array[start : start + rows] for start in range(0, len(array), rows))


def _finite(array: NDArray[Any]) -> NDArray[np.float64]:
    """Return the finite values as float64 in one dimension."""
    with np.errstate(over="ignore"):  # long doubles beyond float64 become infinite, left out next
        values = array.astype(np.float64).ravel()
    return values if array.dtype.kind != "f" else values[np.isfinite(values)]


def _scale(colour: NDArray[Any], intensity_range: IntensityRange) -> NDArray[np.uint8]:
    """Map the range to 0...255, rounded to the nearest."""
    low, high = intensity_range.low, intensity_range.high
    scaled = np.zeros(colour.shape, dtype=np.uint8)
    # Halves, because the difference of two huge floats overflows.
    span = high / 2 - low / 2
    if span <= 0:
        return scaled
    for block, out in zip(_row_blocks(colour), _row_blocks(scaled), strict=True):
        with np.errstate(over="ignore"):
            values = block.astype(np.float64)
        values[np.isnan(values)] = low
        np.clip(values, low, high, out=values)
        out[...] = np.rint((values / 2 - low / 2) / span * 255).astype(np.uint8)
    return scaled


def _over_white(rgb: NDArray[np.uint8], alpha: NDArray[Any]) -> NDArray[np.uint8]:
    """Lay a picture over white by its opacity; NaN counts as transparent."""
    if alpha.dtype.kind in "iu":
        opacity = np.clip(alpha / np.iinfo(alpha.dtype).max, 0, 1)
    else:
        opacity = np.clip(np.nan_to_num(alpha.astype(np.float64)), 0, 1)
    opacity = opacity[..., None]
    return np.rint(rgb * opacity + 255 * (1 - opacity)).astype(np.uint8)
