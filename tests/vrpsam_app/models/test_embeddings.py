"""Records of tensors: moved, selected and measured as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vrpsam_app.models.embeddings import TensorRecord


class Pair(NamedTuple):
    a: Tensor
    b: Tensor


@dataclass(frozen=True, eq=False)
class Record(TensorRecord):
    maps: Tensor
    index: Tensor
    pair: Pair
    plain: tuple[Tensor, ...]
    missing: Tensor | None = None


def record() -> Record:
    ones = torch.ones(3, 2)
    return Record(ones, torch.arange(3), Pair(ones * 2, ones * 3), (ones * 4,))


def test_precision_changes_floats_only() -> None:
    stored = record().stored()
    assert stored.maps.dtype == stored.pair.a.dtype == stored.plain[0].dtype == torch.float16
    assert stored.index.dtype == torch.int64
    assert stored.missing is None
    assert isinstance(stored.pair, Pair)


def test_take_selects_batch_items_everywhere() -> None:
    taken = record().take(torch.tensor([2, 0]))
    assert taken.index.tolist() == [2, 0]
    assert taken.maps.shape == taken.pair.b.shape == taken.plain[0].shape == (2, 2)


def test_nbytes_counts_every_tensor() -> None:
    assert record().nbytes == 4 * 6 * 4 + 3 * 8
