"""PerSAM-F's two numbers: how much each of SAM's three scales counts, fitted on the reference.

The published loop asks the decoder anew in each of its thousand steps, though nothing that the
decoder reads ever changes. Here the three masks are decoded once and the steps are taken on them:
the same numbers, without the decoder. The loss is differentiated by hand, as only the mixed logit
of each pixel depends on the weights.

Zhang et al., Personalize Segment Anything Model with One Shot, ICLR 2024, section 3.3; learning
rate, epsilon, schedule and the constants of the focal loss are those of the published code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STEPS = 1000
LEARNING_RATE = 1e-3
EPSILON = 1e-4
FOCAL_ALPHA = 0.25
"""Share of the focal loss that falls on the object's pixels (Lin et al., 2017); its gamma is 2."""


@dataclass(frozen=True, eq=False)
class ScaleWeights:
    """A fit.

    Attributes
    ----------
    weights : shape (3,), float32
        Of SAM's masks 1, 2, 3; they sum to 1.
    first_loss, last_loss : float
        Of the first and the last step.
    """

    weights: Tensor
    first_loss: float
    last_loss: float

    @classmethod
    def equal(cls) -> ScaleWeights:
        """Return weights that were not fitted: each scale counts the same."""
        return cls(torch.full((3,), 1 / 3), math.nan, math.nan)

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return self.weights.numel() * self.weights.element_size() + 16

    def mix(self, logits: Tensor) -> Tensor:
        """Mix three masks, (..., 3, h, w) to (..., h, w)."""
        weights = self.weights.to(logits.device, logits.dtype)
        return (logits * weights[:, None, None]).sum(-3)


def fit_scale_weights(logits: Tensor, truth: Tensor, *, steps: int = STEPS) -> ScaleWeights:
    """Fit the weights of three masks so that their mixture is the marked object.

    Parameters
    ----------
    logits : shape (K, 3, P), float
        Three masks of each of K marked objects, decoded once.
    truth : shape (K, P), float in [0, 1]
        Share of each pixel that is the object.
    steps : int

    Returns
    -------
    fit : ScaleWeights
    """
    # Laid out by mask, so that every step runs along memory.
    base, *others = (mask.contiguous() for mask in logits.float().cpu().unbind(1))
    differences = [mask - base for mask in others]
    objects = _Objects(truth.float().cpu())
    learned = nn.Parameter(torch.full((2,), 1 / 3))
    optimizer = torch.optim.AdamW([learned], lr=LEARNING_RATE, eps=EPSILON)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    first = last = math.nan
    for step in range(steps):
        with torch.no_grad():
            mixed = base + learned[0] * differences[0] + learned[1] * differences[1]
            slope = objects.slope(mixed)
            learned.grad = torch.stack([(slope * d).sum() for d in differences])
            if step in (0, steps - 1):
                last = objects.loss(mixed)
                first = last if step == 0 else first
        optimizer.step()
        schedule.step()
    found = learned.detach()
    return ScaleWeights(torch.cat([1 - found.sum()[None], found]), first, last)


def mean_of_fits(fits: Sequence[ScaleWeights]) -> ScaleWeights:
    """Average fits, all alike."""
    return ScaleWeights(
        torch.stack([f.weights for f in fits]).mean(0),
        sum(f.first_loss for f in fits) / len(fits),
        sum(f.last_loss for f in fits) / len(fits),
    )


class _Objects:
    """Marked objects, shape (K, P), and the published loss against them: Dice and focal."""

    def __init__(self, truth: Tensor) -> None:
        self.truth = truth
        self.marked = truth.sum(1)
        self.untrue = 1 - 2 * truth
        self.alpha = FOCAL_ALPHA * truth + (1 - FOCAL_ALPHA) * (1 - truth)

    def loss(self, logits: Tensor) -> float:
        """Return the loss of logits (K, P), averaged over objects."""
        p = logits.sigmoid()
        overlap, total = self._dice(p)
        miss = self.truth + p * self.untrue  # 1 - probability of what is true
        focal = self.alpha * self._entropy(logits) * miss**2
        return float((1 - overlap / total + focal.mean(1)).mean())

    def slope(self, logits: Tensor) -> Tensor:
        """Return how the loss changes with each logit, (K, P)."""
        p = logits.sigmoid()
        rise = p * (1 - p)
        overlap, total = (v[:, None] for v in self._dice(p))
        by_dice = (overlap / total**2 - self.truth * (2 / total)).mul_(rise)
        miss = self.truth + p * self.untrue
        curve = self._entropy(logits).mul_(rise).mul_(self.untrue).mul_(2)
        by_focal = p.sub_(self.truth).mul_(miss).add_(curve).mul_(miss).mul_(self.alpha)
        count, pixels = logits.shape
        return by_focal.div_(pixels).add_(by_dice).div_(count)

    def _dice(self, p: Tensor) -> tuple[Tensor, Tensor]:
        """Return numerator and denominator of each object's Dice coefficient, smoothed by 1."""
        return (p * self.truth).sum(1) * 2 + 1, p.sum(1) + self.marked + 1

    def _entropy(self, logits: Tensor) -> Tensor:
        return F.softplus(logits).sub_(logits * self.truth)
