"""Objects that SAM answered with: compared with each other, painted into one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

SAME_OBJECT = 0.5
"""Intersection over union, or share of the smaller one, from which two masks are one object."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundObject:
    """One object in a target.

    Attributes
    ----------
    logits : shape (h, w), float32
        On the decoder's output grid over SAM's square, or on any other grid that all share.
    score : predicted intersection over union, in [0, 1]
    evidence : how much the references speak for it, in [0, 1]
    """

    logits: Tensor
    score: float
    evidence: float


@dataclass(frozen=True, slots=True, eq=False)
class PaintedObjects:
    """Objects at the picture's size.

    Attributes
    ----------
    probability : shape (H, W), float32
        The largest of all objects.
    instance_labels : shape (H, W), int32
        1 + the index of the object that owns the pixel, 0 where no probability exceeds the
        threshold.
    """

    probability: NDArray[np.float32]
    instance_labels: NDArray[np.int32]


class PaintingGrid(Protocol):
    """Brings answers to the size of a picture, as :class:`SAMGrid` does."""

    @property
    def original_hw(self) -> tuple[int, int]:
        """Size of the picture."""
        ...

    def resized(self, logits: Tensor) -> Tensor:
        """Bring answers (B, M, h, w) to it."""
        ...


def paint_objects(
    objects: Sequence[FoundObject], grid: PaintingGrid, threshold: float, *, nested: bool = False
) -> PaintedObjects:
    """Bring objects to the picture's size, one after the other, so that few pictures are held.

    Parameters
    ----------
    objects : any number
    grid : of the picture
    threshold : probability from which a pixel belongs to an object
    nested : whether objects may lie in others: then each is painted over those before it
    """
    probability = np.zeros(grid.original_hw, np.float32)
    labels = np.zeros(grid.original_hw, np.int32)
    for number, found in enumerate(objects, start=1):
        own = grid.resized(found.logits[None, None])[0, 0].sigmoid().cpu().numpy()
        more = own > probability
        labels[(own > threshold) if nested else more] = number
        probability[more] = own[more]
    return PaintedObjects(probability, np.where(probability > threshold, labels, 0))


def mean_score(objects: Sequence[FoundObject]) -> float:
    """Average the predicted scores of objects by their area; 0 of none."""
    areas = np.array([int((o.logits > 0).sum()) for o in objects], float)
    if not areas.sum():
        return 0.0
    return float(np.clip(np.average([o.score for o in objects], weights=areas), 0, 1))


def overlaps(masks: Tensor, others: Tensor) -> Tensor:
    """Return how far masks are the same: IoU, or the share of the smaller one that both have.

    Parameters
    ----------
    masks : shape (N, h, w), bool
    others : shape (M, h, w), bool

    Returns
    -------
    overlap : shape (N, M), float in [0, 1]
        The larger of the two; 0 with an empty mask.
    """
    iou, contained = iou_and_containment(masks, others)
    return torch.maximum(iou, contained)


def iou_and_containment(masks: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return intersection over union, and over the smaller one, of each pair, both (N, M)."""
    a, b = masks.flatten(1).float(), others.flatten(1).float()
    both = a @ b.T
    sizes = a.sum(1)[:, None], b.sum(1)[None]
    union = sizes[0] + sizes[1] - both
    smaller = torch.minimum(*sizes)
    return both / union.clamp_min(1), both / smaller.clamp_min(1)


def evidence_under(logits: Tensor, evidence: Tensor) -> Tensor:
    """Average evidence on cells over the masks on a finer grid.

    Parameters
    ----------
    logits : shape (N, k * h, k * w), float
        A mask is where they are above 0.
    evidence : shape (h, w), float
        NaN-free; cells that do not count should be 0.

    Returns
    -------
    mean : shape (N,)
        0 for an empty mask.
    """
    masks = (logits > 0).float()[:, None]
    cells = F.adaptive_avg_pool2d(masks, (evidence.shape[-2], evidence.shape[-1]))[:, 0]
    mean: Tensor = (cells * evidence).sum((1, 2)) / cells.sum((1, 2)).clamp_min(1e-6)
    return mean


def box_of(mask: Tensor) -> tuple[int, int, int, int] | None:
    """Return left, top, right, bottom (half-open) of a mask, shape (h, w); None if it is empty."""
    rows, cols = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    if not len(rows):
        return None
    return int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1
