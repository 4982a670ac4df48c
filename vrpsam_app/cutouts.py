"""Objects cut out of a picture: what is around them becomes transparent, the edge stays soft."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.errors import ConfigError, ImageError
from vrpsam_app.geometry import fit_within, resize_bilinear
from vrpsam_app.images import IntensityRange, to_rgb

Which = Literal["each", "together", "largest"]
Color = tuple[int, int, int]

EDGE = 2.0
"""Pixels on both sides of an outline that may be partly transparent."""
RAMP = 0.25
"""Opacity goes from 0 to 1 while the probability goes from threshold - RAMP to threshold + RAMP."""
CRUMB = 0.03
"""Holes and fragments below this share of an object's pixels are faults of its mask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoutOptions:
    """How cut-outs look.

    Attributes
    ----------
    which : every object alone, all together, or the largest one
    crop : cut the picture to the object; else it keeps its size
    margin : room left around the object, as a share of its longer side
    square : pad to a square with transparent pixels
    size : pixels of the longer side of the result, None to leave it as it is
    soft : soft edge; else each pixel is either opaque or transparent
    smallest : objects of fewer pixels are left out
    tidy : fill holes and drop fragments, each of less than `CRUMB` of the object
    hidden : colour below transparent pixels, which programs that ignore opacity show

    Raises
    ------
    ConfigError
        If a value is out of its range.
    """

    which: Which = "each"
    crop: bool = True
    margin: float = 0.05
    square: bool = False
    size: int | None = None
    soft: bool = True
    smallest: int = 16
    tidy: bool = True
    hidden: Color = (255, 255, 255)

    def __post_init__(self) -> None:
        if self.which not in get_args(Which):
            raise ConfigError(
                f"Cut out {self.which!r}: expected one of {', '.join(get_args(Which))}."
            )
        if not 0 <= self.margin <= 2:
            raise ConfigError(f"The margin is {self.margin}: expected a share from 0 to 2.")
        if self.size is not None and not 1 <= self.size <= 16384:
            raise ConfigError(f"The size is {self.size} pixels: expected 1 to 16384.")
        if self.smallest < 1:
            raise ConfigError(f"Smallest object: {self.smallest} pixels: expected 1 or more.")
        if len(self.hidden) != 3 or not all(0 <= part <= 255 for part in self.hidden):
            raise ConfigError(
                f"The hidden colour is {self.hidden}: expected red, green and blue, 0 to 255."
            )


@dataclass(frozen=True, eq=False)
class Cutout:
    """One object, or several together, on nothing.

    Attributes
    ----------
    rgba : shape (h, w, 4), uint8
        Colours are not multiplied by opacity.
    label : number of the object; 0 for several together
    box : first row, first column, end row, end column of what was cut, in pixels of the picture
        It may reach beyond the picture by its margin; there everything is transparent.
    pixels : of the object in the picture
    """

    rgba: NDArray[np.uint8]
    label: int
    box: tuple[int, int, int, int]
    pixels: int


def cut_out(
    image: ArrayLike,
    mask_or_labels: ArrayLike,
    *,
    probability: ArrayLike | None = None,
    threshold: float = 0.5,
    intensity_range: IntensityRange | None = None,
    options: CutoutOptions | None = None,
) -> tuple[Cutout, ...]:
    """Cut objects out of a picture.

    Parameters
    ----------
    image : shape (H, W), (H, W, 3) or (H, W, 4)
        Turned into RGB as :func:`vrpsam_app.images.to_rgb` does.
    mask_or_labels : shape (H, W), bool or integer
        A mask is one object, number 1; each label above 0 is one. A pixel of the edge that lies
        in another object stays transparent.
    probability : shape (H, W), in [0, 1], optional
        What the edge is made of; None takes the distance from the outline.
    threshold : probability at which the mask was cut
    intensity_range : optional
    options : None takes the defaults

    Returns
    -------
    cutouts : by number of the object; empty if there is none that is large enough

    Raises
    ------
    ImageError
        If sizes differ, or the second is neither bool nor integer.

    Examples
    --------
    >>> image = np.full((40, 60, 3), 90, np.uint8)
    >>> mask = np.zeros((40, 60), bool)
    >>> mask[10:30, 20:50] = True
    >>> found = cut_out(image, mask, options=CutoutOptions(square=True, size=64))
    >>> found[0].rgba.shape
    (64, 64, 4)
    """
    options = options or CutoutOptions()
    rgb = to_rgb(image, intensity_range)
    regions = np.asarray(mask_or_labels)
    if regions.shape != rgb.shape[:2] or regions.dtype.kind not in "bui":
        raise ImageError(
            f"The objects have shape {regions.shape} and type {regions.dtype}, the image measures "
            f"{rgb.shape[0]} x {rgb.shape[1]} pixels: expected booleans or integers of its size."
        )
    likely = None if probability is None else np.asarray(probability, np.float32)
    if likely is not None and likely.shape != regions.shape:
        raise ImageError(
            f"The probability has shape {likely.shape}: expected {regions.shape}, as the image."
        )
    labels = regions.astype(np.int32)
    return tuple(
        _cut(rgb, labels, chosen, number, likely, threshold, options)
        for number, chosen in _chosen(labels, options)
    )


def _chosen(
    labels: NDArray[np.int32], options: CutoutOptions
) -> list[tuple[int, NDArray[np.int32]]]:
    """Return the number of each cut-out and the objects it is made of."""
    numbers, counts = np.unique(labels[labels > 0], return_counts=True)
    large = counts >= options.smallest
    numbers, counts = numbers[large], counts[large]
    if not len(numbers):
        return []
    if options.which == "together":
        return [(0, numbers)]
    if options.which == "largest":
        numbers = numbers[[int(counts.argmax())]]
    return [(int(number), np.array([number], np.int32)) for number in numbers]


def _cut(
    rgb: NDArray[np.uint8],
    labels: NDArray[np.int32],
    chosen: NDArray[np.int32],
    number: int,
    probability: NDArray[np.float32] | None,
    threshold: float,
    options: CutoutOptions,
) -> Cutout:
    mask = np.isin(labels, chosen)
    if options.tidy:
        mask = _tidied(mask, free=labels == 0)
    box = _box(mask, options) if options.crop else (0, 0, *mask.shape)
    mine = _window(mask, box)
    others = _window(labels > 0, box) & ~_window(np.isin(labels, chosen), box)
    likely = None if probability is None else _window(probability, box)
    opacity = _opacity(mine, likely, threshold) if options.soft else mine.astype(np.float32)
    opacity[others] = 0
    colour = _own_colours(_window(rgb, box), opacity)
    rgba = _finished(colour, opacity, options)
    return Cutout(rgba, number, box, int(mask.sum()))


def _tidied(mask: NDArray[np.bool_], free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill small holes that no other object is in, and drop small fragments."""
    from scipy import ndimage

    most = CRUMB * mask.sum()
    parts, _ = ndimage.label(mask, np.ones((3, 3)))
    kept = np.bincount(parts.ravel()) >= most
    kept[0] = False
    whole: NDArray[np.bool_] = kept[parts]
    holes, _ = ndimage.label(ndimage.binary_fill_holes(whole) & ~whole)
    small = np.bincount(holes.ravel()) < most
    small[0] = False
    tidied: NDArray[np.bool_] = whole | (small[holes] & free)
    return tidied


def _box(mask: NDArray[np.bool_], options: CutoutOptions) -> tuple[int, int, int, int]:
    """Return what is cut: the object, its margin, and what makes a square of it."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left, bottom, right = rows[0], cols[0], rows[-1] + 1, cols[-1] + 1
    room = round(options.margin * max(bottom - top, right - left))
    # A soft edge lies outside the outline and must not be cut off.
    room = max(room, int(np.ceil(EDGE))) if options.soft else room
    top, left, bottom, right = top - room, left - room, bottom + room, right + room
    if options.square:
        side = max(bottom - top, right - left)
        top -= (side - (bottom - top)) // 2
        left -= (side - (right - left)) // 2
        bottom, right = top + side, left + side
    return int(top), int(left), int(bottom), int(right)


def _window(array: NDArray[Any], box: tuple[int, int, int, int]) -> NDArray[Any]:
    """Return a part of an array, with zeros where it reaches beyond."""
    top, left, bottom, right = box
    part = np.zeros((bottom - top, right - left, *array.shape[2:]), array.dtype)
    rows = slice(max(top, 0), min(bottom, array.shape[0]))
    cols = slice(max(left, 0), min(right, array.shape[1]))
    part[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left] = array[
        rows, cols
    ]
    return part


def _opacity(
    mask: NDArray[np.bool_], probability: NDArray[np.float32] | None, threshold: float
) -> NDArray[np.float32]:
    """Return opacity: 1 inside, 0 outside, soft within `EDGE` pixels of the outline.

    Far from the outline the mask alone counts: neither does an unsure inside become glassy, nor
    does a likely place elsewhere show through.
    """
    from scipy import ndimage

    inside = ndimage.distance_transform_edt(mask) - 0.5
    outside = ndimage.distance_transform_edt(~mask) - 0.5
    distance = np.where(mask, inside, -outside)
    if probability is None:
        return np.asarray(np.clip(0.5 + distance / EDGE, 0, 1), np.float32)
    ramp = np.clip(0.5 + (probability - threshold) / (2 * RAMP), 0, 1)
    soft = np.where(mask, np.maximum(ramp, 0.5), np.minimum(ramp, 0.5))
    return np.where(np.abs(distance) < EDGE, soft, mask).astype(np.float32)


def _own_colours(rgb: NDArray[np.uint8], opacity: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Replace colours of the edge, which hold some background, by the nearest opaque one."""
    from scipy import ndimage

    opaque = opacity >= 1
    if not opaque.any():
        return rgb
    nearest = ndimage.distance_transform_edt(~opaque, return_distances=False, return_indices=True)
    colour: NDArray[np.uint8] = rgb[tuple(nearest)]
    return colour


def _finished(
    colour: NDArray[np.uint8], opacity: NDArray[np.float32], options: CutoutOptions
) -> NDArray[np.uint8]:
    """Bring to the size that is wanted, and put colour and opacity together."""
    paint, alpha = colour.astype(np.float32), opacity
    hw = (opacity.shape[0], opacity.shape[1])
    if options.square and hw[0] != hw[1]:
        side = max(hw)
        box = ((hw[0] - side) // 2, (hw[1] - side) // 2)
        square = (box[0], box[1], box[0] + side, box[1] + side)
        paint, alpha = _window(paint, square), _window(alpha, square)
        hw = (side, side)
    if options.size is not None:
        wanted = fit_within(hw, options.size)
        # By weight, or transparent pixels would mix their colour into the edge.
        weighted = resize_bilinear(paint * alpha[..., None], wanted)
        alpha = np.clip(resize_bilinear(alpha, wanted), 0, 1)
        paint = weighted / np.maximum(alpha, 1e-6)[..., None]
    shown = np.rint(alpha * 255).astype(np.uint8)
    paint = np.where(shown[..., None] > 0, paint, np.array(options.hidden, np.float32))
    return np.dstack([np.rint(np.clip(paint, 0, 255)).astype(np.uint8), shown])
