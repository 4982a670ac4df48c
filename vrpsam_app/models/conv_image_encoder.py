"""The embedded model's image encoder: one convolutional backbone for SAM and for the semantics.

A vision transformer at 1024 px costs minutes per stack on two cores. This encoder looks at 512 px
and gives maps of one forward pass: SAM's image embedding (stride 8), semantic features
(stride 8), features for the closed-form priors (stride 4; fixed and named ones, stride 2) and fine
detail for the mask decoder's upscaling (strides 4 and 2).

========================  =======================  ======
output                    shape                    stride
========================  =======================  ======
``embedding``             (B, prompt_dim, h, w)    8
``semantic``              (B, prompt_dim, h, w)    8
``classifier``            (B, CLASSIFIER, 2h, 2w)  4
``mid_detail``            (B, 2 width, 2h, 2w)     4
``fine_detail``           (B, FINE, 4h, 4w)        2
``texture``               (B, BANK, 4h, 4w)        2
``dense``                 (B, DENSE, 4h, 4w)       2
========================  =======================  ======
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vrpsam_app.config import SAMConfig
from vrpsam_app.models.dense_encoder import DenseEncoder, in_directions
from vrpsam_app.models.filter_bank import CHANNELS as BANK_CHANNELS
from vrpsam_app.models.filter_bank import FilterBank

LEARNED = 48
"""Learned channels of the classifier map; the filter bank's channels follow them."""

CLASSIFIER = LEARNED + BANK_CHANNELS
FINE = 16
SIZE_MULTIPLE = 32
"""Height and width of the input must be multiples of this: the coarsest grid has stride 32."""


class ConvFeatures(NamedTuple):
    """What one forward pass of the encoder gives (module docstring)."""

    embedding: Tensor
    semantic: Tensor
    classifier: Tensor
    mid_detail: Tensor
    fine_detail: Tensor
    texture: Tensor
    dense: Tensor


class ConvImageEncoder(nn.Module):
    """Residual stages down to stride 32, then a feature pyramid back up to stride 2."""

    def __init__(self, config: SAMConfig) -> None:
        super().__init__()
        w = config.width
        channels = (w, 2 * w, 3 * w, 5 * w, 7 * w)  # strides 2, 4, 8, 16, 32
        self.bank = FilterBank()
        self.stem = nn.Conv2d(3, w, 3, stride=2, padding=1)
        self.bank_in = nn.Conv2d(BANK_CHANNELS, w, 1)
        self.stem_norm = nn.GroupNorm(8, w)
        self.fine = ResidualBlock(w)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, stride=2, padding=1),
                nn.GroupNorm(8, after),
                *(ResidualBlock(after) for _ in range(config.depth)),
            )
            for before, after in itertools.pairwise(channels)
        )
        # Top-down path: what a coarse grid knows is added to the finer one (strides 16, 8, 4, 2).
        up = (5 * w, config.prompt_dim, 2 * w, FINE)
        coarse = (7 * w, *up[:-1])
        self.laterals = nn.ModuleList(
            nn.Conv2d(c, u, 1) for c, u in zip(channels[3::-1], up, strict=True)
        )
        self.reduces = nn.ModuleList(nn.Conv2d(c, u, 1) for c, u in zip(coarse, up, strict=True))
        self.blocks = nn.ModuleList(ResidualBlock(u) for u in up[:-1])
        # As SAM's neck does, the embedding ends normalised: the decoder adds positions to it.
        dim = config.prompt_dim
        self.embedding_head = nn.Sequential(nn.Conv2d(dim, dim, 1), nn.GroupNorm(1, dim))
        self.semantic_head = nn.Sequential(nn.Conv2d(dim, dim, 1), nn.GroupNorm(8, dim), nn.ReLU())
        self.mid_norm = nn.GroupNorm(8, 2 * w)
        self.fine_norm = nn.GroupNorm(4, FINE)
        self.classifier_head = nn.Conv2d(2 * w, LEARNED, 1)
        self.dense = DenseEncoder(w)
        self.bank_scale = nn.Parameter(torch.ones(BANK_CHANNELS, 1, 1))

    def forward(self, images: Tensor) -> ConvFeatures:
        """Encode a batch.

        Parameters
        ----------
        images : shape (B, 3, H, W), float in [0, 1]
            RGB; H and W multiples of 32.

        Returns
        -------
        features : ConvFeatures
            The maps of the module docstring.
        """
        images = images.contiguous(memory_format=torch.channels_last)
        bank = self.bank(F.avg_pool2d(images, 2))
        x = F.silu(self.stem_norm(self.stem(images * 2 - 1) + self.bank_in(bank)))
        x = self.fine(x)
        pyramid = [x]
        for stage in self.stages:
            pyramid.append(stage(pyramid[-1]))
        x = pyramid[-1]
        maps: list[Tensor] = []
        for lateral, reduce, fine in zip(self.laterals, self.reduces, pyramid[3::-1], strict=True):
            x = lateral(fine) + F.interpolate(reduce(x), scale_factor=2.0, mode="nearest")
            if len(maps) < len(self.blocks):
                x = self.blocks[len(maps)](x)
            maps.append(x)
        _, stride8, stride4, stride2 = maps
        # Each pixel's learned vector gets unit variance, so that one ridge suits every image.
        learned = in_directions(self.classifier_head(stride4))
        fixed = F.avg_pool2d(bank, 2) * self.bank_scale
        return ConvFeatures(
            embedding=self.embedding_head(stride8),
            semantic=self.semantic_head(stride8),
            classifier=torch.cat([learned, fixed.to(learned.dtype)], 1),
            mid_detail=self.mid_norm(stride4),
            fine_detail=self.fine_norm(stride2),
            texture=bank,
            dense=self.dense(images, bank),
        )


class ResidualBlock(nn.Module):
    """``x + conv(silu(conv(norm(x))))``; starts as the identity.

    Group normalisation, not batch normalisation: a batch mixes pictures from different worlds, and
    its statistics would not travel from crops to whole images.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        zero(self.conv2)

    def forward(self, x: Tensor) -> Tensor:
        """Refine ``(B, C, h, w)``."""
        out: Tensor = x + self.conv2(F.silu(self.conv1(self.norm(x))))
        return out


def zero(layer: nn.Conv2d) -> None:
    """Start a convolution at zero, so that what it is added to starts unchanged."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
