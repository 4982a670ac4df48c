"""The same episode as ink, sketch, negative, in another stain, at another magnification.

A method that has learned what things look like loses here what one that compares keeps. All
changes are fixed: the same picture always becomes the same picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.errors import ImageError
from vrpsam_app.geometry import resize_bilinear
from vrpsam_app.images import to_rgb

Picture = NDArray[np.uint8]
Labels = NDArray[Any]

PAPER, INK = 246.0, 28.0
"""Grey values of drawing paper and of ink."""


@dataclass(frozen=True, slots=True)
class Shift:
    """One change of look or size.

    Attributes
    ----------
    name : of the row in the report
    look : RGB picture (H, W, 3), uint8 -> the same size and type
    scale : factor of both sides, after the change of look
    targets_only : whether the references stay as they are
        A magnification is a shift only against references at the old one; a look is changed in
        the whole episode, as if it had been recorded that way.
    """

    name: str
    look: Callable[[Picture], Picture]
    scale: float = 1.0
    targets_only: bool = False

    def __call__(self, image: NDArray[Any], *masks: Labels) -> tuple[NDArray[Any], ...]:
        """Change a picture, and its masks with it.

        Parameters
        ----------
        image : shape (H, W), (H, W, 3) or (H, W, 4)
            Brought to 8-bit RGB as everywhere.
        masks : shape (H, W), bool or integer
            Masks, marks or object numbers of the picture.

        Returns
        -------
        changed : tuple
            The picture, shape (h, w, 3), uint8, and the masks, shape (h, w), each in its type.

        Raises
        ------
        ImageError
            If a mask has another size than the image.
        """
        picture = to_rgb(image)
        for mask in masks:
            if mask.shape != picture.shape[:2]:
                raise ImageError(
                    f"A mask has shape {mask.shape}, its image {picture.shape[:2]}: expected equal "
                    "ones."
                )
        height, width = (max(1, round(self.scale * side)) for side in picture.shape[:2])
        changed = resize_bilinear(self.look(picture), (height, width))
        return changed, *(_nearest(mask, (height, width)) for mask in masks)


def as_it_is(picture: Picture) -> Picture:
    """Return a copy."""
    return picture.copy()


def ink(picture: Picture) -> Picture:
    """Draw with black ink: solid where it is dark, hatched where it is half dark."""
    grey = _stretched_grey(picture)
    rows, cols = np.indices(grey.shape)
    # Two directions of lines, the second one only in the darker half of the half-darks.
    first = (rows + cols) % 6 < 2
    second = (rows - cols) % 6 < 2
    outline = _edges(grey) > 0.09
    black = outline | (grey < 0.16) | ((grey < 0.42) & first) | ((grey < 0.27) & second)
    soft = ndimage.gaussian_filter(black.astype(np.float32), 0.5)
    return _grey_picture(PAPER + (INK - PAPER) * soft)


def sketch(picture: Picture) -> Picture:
    """Draw with a pencil: what differs from its surroundings, on light paper."""
    grey = _stretched_grey(picture)
    blurred = ndimage.gaussian_filter(1 - grey, 5.0)
    # The photographers' "colour dodge": divide by the inverted blur.
    dodged = np.clip(grey / np.maximum(1 - blurred, 0.05), 0, 1)
    lines = np.minimum(dodged, 1 - 2.5 * np.clip(_edges(grey) - 0.02, 0, 0.35))
    return _grey_picture(60.0 + (PAPER - 60.0) * lines)


def inverted(picture: Picture) -> Picture:
    """Turn light into dark, as a negative does."""
    return (255 - picture).astype(np.uint8)


# Absorption of red, green and blue by the stains of `skimage.color.rgb2hed` (Ruifrok and Johnston,
# 2001): haematoxylin, eosin, DAB; and by those that take their places: a green nuclear stain, a
# blue counterstain, a red chromogen.
_STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
_OTHER_STAINS = np.array([[0.85, 0.25, 0.47], [0.88, 0.45, 0.12], [0.12, 0.75, 0.65]])


def other_stain(picture: Picture) -> Picture:
    """Stain a section with other dyes: each of the three usual ones changes its colour."""
    density = -np.log((picture.astype(np.float64) + 1) / 256)  # (H, W, 3)
    amounts = density @ np.linalg.inv(_unit_rows(_STAINS))
    stained = np.maximum(amounts, 0) @ _unit_rows(_OTHER_STAINS)
    return np.clip(np.rint(256 * np.exp(-stained) - 1), 0, 255).astype(np.uint8)


SHIFTS: Mapping[str, Shift] = MappingProxyType(
    {
        shift.name: shift
        for shift in (
            Shift("ink", ink),
            Shift("sketch", sketch),
            Shift("inverted", inverted),
            Shift("other_stain", other_stain),
            Shift("half_size", as_it_is, scale=0.5, targets_only=True),
            Shift("double_size", as_it_is, scale=2.0, targets_only=True),
        )
    }
)
"""All shifts by name."""


def _stretched_grey(picture: Picture) -> NDArray[np.float32]:
    """Return grey values from 0 (the darkest 1 %) to 1 (the lightest)."""
    grey = picture.mean(2, dtype=np.float32)
    low, high = np.percentile(grey, (1, 99)).tolist()
    stretched: NDArray[np.float32] = np.clip((grey - low) / max(high - low, 1.0), 0, 1)
    return stretched


def _edges(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    edges: NDArray[np.float32] = ndimage.gaussian_gradient_magnitude(grey, 1.2)
    return edges


def _grey_picture(grey: NDArray[np.floating]) -> Picture:
    levels = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=2)


def _unit_rows(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    rows: NDArray[np.float64] = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    return rows


def _nearest(mask: Labels, hw: tuple[int, int]) -> Labels:
    """Take, for each new pixel, the value in which its middle lies."""
    rows, cols = (
        np.minimum(((np.arange(new) + 0.5) * old / new).astype(np.intp), old - 1)
        for new, old in zip(hw, mask.shape, strict=True)
    )
    return mask[rows[:, None], cols[None, :]]
