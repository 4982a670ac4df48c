"""Which places of two pictures show the same: nearest features, there and back again.

A cell of the target is like the object if the cell of the references that it resembles most is. A
cell of the object is matched if the way to the target's nearest cell and back ends on the object.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NEIGHBOURS = 3
"""Nearest reference cells that have a say in how much a target cell is like the object."""

SHARPNESS = 20.0
"""How much more the nearer of them count: the factor of cosines in a softmax."""

ROWS_AT_ONCE = 1024
"""Target cells compared at once, which bounds the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """What matching found.

    Attributes
    ----------
    likeness : shape (m,), float in [0, 1]
        How much the reference cells that each target cell resembles most are the object.
    hits : shape (m,), float
        Weight of the object's cells whose nearest target cell this is, and who are found again
        from it. All object cells together weigh 1.
    similarity : shape (), float in [-1, 1]
        Mean cosine of the object's cells with their nearest target cells.
    """

    likeness: Tensor
    hits: Tensor
    similarity: Tensor


def match_both_ways(
    target: Tensor, reference: Tensor, likeness: Tensor, positive: Tensor
) -> Matches:
    """Match the cells of a target with those of all references.

    Parameters
    ----------
    target : shape (m, C), float
        Unit rows.
    reference : shape (n, C), float
        Unit rows.
    likeness : shape (n,), float in [0, 1]
        How much each reference cell is the object: 1 where it is marked, 0 where it certainly is
        not, in between where nobody said.
    positive : shape (n,), float
        Weight of each cell as marked object; not all zero.

    Returns
    -------
    matches : Matches
    """
    alike, nearest = [], []
    marked = positive.nonzero()[:, 0]
    best = target.new_full((len(marked),), -torch.inf)
    place = torch.zeros(len(marked), dtype=torch.long, device=target.device)
    count = min(NEIGHBOURS, len(reference))
    for start in range(0, len(target), ROWS_AT_ONCE):
        cosines = target[start : start + ROWS_AT_ONCE] @ reference.T  # (rows, n)
        top = cosines.topk(count, dim=1)
        shares = (SHARPNESS * top.values).softmax(1)
        alike.append((shares * likeness[top.indices]).sum(1))
        nearest.append(top.indices[:, 0])
        there, row = cosines[:, marked].max(0)
        closer = there > best
        best = torch.where(closer, there, best)
        place = torch.where(closer, row + start, place)
    back = torch.cat(nearest)[place]
    weight = positive[marked] / positive.sum()
    returned = weight * likeness[back]
    hits = torch.zeros(len(target), dtype=target.dtype, device=target.device)
    hits = hits.index_add(0, place, returned)
    return Matches(torch.cat(alike), hits, (weight * best).sum())
