"""How good a mask is, and whether it shows anything at all: a small network reads a few facts.

The facts are those of :mod:`vrpsam_app.models.quality_facts`. SAM's own estimate is not asked: the
token it is read from has seen the network's part of an answer, and not the fits beside it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vrpsam_app.models.quality_facts import QUALITY_FACTS

HIDDEN = 64

FARTHEST = 5.0
"""Facts count as no farther than so many deviations from what they usually are."""


class QualityHead(nn.Module):
    """Judge masks by facts about them and the evidence for them."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(QUALITY_FACTS))
        self.register_buffer("deviation", torch.ones(QUALITY_FACTS))
        self.layers = nn.Sequential(
            nn.Linear(QUALITY_FACTS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2)
        )

    def forward(self, facts: Tensor) -> Tensor:
        """Judge.

        Parameters
        ----------
        facts : shape (B, QUALITY_FACTS)

        Returns
        -------
        score, presence : shape (B, 2)
            The IoU to expect, and how likely the mask shows the object, both as logits.
        """
        usual = ((facts - self.mean) / self.deviation).clamp(-FARTHEST, FARTHEST)
        judged: Tensor = self.layers(usual)
        return judged
