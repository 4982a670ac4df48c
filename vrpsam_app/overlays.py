"""Results and marks drawn into the image: the one look that every surface and report shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.annotations import Annotation, Box, Marks, Mask, Point, Scribble, rasterize
from vrpsam_app.errors import ImageError
from vrpsam_app.images import to_rgb

Color = tuple[int, int, int]

# Okabe and Ito, "Color Universal Design" (2008): told apart with any kind of colour vision. Black
# is left out and the order begins with what stands out on grey and on stained tissue alike.
PALETTE: tuple[Color, ...] = (
    (86, 180, 233),  # sky blue
    (230, 159, 0),  # orange
    (0, 158, 115),  # bluish green
    (204, 121, 167),  # reddish purple
    (240, 228, 66),  # yellow
    (213, 94, 0),  # vermilion
    (0, 114, 178),  # blue
)
POSITIVE_COLOR, NEGATIVE_COLOR = PALETTE[0], PALETTE[5]

# How strongly each kind of annotation covers what is below it.
_MARK_OPACITY = {Mask: 0.35, Box: 0.12, Scribble: 0.65, Point: 0.85}
_STRIPE = 3  # width in pixels of the stripes of negative marks
_HALO = 0.35  # opacity of the dark line around outlines, which sets them off on bright ground
_PAPER, _INK = (255, 255, 255), (40, 40, 40)


def overlay(
    image: ArrayLike,
    mask_or_labels: ArrayLike,
    *,
    color: Color = POSITIVE_COLOR,
    colors: Sequence[Color] | None = None,
    opacity: float = 0.45,
    outline: float = 2.0,
) -> NDArray[np.uint8]:
    """Draw a mask, or several labelled regions, into an image.

    Parameters
    ----------
    image : shape (H, W), (H, W, 3) or (H, W, 4)
        Turned into RGB as :func:`vrpsam_app.images.to_rgb` does.
    mask_or_labels : shape (H, W), bool or integer
        A mask is drawn in `color`; label i in ``colors[i - 1]``, again from the start when they are
        used up. Labels below 1 are background.
    color, colors : red, green, blue, each 0 to 255
        `colors` defaults to `PALETTE`.
    opacity : of the inside, 0 to 1
    outline : width of the line around each region in pixels, 0 for none

    Returns
    -------
    picture : shape (H, W, 3), uint8

    Raises
    ------
    ImageError
        If the two sizes differ or the second is neither bool nor integer.
    """
    rgb = to_rgb(image).astype(np.float32)
    regions = np.asarray(mask_or_labels)
    if regions.shape != rgb.shape[:2] or regions.dtype.kind not in "bui":
        raise ImageError(
            f"The regions have shape {regions.shape} and type {regions.dtype}, the image measures "
            f"{rgb.shape[0]} x {rgb.shape[1]} pixels: expected booleans or integers of its size."
        )
    if regions.dtype == np.bool_:
        chosen: Sequence[Color] = (color,)
    else:
        chosen = colors or PALETTE
    for label, window in _windows(regions, margin=math.ceil(outline) + 3):
        paint = chosen[(label - 1) % len(chosen)]
        _paint(rgb[window], regions[window] == label, paint, opacity, outline)
    return np.rint(rgb).astype(np.uint8)


def draw_marks(
    image: ArrayLike,
    marks: Marks | Sequence[Annotation],
    color: Color = POSITIVE_COLOR,
    *,
    negative_color: Color = NEGATIVE_COLOR,
) -> NDArray[np.uint8]:
    """Draw what a person marked: positive marks plain, negative ones striped.

    Parameters
    ----------
    image : shape (H, W), (H, W, 3) or (H, W, 4)
    marks : annotations in (row, col) order, or the pixels they cover
    color, negative_color : red, green, blue, each 0 to 255

    Returns
    -------
    picture : shape (H, W, 3), uint8
    """
    rgb = to_rgb(image).astype(np.float32)
    hw = (rgb.shape[0], rgb.shape[1])
    for positive, paint in ((True, color), (False, negative_color)):
        if isinstance(marks, Marks):
            layers = [(marks.positive if positive else marks.negative, 0.5)]
        else:
            layers = [
                (rasterize([replace(a, positive=True) for a in group], hw).positive, opacity)
                for kind, opacity in _MARK_OPACITY.items()
                if (group := [a for a in marks if isinstance(a, kind) and a.positive is positive])
            ]
        for mask, opacity in layers:
            for _, window in _windows(mask, margin=5):
                _paint(rgb[window], mask[window], paint, opacity, 2.0, striped=not positive)
    return np.rint(rgb).astype(np.uint8)


def side_by_side(
    panels: Sequence[ArrayLike], gap: int = 8, captions: Sequence[str] | None = None
) -> NDArray[np.uint8]:
    """Put pictures in a row on white, each at its own size, with a caption above each.

    Parameters
    ----------
    panels : each of shape (H, W), (H, W, 3) or (H, W, 4)
    gap : pixels between panels
    captions : one per panel; shortened where the panel is too narrow

    Returns
    -------
    picture : shape (H, W, 3), uint8

    Raises
    ------
    ImageError
        If there is no panel, or the number of captions is another.
    """
    pictures = [to_rgb(panel) for panel in panels]
    if not pictures:
        raise ImageError("No panels were given: expected at least one image.")
    if captions is not None and len(captions) != len(pictures):
        raise ImageError(f"{len(captions)} captions for {len(pictures)} panels: expected one each.")
    tallest = max(len(picture) for picture in pictures)
    size = min(28, max(12, tallest // 22))
    title = 0 if captions is None else round(1.8 * size)
    width = sum(picture.shape[1] for picture in pictures) + gap * (len(pictures) - 1)
    sheet = np.full((title + tallest, width, 3), _PAPER, dtype=np.uint8)
    left = 0
    for index, picture in enumerate(pictures):
        height, right = len(picture), left + picture.shape[1]
        sheet[title : title + height, left:right] = picture
        if captions is not None:
            sheet[:title, left:right] = _text(captions[index], (title, right - left), size)
        left = right + gap
    return sheet


def _windows(
    regions: NDArray[np.bool_] | NDArray[np.integer], margin: int
) -> list[tuple[int, tuple[slice, slice]]]:
    """Return each label above 0 with the rows and columns it needs to be drawn in."""
    from scipy import ndimage

    if not (regions > 0).any():
        return []
    if regions.dtype == np.bool_:
        labels, numbers = np.array([1]), regions.astype(np.int8)
    else:
        # Numbered without gaps, because find_objects lists every number up to the largest.
        labels = np.unique(regions[regions > 0])
        numbers = np.where(regions > 0, np.searchsorted(labels, regions) + 1, 0)
    return [
        (
            int(label),
            (
                slice(max(rows.start - margin, 0), rows.stop + margin),
                slice(max(cols.start - margin, 0), cols.stop + margin),
            ),
        )
        for label, (rows, cols) in zip(labels, ndimage.find_objects(numbers), strict=True)
    ]


def _paint(
    rgb: NDArray[np.float32],
    region: NDArray[np.bool_],
    color: Color,
    opacity: float,
    outline: float,
    *,
    striped: bool = False,
) -> None:
    """Blend one region into `rgb`, shape (h, w, 3), in place."""
    distance = _signed_distance(region)
    fill = opacity * np.maximum(np.clip(distance + 0.5, 0, 1), region)
    if striped:
        row, col = np.indices(region.shape)
        fill *= np.where((row + col) // _STRIPE % 2 == 0, 1.0, 0.25)
    _blend(rgb, fill, color)
    if outline > 0:
        away = np.abs(distance)
        _blend(rgb, _HALO * np.clip(outline / 2 + 1.5 - away, 0, 1), (0, 0, 0))
        _blend(rgb, np.clip(outline / 2 + 0.5 - away, 0, 1), color)


def _signed_distance(region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance to the region's border in pixels, positive inside.

    It is smoothed a little, so that what is cut from it is free of the pixels' staircase.
    """
    from scipy import ndimage

    if region.all():
        return np.full(region.shape, np.inf)
    inside = ndimage.distance_transform_edt(region)
    outside = ndimage.distance_transform_edt(~region)
    distance = np.where(region, inside - 0.5, 0.5 - outside)
    return np.asarray(ndimage.gaussian_filter(distance, 0.7, mode="nearest"))


def _blend(rgb: NDArray[np.float32], alpha: NDArray[np.float64], color: Color) -> None:
    """Mix a colour into `rgb`, shape (h, w, 3), in place; `alpha` has shape (h, w)."""
    covered = alpha > 0  # outlines cover little of a large picture
    weight = alpha[covered, None].astype(np.float32)
    below = rgb[covered]
    rgb[covered] = below + weight * (np.array(color, dtype=np.float32) - below)


def _text(text: str, hw: tuple[int, int], size: int) -> NDArray[np.uint8]:
    """Return a line of text on white, cut if it is too long."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size)
    line = Image.new("RGB", (hw[1], hw[0]), _PAPER)
    draw = ImageDraw.Draw(line)
    shown = text
    while shown and draw.textlength(shown, font=font) > hw[1]:
        shown = shown.removesuffix("...")[:-1].rstrip()
        shown = f"{shown}..." if shown else ""  # Pillow's font has no ellipsis of one character
    draw.text((0, hw[0] / 2), shown, fill=_INK, font=font, anchor="lm")
    return np.asarray(line)
