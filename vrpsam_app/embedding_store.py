"""Embeddings found again by content: computed once, whoever asks, however often."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, TypeVar

DEFAULT_MAX_BYTES = 512 * 1024**2


class Storable(Protocol):
    """A value that knows its size: a record of tensors, an array."""

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        ...


R = TypeVar("R", bound=Storable)


class EmbeddingStore:
    """Least-recently-used values in memory, safe to share between threads.

    Parameters
    ----------
    max_bytes : int
        Memory for the values. A single larger value is computed, returned and not kept.

    Notes
    -----
    Keys are made of content (pixels, marks, model), never of file names, so that nothing stale can
    be found. Two threads that ask for the same missing key compute it once.
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.nbytes = 0
        self._values: OrderedDict[str, Storable] = OrderedDict()
        self._lock = threading.Lock()
        self._computing: dict[str, threading.Lock] = {}

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get_or_compute(self, key: str, compute: Callable[[], R]) -> R:
        """Return the value of `key`, computing it if it is not there."""
        if (found := self._find(key)) is not None:
            return found  # type: ignore[return-value]  # one key always holds one kind of value
        with self._lock:
            own = self._computing.setdefault(key, threading.Lock())
        with own:
            if (found := self._find(key)) is not None:
                return found  # type: ignore[return-value]
            try:
                value = compute()
                self._keep(key, value)
            finally:
                with self._lock:
                    self._computing.pop(key, None)
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self.nbytes = 0

    def _find(self, key: str) -> Storable | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        return None

    def _keep(self, key: str, value: Storable) -> None:
        size = value.nbytes
        if size > self.max_bytes:
            return
        with self._lock:
            self._values[key] = value
            self.nbytes += size
            while self.nbytes > self.max_bytes:
                _, old = self._values.popitem(last=False)
                self.nbytes -= old.nbytes
