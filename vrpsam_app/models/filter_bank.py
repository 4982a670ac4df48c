"""Fixed image filters: colour, blur, edges, blobs and local contrast at three scales.

They need no training, so features built on them still tell materials apart in pictures unlike
anything a network was trained on.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vrpsam_app.models.closed_form_prior import in_full_precision

SIGMAS = (1.0, 2.0, 4.0)
"""Widths of the Gaussians in pixels of the grid the bank runs on."""

CHANNELS = 3 + len(SIGMAS) * 7
"""Colour, then per width: blurred colour (3), gradient, Laplacian, local deviation, local rank."""


class FilterBank(nn.Module):
    """Describe every pixel by fixed filters.

    ``(B, 3, H, W)`` in [0, 1] -> ``(B, CHANNELS, H, W)``, values mostly in [-1, 1].
    """

    def __init__(self) -> None:
        super().__init__()
        for k, sigma in enumerate(SIGMAS):
            radius = math.ceil(2.5 * sigma)
            x = torch.arange(-radius, radius + 1, dtype=torch.float32)
            kernel = torch.exp(-(x**2) / (2 * sigma**2))
            self.register_buffer(f"kernel_{k}", kernel / kernel.sum(), persistent=False)

    @in_full_precision
    def forward(self, image: Tensor) -> Tensor:
        """Filter `image`.

        Parameters
        ----------
        image : shape (B, 3, H, W), float in [0, 1]
            RGB picture.

        Returns
        -------
        features : shape (B, CHANNELS, H, W)
            One map per filter.
        """
        grey = image.mean(1, keepdim=True)
        stack = torch.cat([image, grey, grey * grey], 1)  # (B, 5, H, W)
        features = [image * 2 - 1]
        for k in range(len(SIGMAS)):
            blurred = _blur(stack, getattr(self, f"kernel_{k}"))
            colour, mean, square = blurred[:, :3], blurred[:, 3:4], blurred[:, 4:5]
            deviation = (square - mean * mean).clamp_min(1e-6).sqrt()
            d_row, d_col = _derivatives(mean)
            gradient = (d_row**2 + d_col**2 + 1e-8).sqrt()
            laplacian = mean - _blur(mean, getattr(self, f"kernel_{k}"))
            rank = (grey - mean) / (deviation + 0.02)
            features += [
                colour * 2 - 1,
                gradient * (4 * SIGMAS[k]),
                laplacian * 8,
                deviation * 4,
                rank.clamp(-3, 3) / 3,
            ]
        return torch.cat(features, 1)


def _blur(maps: Tensor, kernel: Tensor) -> Tensor:
    """Blur each map along both axes, edges repeated."""
    channels, radius = maps.shape[1], kernel.numel() // 2
    weight = kernel.to(maps.dtype).repeat(channels, 1, 1, 1)  # (C, 1, 1, K)
    maps = F.conv2d(F.pad(maps, (radius, radius, 0, 0), mode="replicate"), weight, groups=channels)
    return F.conv2d(
        F.pad(maps, (0, 0, radius, radius), mode="replicate"),
        weight.transpose(2, 3),
        groups=channels,
    )


def _derivatives(mean: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences along rows and columns, same size."""
    padded = F.pad(mean, (1, 1, 1, 1), mode="replicate")
    d_row = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    d_col = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    return d_row, d_col
