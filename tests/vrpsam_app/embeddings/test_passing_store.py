"""Few values in front of a store."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from vrpsam_app.embeddings.passing_store import PassingStore
from vrpsam_app.embeddings.store import DiskEmbeddingStore, EmbeddingStore


def test_it_finds_what_stands_behind_and_adds_nothing():
    behind = EmbeddingStore()
    behind.get_or_compute("a", lambda: np.zeros(10))
    passing = PassingStore(behind)
    assert passing.get_or_compute("a", lambda: np.ones(10)).sum() == 0
    passing.get_or_compute("b", lambda: np.ones(10))
    assert "a" in passing
    assert "b" in passing
    assert "b" not in behind
    assert len(behind) == 1


def test_it_stays_small():
    passing = PassingStore(EmbeddingStore(), max_bytes=1000)
    for i in range(50):
        passing.get_or_compute(str(i), lambda: np.zeros(50))
    assert passing.nbytes <= 1000
    assert "49" in passing
    assert "0" not in passing


def test_stores_travel_empty(tmp_path: Path):
    behind = DiskEmbeddingStore(tmp_path, max_bytes=77, max_disk_bytes=88)
    passing = PassingStore(behind, max_bytes=99)
    passing.get_or_compute("a", lambda: np.zeros(3))
    arrived = pickle.loads(pickle.dumps(passing))
    assert (arrived.max_bytes, len(arrived)) == (99, 0)
    assert isinstance(arrived._behind, DiskEmbeddingStore)
    assert arrived._behind.folder.folder == tmp_path
    assert (arrived._behind.max_bytes, arrived._behind.folder.max_bytes) == (77, 88)
