"""What an object looks like, as a few feature vectors, and where else that is found."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PART_ROUNDS = 10
"""Rounds of k-means; on a few hundred cells it stands still after fewer."""


def mean_vector(rows: Tensor, weights: Tensor) -> Tensor:
    """Average feature vectors.

    Parameters
    ----------
    rows : shape (n, C), float
    weights : shape (n,), float
        Not negative, not all zero.

    Returns
    -------
    mean : shape (C,)
    """
    mean: Tensor = (weights / weights.sum()) @ rows
    return mean


def part_vectors(rows: Tensor, weights: Tensor, most: int) -> Tensor:
    """Divide an object into parts that look different, and average each.

    Parameters
    ----------
    rows : shape (n, C), float
    weights : shape (n,), float
        Above zero.
    most : int
        Parts at most; fewer where the rows are few or alike.

    Returns
    -------
    parts : shape (K, C)
        Unit vectors, 1 <= K <= `most`.

    Notes
    -----
    k-means on unit vectors that begins at the mean's nearest row and then at the row farthest from
    all before it, so that the same rows always give the same parts.
    """
    units = F.normalize(rows, dim=1)
    mean = F.normalize(mean_vector(units, weights), dim=0)
    centres = units[(units @ mean).argmax()][None]
    while len(centres) < min(most, len(rows)):
        nearest = (units @ centres.T).amax(1)
        farthest = int(nearest.argmin())
        if float(nearest[farthest]) > 1 - 1e-6:
            break
        centres = torch.cat([centres, units[farthest : farthest + 1]])
    for _ in range(PART_ROUNDS):
        own = F.one_hot((units @ centres.T).argmax(1), len(centres)).to(units.dtype)
        sums = (own * weights[:, None]).T @ units  # (K, C)
        # A part that lost all its rows stays where it was.
        moved = torch.where(sums.norm(dim=1, keepdim=True) > 0, sums, centres)
        moved = F.normalize(moved, dim=1)
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres


def cosine_map(features: Tensor, vectors: Tensor) -> Tensor:
    """Compare each cell with vectors.

    Parameters
    ----------
    features : shape (1, C, h, w), float
    vectors : shape (K, C), float
        Unit vectors.

    Returns
    -------
    similarity : shape (K, h, w), float in [-1, 1]
        0 where a cell is all zero.
    """
    cells = F.normalize(features[0].flatten(1), dim=0)  # (C, h * w)
    return (vectors @ cells).unflatten(1, features.shape[-2:])
