"""The store: once per key, least recently used goes first, failures are not kept."""

from __future__ import annotations

import pickle
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vrpsam_app.embeddings.store import DiskEmbeddingStore, EmbeddingStore, store_folder
from vrpsam_app.errors import OutputError
from vrpsam_app.models.embeddings import TensorRecord


@dataclass(frozen=True, eq=False)
class Value(TensorRecord):
    maps: Tensor


def value(kilobytes: int = 1) -> Value:
    return Value(torch.zeros(256 * kilobytes))


def test_a_key_is_computed_once() -> None:
    store, calls = EmbeddingStore(), []
    for _ in range(3):
        store.get_or_compute("a", lambda: calls.append(1) or value())
    assert len(calls) == 1
    assert store.nbytes == 1024


def test_the_least_recently_used_goes_first() -> None:
    store = EmbeddingStore(max_bytes=2 * 1024)
    store.get_or_compute("a", value)
    store.get_or_compute("b", value)
    store.get_or_compute("a", value)
    store.get_or_compute("c", value)
    assert ("a" in store, "b" in store, "c" in store) == (True, False, True)
    assert store.nbytes == 2 * 1024


def test_what_is_too_large_is_returned_and_not_kept() -> None:
    store = EmbeddingStore(max_bytes=1024)
    store.get_or_compute("a", value)
    assert store.get_or_compute("b", lambda: value(5)).nbytes == 5 * 1024
    assert ("a" in store, "b" in store) == (True, False)


def test_what_depends_on_marks_goes_before_pictures() -> None:
    store = EmbeddingStore(max_bytes=100 * 1024, max_fleeting_bytes=10 * 1024)
    store.get_or_compute("picture", lambda: value(50), record=Value)
    for i in range(30):
        store.get_or_compute(f"marks {i}", value)
        store.get_or_compute("marks 0", value)
    assert "picture" in store
    assert [i for i in range(30) if f"marks {i}" in store] == [0, *range(21, 30)]
    assert (store.fleeting_nbytes, store.nbytes) == (10 * 1024, 60 * 1024)
    for i in range(20):  # pictures may take the room of marks, as of all that is older
        store.get_or_compute(f"other {i}", lambda: value(5), record=Value)
    assert store.nbytes == 100 * 1024
    assert store.fleeting_nbytes == 0
    store.clear()
    assert (store.fleeting_nbytes, store.nbytes, len(store)) == (0, 0, 0)


def test_what_the_last_few_marks_need_stays_however_large_it_is() -> None:
    store = EmbeddingStore(max_fleeting_bytes=1024)
    for i in range(12):
        store.get_or_compute(str(i), lambda: value(3))
    assert [i for i in range(12) if str(i) in store] == list(range(4, 12))


def test_its_limits_travel() -> None:
    arrived = pickle.loads(pickle.dumps(EmbeddingStore(77, max_fleeting_bytes=5)))
    assert (arrived.max_bytes, arrived.max_fleeting_bytes, len(arrived)) == (77, 5, 0)


def test_a_failure_is_not_kept() -> None:
    store = EmbeddingStore()

    def fail() -> Value:
        raise MemoryError("no room")

    with pytest.raises(MemoryError):
        store.get_or_compute("a", fail)
    assert store.get_or_compute("a", value).nbytes == 1024


def test_threads_that_ask_for_one_key_compute_it_once() -> None:
    store, calls, gate = EmbeddingStore(), [], threading.Event()

    def slow() -> Value:
        gate.wait(5)
        calls.append(1)
        return value()

    threads = [threading.Thread(target=store.get_or_compute, args=("a", slow)) for _ in range(4)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_after_a_failure_those_who_wait_and_newcomers_compute_it_once() -> None:
    store, calls = EmbeddingStore(), []
    begun, waited_for, again, newcomer_asks = (threading.Event() for _ in range(4))

    def fail() -> Value:
        begun.set()
        waited_for.wait(5)
        raise MemoryError("no room")

    def first() -> None:
        with pytest.raises(MemoryError):
            store.get_or_compute("a", fail)

    def slow() -> Value:
        calls.append(1)
        again.set()
        newcomer_asks.wait(0.2)  # in vain: the newcomer must not get here meanwhile
        return value()

    def newcomer() -> Value:
        calls.append(1)
        newcomer_asks.set()
        return value()

    failing = threading.Thread(target=first)
    failing.start()
    begun.wait(5)
    waiting = threading.Thread(target=store.get_or_compute, args=("a", slow))
    waiting.start()
    while store._computing["a"].askers < 2:
        time.sleep(0.001)
    waited_for.set()
    again.wait(5)
    store.get_or_compute("a", newcomer)
    for thread in (failing, waiting):
        thread.join()
    assert len(calls) == 1
    assert (store.computed, store.nbytes, len(store)) == (1, 1024, 1)
    assert not store._computing


def test_clear_forgets_everything() -> None:
    store = EmbeddingStore()
    store.get_or_compute("a", value)
    store.clear()
    assert (len(store), store.nbytes) == (0, 0)


def test_on_disk_a_value_outlives_its_store(tmp_path: Path) -> None:
    made = Value(torch.randn(3, 5).half())
    DiskEmbeddingStore(tmp_path).get_or_compute("a", lambda: made, record=Value)
    store = DiskEmbeddingStore(tmp_path)
    assert "a" in store
    assert "b" not in store
    found = store.get_or_compute("a", value, record=Value)
    assert torch.equal(found.maps, made.maps)
    assert found.maps.dtype == torch.float16
    assert (store.read, store.computed) == (1, 0)
    assert store.get_or_compute("a", value, record=Value) is found  # now from memory
    assert store.read == 1


def test_without_a_record_nothing_is_on_disk(tmp_path: Path) -> None:
    store = DiskEmbeddingStore(tmp_path)
    store.get_or_compute("a", value)
    assert len(store.folder) == 0
    assert store.computed == 1


def test_fields_of_another_record_are_computed_anew(tmp_path: Path) -> None:
    store = DiskEmbeddingStore(tmp_path)
    store.folder.write("a", {"other": np.zeros(3)})
    assert store.get_or_compute("a", value, record=Value).maps.shape == (256,)
    assert set(store.folder.read("a") or {}) == {"maps"}


def test_a_folder_that_cannot_be_written_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = DiskEmbeddingStore(tmp_path)

    def fail(key: str, arrays: object) -> None:
        raise OutputError("The disk is full.")

    monkeypatch.setattr(store.folder, "write", fail)
    for key in "abc":
        assert store.get_or_compute(key, value, record=Value).nbytes == 1024
    assert isinstance(store.failure, OutputError)
    assert [record.levelname for record in caplog.records] == ["WARNING"]  # once, not for each


def test_where_embeddings_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VRPSAM_STORE", str(tmp_path / "mine"))
    assert store_folder() == tmp_path / "mine"
    assert DiskEmbeddingStore().folder.folder == tmp_path / "mine"
    monkeypatch.delenv("VRPSAM_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert store_folder() == tmp_path / "cache" / "vrpsam" / "embeddings"
