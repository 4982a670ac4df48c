"""The closed-form prior on fixed filters alone: what our model knows before any training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vrpsam_app.environment import PIXEL_CODE
from vrpsam_app.methods.pixel_method import Example, Picture, PixelMethod, Share, stretched
from vrpsam_app.models.closed_form_prior import ClosedFormPrior
from vrpsam_app.models.filter_bank import CHANNELS, FilterBank

FOURIER_CHANNELS = 64
"""Random Fourier features (Rahimi and Recht, 2007) that let a linear fit draw curved borders."""

FOURIER_WIDTH = 0.7
"""Standard deviation of the projections of a vector of unit variance per channel."""


LOG_RIDGE_PER_CELL = 4.5
"""Curved borders want more of a ridge than the straight ones of the model's own prior."""


class TrainingFreePrior(PixelMethod):
    """Ridge classifier in closed form on a filter bank and random Fourier features.

    Parameters
    ----------
    fourier_channels : int
    seed : int
        Of the Fourier features.
    """

    name: ClassVar[str] = "training_free_prior"
    working_side: ClassVar[int] = 256
    code: ClassVar[tuple[str, ...]] = (*PIXEL_CODE, "models")

    def __init__(self, *, fourier_channels: int = FOURIER_CHANNELS, seed: int = 0) -> None:
        self.fourier_channels, self.seed = fourier_channels, seed
        self._bank = FilterBank()
        self._prior = ClosedFormPrior(CHANNELS + fourier_channels)
        torch.nn.init.constant_(self._prior.log_ridge_per_cell, LOG_RIDGE_PER_CELL)
        rng = np.random.default_rng(seed)
        scale = FOURIER_WIDTH / math.sqrt(CHANNELS)
        directions = rng.normal(0, scale, (fourier_channels, CHANNELS)).astype(np.float32)
        phases = rng.uniform(0, 2 * math.pi, fourier_channels).astype(np.float32)
        self._directions = torch.from_numpy(directions)
        self._phases = torch.from_numpy(phases)

    def _probability(self, picture: Picture, examples: Sequence[Example]) -> Share:
        with torch.inference_mode():
            banks = [self._bank(_tensor(e.picture)) for e in examples]
            mean, deviation = _statistics(banks)
            equations = reduce(
                add,
                (
                    self._prior.fit(
                        self._features(bank, mean, deviation),
                        _marks(e),
                        torch.tensor([e.kind == "box"]),
                    )
                    for bank, e in zip(banks, examples, strict=True)
                ),
            )
            target = self._features(self._bank(_tensor(picture)), mean, deviation)
            logits = self._prior.logits(self._prior.score(target, equations), equations)
            probability: Share = logits.sigmoid()[0, 0].numpy()
        return probability

    def _features(self, bank: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        """Append Fourier features to filtered maps, (1, C, h, w) to (1, C + R, h, w)."""
        z = ((bank - mean) / deviation).clamp(-6, 6)
        projected = F.conv2d(z, self._directions[:, :, None, None], self._phases)
        return torch.cat([bank, projected.cos() * math.sqrt(2)], 1)

    def _settings(self) -> dict[str, object]:
        return {"fourier_channels": self.fourier_channels, "seed": self.seed}

    def _versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}


def _tensor(picture: Picture) -> Tensor:
    """Turn (h, w, 3) uint8 into (1, 3, h, w) in [0, 1], stretched."""
    return torch.from_numpy(np.ascontiguousarray(stretched(picture).transpose(2, 0, 1)))[None]


def _marks(example: Example) -> Tensor:
    """Stack object, certain and weak background to (1, 3, h, w)."""
    return torch.from_numpy(np.stack([example.positive, example.certain, example.weak]))[None]


def _statistics(banks: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each channel over all references, (1, C, 1, 1) each."""
    cells = torch.cat([bank.flatten(2) for bank in banks], 2)
    mean = cells.mean(2)[..., None, None]
    deviation = cells.std(2, correction=0)[..., None, None]
    return mean, deviation + 1e-3
