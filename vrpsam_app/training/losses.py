"""Mask losses: binary cross-entropy and Dice, as in the paper (section 3.3), each switchable."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def mask_loss(
    logits: Tensor,
    target: Tensor,
    *,
    bce_weight: float = 1.0,
    dice_weight: float = 1.0,
    known: Tensor | None = None,
) -> Tensor:
    """Sum of weighted losses, one value per mask.

    Parameters
    ----------
    logits : shape (B, 1, h, w)
        Mask logits.
    target : shape (B, 1, h, w), float in [0, 1]
        Share of each cell that belongs to the object.
    bce_weight, dice_weight : float
        0 switches a term off.
    known : shape (B, 1, h, w), float in [0, 1], optional
        Share of each cell that counts; None counts all.

    Returns
    -------
    loss : shape (B,)
    """
    loss = logits.new_zeros(logits.shape[0])
    if bce_weight:
        bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        loss = loss + bce_weight * _mean(bce, known)
    if dice_weight:
        probability = logits.sigmoid()
        if known is not None:
            probability, target = probability * known, target * known
        loss = loss + dice_weight * dice_loss(probability, target)
    return loss


def _mean(values: Tensor, known: Tensor | None) -> Tensor:
    """Average each item's values over what counts; 0 where nothing does."""
    if known is None:
        return values.mean((1, 2, 3))
    return (values * known).sum((1, 2, 3)) / known.sum((1, 2, 3)).clamp_min(1e-6)


def dice_loss(probability: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """One minus the Dice coefficient of each mask; `smooth` is the published 1."""
    overlap = (probability * target).sum((1, 2, 3))
    total = probability.sum((1, 2, 3)) + target.sum((1, 2, 3))
    return 1 - (2 * overlap + smooth) / (total + smooth)


@torch.no_grad()
def soft_iou(logits: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
    """IoU of the thresholded masks, shape (B,); 1 where both are empty.

    Cells of which no more than half is `known` are left out.
    """
    found, true = logits > 0, target > 0.5
    if known is not None:
        found, true = found & (known > 0.5), true & (known > 0.5)
    union = (found | true).sum((1, 2, 3))
    overlap = (found & true).sum((1, 2, 3))
    return torch.where(union > 0, overlap / union.clamp_min(1), 1.0)
