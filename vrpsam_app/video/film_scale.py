"""References whose pixels are of another size than those of a film, brought to its scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.geometry import resize_bilinear, resize_mask_area
from vrpsam_app.references import Reference
from vrpsam_app.tiles.plan import TilePlan


def at_film_scale(plan: TilePlan, ratio: float) -> tuple[Reference, ...]:
    """Return the references of a plan so that frames of the film may stand beside them as they are.

    Parameters
    ----------
    plan : of the film's frames
    ratio : pixels of the film that one pixel of the references spans

    Returns
    -------
    references : of frames that are shown whole, cut to as much as a frame shows; of others, with
        pixels of the film's size
    """
    if plan.grid is None:
        return plan.references
    return tuple(_resized(reference, ratio) for reference in plan.references)


def _resized(reference: Reference, ratio: float) -> Reference:
    height, width = (max(1, round(side * ratio)) for side in reference.positive.shape)
    positive = _marks(reference.positive, (height, width))
    return replace(
        reference,
        image=resize_bilinear(reference.image, (height, width)),
        positive=positive,
        negative=_marks(reference.negative, (height, width)) & ~positive,
    )


def _marks(marks: NDArray[np.bool_], hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Resize marks; of a connected one that covers half of no new pixel the best covered stay."""
    share = resize_mask_area(marks, hw)
    parts, count = ndimage.label(marks, np.ones((3, 3)))
    rows, cols = np.nonzero(marks)
    part = parts[rows, cols]
    # Where the middle of each marked pixel comes to lie.
    rows = (2 * rows + 1) * hw[0] // (2 * marks.shape[0])
    cols = (2 * cols + 1) * hw[1] // (2 * marks.shape[1])
    best = np.zeros(1 + count, share.dtype)
    np.maximum.at(best, part, share[rows, cols])
    stays = share[rows, cols] == best[part]
    marked: NDArray[np.bool_] = share >= 0.5
    marked[rows[stays], cols[stays]] = True
    return marked
