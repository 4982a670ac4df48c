"""Mask losses: binary cross-entropy and Dice, as in the paper (section 3.3), each switchable."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def mask_loss(
    logits: Tensor, target: Tensor, *, bce_weight: float = 1.0, dice_weight: float = 1.0
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

    Returns
    -------
    loss : shape (B,)
    """
    loss = logits.new_zeros(logits.shape[0])
    if bce_weight:
        bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        loss = loss + bce_weight * bce.mean((1, 2, 3))
    if dice_weight:
        loss = loss + dice_weight * dice_loss(logits.sigmoid(), target)
    return loss


def dice_loss(probability: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """One minus the Dice coefficient of each mask; `smooth` is the published 1."""
    overlap = (probability * target).sum((1, 2, 3))
    total = probability.sum((1, 2, 3)) + target.sum((1, 2, 3))
    return 1 - (2 * overlap + smooth) / (total + smooth)


@torch.no_grad()
def soft_iou(logits: Tensor, target: Tensor) -> Tensor:
    """IoU of the thresholded masks, shape (B,); 1 where both are empty."""
    found, true = logits > 0, target > 0.5
    union = (found | true).sum((1, 2, 3))
    overlap = (found & true).sum((1, 2, 3))
    return torch.where(union > 0, overlap / union.clamp_min(1), 1.0)
