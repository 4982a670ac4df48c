"""An object as a handful of feature vectors, and what resembles it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def sample_foreground(features: Tensor, positive: Tensor, most: int | None) -> Tensor:
    """Take marked cells as unit vectors, spread over the object.

    Parameters
    ----------
    features : shape (B, C, h, w)
    positive : shape (B, 1, h, w), float in [0, 1]
        Share of each cell that is marked.
    most : int or None
        Cells at most; None or 0 takes all.

    Returns
    -------
    foreground : shape (B, K, C)
        Zero rows where fewer cells than K are marked.
    """
    rows = F.normalize(features.flatten(2).transpose(1, 2).float(), dim=2)  # (B, hw, C)
    cover = positive.flatten(1)
    count = min(most or cover.shape[1], cover.shape[1])
    # A fixed fraction of each cell's index breaks ties, so that a large object is sampled all
    # over and not only in its first rows.
    index = torch.arange(cover.shape[1], device=cover.device)
    spread = (index * 0.6180339887) % 1.0
    best = (cover + 1e-3 * spread).topk(count, dim=1)
    chosen = torch.gather(rows, 1, best.indices[..., None].expand(-1, -1, rows.shape[2]))
    marked = torch.gather(cover, 1, best.indices) > 0.02
    return chosen * marked[..., None]


def best_cosine(features: Tensor, foregrounds: Sequence[Tensor]) -> Tensor:
    """Best cosine of each cell with any vector of any foreground.

    Parameters
    ----------
    features : shape (B, C, h, w)
    foregrounds : of shape (B, K, C) each

    Returns
    -------
    cosine : shape (B, 1, h, w)
    """
    cells = F.normalize(features.flatten(2).float(), dim=1)  # (B, C, hw)
    best = torch.stack([(f @ cells).amax(1) for f in foregrounds]).amax(0)
    return best.reshape(features.shape[0], 1, *features.shape[-2:])
