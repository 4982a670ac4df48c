"""Agreement of a predicted mask with the true one: pixels, outlines, objects."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.errors import ImageError

Mask = NDArray[np.bool_]

BOUNDARY_SHARE = 0.02
"""Width of a boundary as a share of the picture's diagonal (Cheng et al., CVPR 2021)."""

MATCHING_IOU = 0.5
"""Objects with a larger IoU are the same; no two can then claim one (Kirillov et al., 2019)."""


def iou(found: Mask, truth: Mask) -> float:
    """Intersection over union of two masks.

    Parameters
    ----------
    found, truth : shape (H, W), bool

    Returns
    -------
    value : in [0, 1]
        1 where both are empty.

    Raises
    ------
    ImageError
        If the shapes differ.
    """
    _check_shapes(found, truth)
    union = np.count_nonzero(found | truth)
    return float(np.count_nonzero(found & truth) / union) if union else 1.0


def boundary_iou(found: Mask, truth: Mask, *, share: float = BOUNDARY_SHARE) -> float:
    """Intersection over union of the rims of two masks, which large insides cannot hide.

    Parameters
    ----------
    found, truth : shape (H, W), bool
    share : float
        Width of the rims as a share of the picture's diagonal; at least one pixel.

    Returns
    -------
    value : in [0, 1]
        1 where both masks are empty.

    Raises
    ------
    ImageError
        If the shapes differ.

    Notes
    -----
    As published: Cheng et al., Boundary IoU, CVPR 2021, arXiv:2103.16562. The border of the picture
    counts as a boundary of what touches it.
    """
    _check_shapes(found, truth)
    width = max(1, round(share * float(np.hypot(*found.shape))))
    return iou(rim(found, width), rim(truth, width))


def rim(mask: Mask, width: int) -> Mask:
    """Return the pixels of a mask that lie at most `width` steps (also diagonal) from outside.

    The same as the mask without what `width` erosions by a 3 x 3 square leave of it.
    """
    steps = ndimage.distance_transform_cdt(np.pad(mask, 1), metric="chessboard")[1:-1, 1:-1]
    inner: Mask = mask & (steps <= width)
    return inner


class ObjectMatch(NamedTuple):
    """How many objects agree, were found, and are wanted."""

    matched: int
    found: int
    wanted: int


def match_objects(found: Mask, objects: NDArray[np.integer]) -> ObjectMatch:
    """Match the connected parts of a mask with true objects.

    Parameters
    ----------
    found : shape (H, W), bool
        Parts that share no edge are objects of their own.
    objects : shape (H, W), int
        Number of the true object, 0 for none; one may be in several pieces.

    Returns
    -------
    match : ObjectMatch
        A found object is matched if its IoU with a true one is above `MATCHING_IOU`.

    Raises
    ------
    ImageError
        If the shapes differ.
    """
    _check_shapes(found, objects)
    parts, part_count = ndimage.label(found)
    numbers, truths = np.unique(objects, return_inverse=True)
    both = np.zeros((part_count + 1, len(numbers)), np.int64)
    np.add.at(both, (parts, truths.reshape(objects.shape)), 1)
    union = both.sum(1)[:, None] + both.sum(0)[None, :] - both
    same = both > MATCHING_IOU * union
    matched = same[1:][:, numbers != 0].sum()
    return ObjectMatch(int(matched), int(part_count), int(np.count_nonzero(numbers)))


def _check_shapes(found: NDArray[np.generic], truth: NDArray[np.generic]) -> None:
    if found.shape != truth.shape:
        raise ImageError(
            f"The masks have shapes {found.shape} and {truth.shape}: expected equal ones. "
            "Resize one to the other first."
        )
