"""Agreement of one predicted mask with the true one: pixels and outlines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.errors import ImageError

Mask = NDArray[np.bool_]

BOUNDARY_SHARE = 0.02
"""Width of a boundary as a share of the picture's diagonal (Cheng et al., CVPR 2021)."""


def iou(found: Mask, truth: Mask, ignore: Mask | None = None) -> float:
    """Intersection over union of two masks.

    Parameters
    ----------
    found, truth : shape (H, W), bool
    ignore : shape (H, W), bool, optional
        Pixels that do not count, whatever was found there.

    Returns
    -------
    value : in [0, 1]
        1 where both are empty.

    Raises
    ------
    ImageError
        If the shapes differ.
    """
    check_shapes(found, truth, ignore)
    counting = np.ones(truth.shape, bool) if ignore is None else ~ignore
    union = np.count_nonzero((found | truth) & counting)
    return float(np.count_nonzero(found & truth & counting) / union) if union else 1.0


def boundary_iou(
    found: Mask, truth: Mask, ignore: Mask | None = None, *, share: float = BOUNDARY_SHARE
) -> float:
    """Intersection over union of the rims of two masks, which large insides cannot hide.

    Parameters
    ----------
    found, truth : shape (H, W), bool
    ignore : shape (H, W), bool, optional
        Pixels of the rims that do not count.
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
    check_shapes(found, truth, ignore)
    width = max(1, round(share * float(np.hypot(*found.shape))))
    return iou(rim(found, width), rim(truth, width), ignore)


def rim(mask: Mask, width: int) -> Mask:
    """Return the pixels of a mask that lie at most `width` steps (also diagonal) from outside.

    The same as the mask without what `width` erosions by a 3 x 3 square leave of it.
    """
    steps = ndimage.distance_transform_cdt(np.pad(mask, 1), metric="chessboard")[1:-1, 1:-1]
    inner: Mask = mask & (steps <= width)
    return inner


def check_shapes(
    found: NDArray[Any], truth: NDArray[Any], ignore: NDArray[Any] | None = None
) -> None:
    """Refuse masks of different sizes.

    Raises
    ------
    ImageError
        If the shapes differ.
    """
    shapes = list(dict.fromkeys(a.shape for a in (found, truth, ignore) if a is not None))
    if len(shapes) > 1:
        raise ImageError(
            f"The masks have shapes {' and '.join(map(str, shapes))}: expected equal ones. "
            "Resize one to the other first."
        )
