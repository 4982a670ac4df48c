"""Many guesses at a few objects: those that agree are merged, the best supported ones stay."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vrpsam_app.methods.found_objects import FoundObject, iou_and_containment
from vrpsam_app.models.resize import pool_mask

AGREE = 0.7
"""Intersection over union from which two guesses mean the same."""

SAME_IOU, SAME_SHARE = 0.5, 0.7
"""IoU, and share of the smaller one, from which a guess is about an object that is known."""

DOUBT = 0.3
"""What one supporting prompt leaves of doubt in a guess; another one leaves as much of that."""

COMPARED_SIDE = 128
"""Guesses are compared on grids of at most this side."""


@dataclass(frozen=True, slots=True, eq=False)
class Guesses:
    """Masks that somebody proposed.

    Attributes
    ----------
    logits : shape (N, h, w), float
    scores : shape (N,), float in [0, 1]
        How good each is expected to be by whoever made it.
    sources : shape (N,), int
        Which prompt each answers; several answers of one prompt do not support each other.
    """

    logits: Tensor
    scores: Tensor
    sources: Tensor

    @classmethod
    def join(cls, *several: Guesses) -> Guesses:
        """Put guesses together; their prompts stay apart."""
        sources, first = [], 0
        for guesses in several:
            sources.append(guesses.sources + first)
            first += int(guesses.sources.max()) + 1 if len(guesses.sources) else 0
        return cls(
            torch.cat([g.logits for g in several]),
            torch.cat([g.scores for g in several]),
            torch.cat(sources),
        )


def merge_by_agreement(
    guesses: Guesses, evidence: Tensor, least_evidence: float
) -> list[FoundObject]:
    """Choose objects among guesses, the best first.

    A guess counts by its score, by the mean evidence inside, and by how many prompts agree with it.
    It becomes an object, merged with those that agree, unless it lies on a better one.

    Parameters
    ----------
    guesses : Guesses
    evidence : shape (h, w), float in [0, 1]
    least_evidence : mean evidence inside that an object needs

    Returns
    -------
    objects : list of FoundObject
    """
    masks = guesses.logits > 0
    areas = masks.flatten(1).sum(1)
    inside = (masks * evidence).flatten(1).sum(1) / areas.clamp_min(1)
    small = _compared(masks)
    iou, contained = iou_and_containment(small, small)
    agree = iou >= AGREE
    support = torch.stack([guesses.sources[row].unique().numel() * row.any() for row in agree])
    worth = guesses.scores.clamp(0, 1) * inside * (1 - DOUBT ** support.clamp_min(1))
    possible = (areas > 0) & (inside >= least_evidence)
    taken: list[int] = []
    objects = []
    for index in worth.argsort(descending=True, stable=True).tolist():
        if not possible[index]:
            continue
        if taken and bool(
            ((iou[index, taken] > SAME_IOU) | (contained[index, taken] > SAME_SHARE)).any()
        ):
            continue
        taken.append(index)
        # A mask too small for the comparison agrees with nothing there, but it does with itself.
        same = agree[index].clone()
        same[index] = True
        weights = worth[same].clamp_min(1e-6)
        merged = (guesses.logits[same] * weights[:, None, None]).sum(0) / weights.sum()
        objects.append(
            FoundObject(merged, float(guesses.scores[index].clamp(0, 1)), float(inside[index]))
        )
    return objects


def _compared(masks: Tensor) -> Tensor:
    """Reduce masks to the grid on which they are compared; whatever is half covered counts."""
    hw = masks.shape[-2:]
    scale = min(1.0, COMPARED_SIDE / max(hw))
    smaller = (max(1, round(hw[0] * scale)), max(1, round(hw[1] * scale)))
    return pool_mask(masks.float()[:, None], smaller)[:, 0] >= 0.5
