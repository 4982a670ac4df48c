"""What the parts of an answer leave open, read from them and from the picture.

Each part of the model answers by itself, and their sum is right in most places without looking like
an object: holes, specks, outlines beside the edges of the picture. A small U-Net looks at all those
answers, at the picture, and at how much each pixel resembles what was found so far and what was
not, and says what to add. It never sees features by themselves, only what they say of this
reference, so that it has nothing to learn by heart about the pictures that it was taught on.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vrpsam_app.models.dense_encoder import in_directions

ANSWERS = 5
"""Maps of logits that are looked at: the answer, and four that it was made of."""

SCALES = (7.5, 7.5, 7.5, 7.5, 0.75)
"""Of each of them: a few times this is as good as infinite. The last is a cosine."""

INPUTS = ANSWERS + 7
"""With the probability, the picture's colours, two distances, and whether everything is marked."""

WIDTHS = (32, 48, 64, 64)
"""Channels at strides 2, 4, 8 and 16 of the answer's grid."""

REACH = 5.0
"""Scale of what is added, in logits."""


class MaskRefiner(nn.Module):
    """Say what to add to an answer; nothing before it was fitted."""

    scales: Tensor

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth = WIDTHS
        self.register_buffer("scales", torch.tensor(SCALES)[:, None, None], persistent=False)
        self.stem = nn.Conv2d(INPUTS, first, 2, stride=2)
        self.down = nn.ModuleList(
            [Block(first, first), Block(first, second), Block(second, third), Block(third, fourth)]
        )
        self.context = nn.Linear(3 * fourth, fourth)
        self.up = nn.ModuleList(
            [
                Block(fourth + third, third),
                Block(third + second, second),
                Block(second + first, first),
            ]
        )
        self.out = nn.Conv2d(first, 4, 1)
        for silent in self.out.parameters():
            nn.init.zeros_(silent)

    @torch.no_grad()
    def describe(
        self, answers: Tensor, picture: Tensor, features: Tensor, throughout: Tensor
    ) -> Tensor:
        """Lay side by side what is looked at.

        Parameters
        ----------
        answers : shape (B, ANSWERS, h, w)
            The answer's logits, those of the network, of the dense features and of the closed-form
            prior, and the cosine; h and w multiples of 16.
        picture : shape (B, 3, h, w), float in [0, 1]
        features : shape (B, D, h, w)
            The target's dense features, for how much its pixels resemble each other.
        throughout : shape (B,)
            1 where a reference marks everything of its kind.

        Returns
        -------
        seen : shape (B, INPUTS, h, w)
        """
        found = answers[:, :1].sigmoid()
        apart = _distances(features, found)
        told = throughout[:, None, None, None].expand_as(found)
        return torch.cat([(answers / self.scales).tanh(), found, picture - 0.5, apart, told], 1)

    def forward(self, seen: Tensor) -> Tensor:
        """Compare answers with the picture.

        Parameters
        ----------
        seen : shape (B, INPUTS, h, w)
            Of :meth:`describe`.

        Returns
        -------
        more : shape (B, 1, h, w)
            What to add to the answer's logits.
        """
        found = seen[:, ANSWERS : ANSWERS + 1]
        x = self.stem(seen)
        maps = []
        for number, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if number else x)
            maps.append(x)
        x = x + self._summary(x, F.avg_pool2d(found, 16))[:, :, None, None]
        for block, finer in zip(self.up, reversed(maps[:-1]), strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), finer], 1))
        return REACH * F.pixel_shuffle(self.out(x), 2)

    def _summary(self, x: Tensor, found: Tensor) -> Tensor:
        """Sum up the whole picture, what was found in it and what was not, (B, C)."""
        means = [x.mean((2, 3))]
        for share in (found, 1 - found):
            means.append((x * share).sum((2, 3)) / share.sum((2, 3)).clamp_min(0.5))
        summary: Tensor = self.context(torch.cat(means, 1))
        return summary


class Block(nn.Module):
    """Two convolutions whose result is added; channels are normalised at each position."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.norm = nn.LayerNorm(after)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.past = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Refine ``(B, C, h, w)``."""
        inner = self.norm(self.first(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        result: Tensor = self.past(x) + self.second(F.gelu(inner))
        return result


def _distances(features: Tensor, found: Tensor) -> Tensor:
    """Distance of each pixel's features from what was found and from the rest, (B, 2, h, w)."""
    usual = in_directions(features)
    far = []
    for sure in (found.square(), (1 - found).square()):
        mean = (usual * sure).sum((2, 3)) / sure.sum((2, 3)).clamp_min(1)
        far.append((usual - mean[:, :, None, None]).square().mean(1, keepdim=True).sqrt())
    return torch.cat(far, 1)
