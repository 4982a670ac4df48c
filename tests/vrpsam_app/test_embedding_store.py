"""The store: once per key, least recently used goes first, failures are not kept."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from vrpsam_app.embedding_store import EmbeddingStore
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


def test_clear_forgets_everything() -> None:
    store = EmbeddingStore()
    store.get_or_compute("a", value)
    store.clear()
    assert (len(store), store.nbytes) == (0, 0)
