"""Few values in front of a store."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vrpsam_app.embeddings.passing_store import PassingStore
from vrpsam_app.embeddings.store import DiskEmbeddingStore, EmbeddingStore


class Plane:
    """A value made of a picture alone."""

    nbytes = 100

    def to_arrays(self) -> dict[str, np.ndarray]:
        return {"maps": np.zeros(1)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Plane:
        return cls()


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


def test_planes_make_room_for_the_next_and_references_stay():
    passing = PassingStore(EmbeddingStore(), planes=1)
    passing.get_or_compute("reference", lambda: np.zeros(50))
    for i in range(4):
        passing.get_or_compute(str(i), Plane, record=Plane)
        assert passing.get_or_compute(str(i), Plane, record=Plane) is passing._values[str(i)]
        assert set(passing._values) == {"reference", str(i)}
    assert passing.nbytes == 50 * 8 + Plane.nbytes


def test_planes_fill_the_room_where_nothing_else_is_said():
    passing = PassingStore(EmbeddingStore(), max_bytes=3 * Plane.nbytes)
    for i in range(5):
        passing.get_or_compute(str(i), Plane, record=Plane)
    assert set(passing._values) == {"2", "3", "4"}


def test_stores_travel_empty(tmp_path: Path):
    behind = DiskEmbeddingStore(tmp_path, max_bytes=77, max_disk_bytes=88)
    passing = PassingStore(behind, max_bytes=99, planes=2)
    passing.get_or_compute("a", lambda: np.zeros(3))
    arrived = pickle.loads(pickle.dumps(passing))
    assert (arrived.max_bytes, arrived._planes, len(arrived)) == (99, 2, 0)
    assert isinstance(arrived._behind, DiskEmbeddingStore)
    assert arrived._behind.folder.folder == tmp_path
    assert (arrived._behind.max_bytes, arrived._behind.folder.max_bytes) == (77, 88)
