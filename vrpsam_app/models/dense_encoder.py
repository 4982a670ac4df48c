"""A second, smaller encoder that learned to name what each pixel shows, where labels said it.

Features that are learned from episodes alone tell apart whatever a reference may ask for; those of
a network that was taught the names of many kinds of things know what belongs together in pictures
like the ones it was taught on. Its answers are no part of the model, only the features that they
are read from.

While it learns, batches are normalised. Then the statistics are folded into the weights, so that a
pixel's features depend on its neighbourhood alone and are the same in a tile, a crop and a whole
picture.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vrpsam_app.models.filter_bank import CHANNELS as BANK_CHANNELS

DENSE = 32
"""Channels of the dense features, of about unit variance."""

MOMENTUM = 0.03
"""Of the statistics: a batch holds few kinds of pictures."""


def in_directions(features: Tensor) -> Tensor:
    """Give the channels of each pixel, (B, C, h, w), the mean 0 and the deviation 1.

    Which kind of thing it is, and not how clearly it shows.
    """
    return F.layer_norm(features.movedim(1, -1), features.shape[1:2]).movedim(-1, 1)


class DenseEncoder(nn.Module):
    """A U-Net of residual blocks between strides 2 and 32.

    Parameters
    ----------
    width : int
        Channels at stride 2; the coarser grids have two, three, four and five times as many.
    learning : bool
        Whether to normalise batches. :meth:`folded` gives the encoder without.
    """

    def __init__(self, width: int, *, learning: bool = False) -> None:
        super().__init__()
        channels = [width * n for n in range(1, 6)]
        self.width = width
        self.stem = nn.Conv2d(3, width, 4, stride=2, padding=1)
        self.bank_in = nn.Conv2d(BANK_CHANNELS, width, 1, bias=False)
        self.stem_norm = _norm(width, learning)
        self.stages = nn.ModuleList([nn.Sequential(Unit(width, learning))])
        for before, after in itertools.pairwise(channels):
            self.stages.append(
                nn.Sequential(
                    ConvNorm(before, after, learning, stride=2),
                    nn.SiLU(),
                    Unit(after, learning),
                    Unit(after, learning),
                )
            )
        self.merges = nn.ModuleList(
            Merge(fine, coarse, learning) for fine, coarse in itertools.pairwise(channels)
        )
        self.units = nn.ModuleList(Unit(fine, learning) for fine in channels[:-1])
        self.out = ConvNorm(width, DENSE, learning, size=1)

    def forward(self, images: Tensor, bank: Tensor) -> Tensor:
        """Describe every second pixel.

        Parameters
        ----------
        images : shape (B, 3, H, W), float in [0, 1]
            RGB; H and W multiples of 32.
        bank : shape (B, BANK_CHANNELS, H / 2, W / 2)
            What :class:`~vrpsam_app.models.filter_bank.FilterBank` says of them.

        Returns
        -------
        features : shape (B, DENSE, H / 2, W / 2)
        """
        x = F.silu(self.stem_norm(self.stem(images * 2 - 1) + self.bank_in(bank)))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        steps = zip(maps[:-1], self.merges, self.units, strict=True)
        for fine, merge, unit in reversed(list(steps)):
            x = unit(merge(fine, x))
        features: Tensor = self.out(x)
        return features

    @torch.no_grad()
    def folded(self) -> DenseEncoder:
        """Return an encoder that gives the same with its statistics inside its weights."""
        plain = DenseEncoder(self.width)
        wanted = plain.state_dict()
        own = dict(self.state_dict())
        for name, part in self.named_modules():
            if isinstance(part, ConvNorm | Merge):
                gain, shift = _scale_and_shift(part.norm)
                conv = "reduce" if isinstance(part, Merge) else "conv"
                _scale(own, f"{name}.{conv}", gain, shift)
                if isinstance(part, Merge):
                    own[f"{name}.gain"] = own[f"{name}.gain"] * gain[:, None, None]
        gain, shift = _scale_and_shift(self.stem_norm)
        _scale(own, "stem", gain, shift)
        own["bank_in.weight"] = own["bank_in.weight"] * gain[:, None, None, None]
        plain.load_state_dict({name: own[name] for name in wanted})
        return plain

    @torch.no_grad()
    def unfolded(self, show: Callable[[DenseEncoder], object]) -> DenseEncoder:
        """Return an encoder that gives the same and learns on, with statistics of its own again.

        Parameters
        ----------
        show : callable
            Lets the new encoder look at the pictures whose statistics it is to begin with.
        """
        learning = DenseEncoder(self.width, learning=True)
        learning.load_state_dict(learning.state_dict() | self.state_dict())
        seen = [Statistics(m) for m in learning.modules() if isinstance(m, nn.BatchNorm2d)]
        show(learning.eval())
        for statistics in seen:
            statistics.give()
        return learning


class Statistics:
    """Mean and variance of what passes a normalisation, which until then changes nothing."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        self._norm, self._sums = norm, [0.0 * norm.bias, 0.0 * norm.bias]
        self._cells = 0
        nn.init.ones_(norm.weight)
        self._watching = norm.register_forward_pre_hook(self._note)

    def _note(self, _: nn.Module, given: tuple[Tensor]) -> None:
        x = given[0].float()  # (B, C, h, w)
        self._cells += x.numel() // x.shape[1]
        self._sums[0] += x.sum((0, 2, 3))
        self._sums[1] += (x * x).sum((0, 2, 3))

    def give(self) -> None:
        """Let the normalisation take them out, and put the same back by its weights."""
        self._watching.remove()
        mean = self._sums[0] / self._cells
        variance = (self._sums[1] / self._cells - mean**2).clamp_min(0)
        self._norm.load_state_dict(
            self._norm.state_dict()
            | {
                "running_mean": mean,
                "running_var": variance,
                "weight": (variance + self._norm.eps).sqrt(),
                "bias": mean,
            }
        )


class ConvNorm(nn.Module):
    """A convolution and, while learning, normalisation of what it gives."""

    def __init__(
        self, before: int, after: int, learning: bool, *, stride: int = 1, size: int = 3
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, size, stride=stride, padding=size // 2)
        self.norm = _norm(after, learning)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(B, C, h, w)``."""
        result: Tensor = self.norm(self.conv(x))
        return result


class Unit(nn.Module):
    """Two convolutions whose result is added; starts as the identity and a SiLU."""

    def __init__(self, channels: int, learning: bool) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels, learning)
        self.second = ConvNorm(channels, channels, learning)
        if isinstance(self.second.norm, nn.BatchNorm2d):
            nn.init.zeros_(self.second.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Refine ``(B, C, h, w)``."""
        return F.silu(x + self.second(F.silu(self.first(x))))


class Merge(nn.Module):
    """Adds what a coarser grid knows to a finer one."""

    def __init__(self, fine: int, coarse: int, learning: bool) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(fine, 1, 1))
        self.reduce = nn.Conv2d(coarse, fine, 1)
        self.norm = _norm(fine, learning)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Add ``(B, coarse, h, w)`` to ``(B, fine, 2h, 2w)``."""
        enlarged = F.interpolate(self.reduce(coarse), scale_factor=2.0, mode="bilinear")
        return F.silu(self.norm(fine * self.gain + enlarged))


def _norm(channels: int, learning: bool) -> nn.Module:
    return nn.BatchNorm2d(channels, momentum=MOMENTUM) if learning else nn.Identity()


def _scale_and_shift(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return what a normalisation multiplies by, and what it adds."""
    if not isinstance(norm, nn.BatchNorm2d):
        raise TypeError("An encoder that has no statistics cannot be folded.")
    variance, mean = norm.running_var, norm.running_mean
    if variance is None or mean is None:
        raise TypeError("The normalisation keeps no statistics.")
    gain = norm.weight / (variance + norm.eps).sqrt()
    return gain, norm.bias - mean * gain


def _scale(weights: dict[str, Tensor], conv: str, gain: Tensor, shift: Tensor) -> None:
    weights[f"{conv}.weight"] = weights[f"{conv}.weight"] * gain[:, None, None, None]
    weights[f"{conv}.bias"] = weights[f"{conv}.bias"] * gain + shift
