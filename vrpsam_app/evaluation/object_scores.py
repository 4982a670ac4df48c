"""Agreement object by object: which were found, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.evaluation.metrics import Mask, check_shapes

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
    found: Mask, instances: NDArray[np.integer], ignore: Mask | None = None
) -> ObjectScores:
    """Match the connected parts of a mask with true objects.

    Parameters
    ----------
    found : shape (H, W), bool
        Its parts that share no edge are its objects.
    instances : shape (H, W), int
        Number of the true object, 0 for none; an object may be in several pieces.
    ignore : shape (H, W), bool, optional
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
    parts = ndimage.label(found)[0]
    truths = _renumbered(instances)
    if ignore is not None:
        parts, truths = (np.where(ignore, 0, _kept(n, ignore)) for n in (parts, truths))
    both = np.zeros((int(parts.max(initial=0)) + 1, int(truths.max(initial=0)) + 1), np.int64)
    np.add.at(both, (parts, truths), 1)
    part_area, truth_area = both.sum(1)[1:], both.sum(0)[1:]
    union = part_area[:, None] + truth_area[None, :] - both[1:, 1:]
    matched = (both[1:, 1:] > MATCHING_IOU * union).sum()
    return ObjectScores(int(matched), int((part_area > 0).sum()), int((truth_area > 0).sum()))


def _renumbered(instances: NDArray[np.integer]) -> NDArray[np.intp]:
    """Give objects the numbers 1, 2, ... whatever they had."""
    values, index = np.unique(instances, return_inverse=True)
    new = np.cumsum(values != 0)
    new[values == 0] = 0
    numbered: NDArray[np.intp] = new[index].reshape(instances.shape)
    return numbered


def _kept(numbered: NDArray[np.integer], ignore: Mask) -> NDArray[np.integer]:
    """Remove objects that lie more than half in ignored pixels."""
    areas = np.bincount(numbered.ravel())
    ignored = np.bincount(numbered.ravel(), weights=ignore.ravel(), minlength=len(areas))
    return np.where((ignored > areas / 2)[numbered], 0, numbered)
