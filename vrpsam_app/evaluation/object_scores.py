"""Agreement object by object: which were found, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.evaluation.metrics import Mask, check_shapes
from vrpsam_app.label_images import ObjectCounts, count_objects, shared_pixels

MATCHING_IOU = 0.5
"""Two objects are the same if their IoU is larger: then each has at most one counterpart."""


@dataclass(frozen=True, slots=True)
class ObjectScores:
    """How many objects agree, were found and are there.

    Attributes
    ----------
    matched, found, true : int
    """

    matched: int
    found: int
    true: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where no object is found nor there."""
        total = self.found + self.true
        return 2 * self.matched / total if total else 1.0

    @property
    def count_error(self) -> int:
        """How many objects too many were found; negative if too few."""
        return self.found - self.true


def object_scores(
    found: NDArray[np.bool_] | NDArray[np.integer],
    instances: NDArray[np.integer],
    ignore: Mask | None = None,
) -> ObjectScores:
    """Match found objects with true ones.

    Parameters
    ----------
    found : shape (H, W) or (planes, H, W), bool or int
        A mask, whose parts that share no edge are its objects; or the numbers of objects, 0 for
        none.
    instances : same shape, int
        Number of the true object, 0 for none; an object may be in several pieces.
    ignore : same shape, bool, optional
        Pixels that do not count. Objects that lie more than half there are left out, found ones
        and true ones alike.

    Returns
    -------
    scores : ObjectScores
        An object is matched if its IoU with a true one is above one half. No two can then claim
        the same (Kirillov et al., Panoptic Segmentation, CVPR 2019).

    Raises
    ------
    ImageError
        If the shapes differ.
    """
    check_shapes(found, instances, ignore)
    parts = count_objects(ndimage.label(found)[0] if found.dtype == np.bool_ else found)
    truths = count_objects(instances)
    if ignore is not None:
        parts, truths = (
            count_objects(np.where(ignore, 0, _kept(n, ignore))) for n in (parts, truths)
        )
    matched = (shared_pixels(parts, truths).iou > MATCHING_IOU).sum()
    return ObjectScores(int(matched), len(parts.ids), len(truths.ids))


def _kept(counts: ObjectCounts, ignore: Mask) -> NDArray[np.integer]:
    """Remove objects that lie more than half in ignored pixels."""
    areas = np.concatenate([[0], counts.pixels])
    ignored = np.bincount(counts.dense[ignore], minlength=len(areas))
    return np.where((ignored > areas / 2)[counts.dense], 0, counts.dense)
