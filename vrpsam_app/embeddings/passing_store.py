"""Few values in memory in front of a store, for long runs that see each plane once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from vrpsam_app.embeddings.store import Archivable, EmbeddingStore, R, Storable

FEW_BYTES = 128 * 1024**2
"""Enough for the references and the planes that are being worked on."""


class PassingStore(EmbeddingStore):
    """Finds what another store holds in memory or on disk, and fills only its disk.

    Parameters
    ----------
    behind : the store that is asked
    max_bytes : memory for values of its own
    planes : how many values that may be kept on disk, those of pictures alone, stay in memory at a
        time; None as many as there is room for
        One is enough where planes are encoded one by one, and by far the quickest: what one leaves
        is taken by the next, where otherwise the system has to find and clear new memory for each.
    """

    def __init__(
        self, behind: EmbeddingStore, max_bytes: int = FEW_BYTES, *, planes: int | None = None
    ) -> None:
        super().__init__(max_bytes)
        self._behind = behind
        self._planes = planes
        self._passing: deque[str] = deque()

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), planes=self._planes), (self._behind, self.max_bytes)

    def __contains__(self, key: str) -> bool:
        return super().__contains__(key) or key in self._behind

    def _find(self, key: str) -> Storable | None:
        own = super()._find(key)
        return self._behind._find(key) if own is None else own

    def _obtain(self, key: str, compute: Callable[[], R], record: type[Archivable] | None) -> R:
        return self._behind._obtain(key, compute, record)

    def _keep(self, key: str, value: Storable, *, fleeting: bool) -> None:
        super()._keep(key, value, fleeting=fleeting)
        if fleeting or self._planes is None:
            return
        with self._lock:
            self._passing.append(key)
            while len(self._passing) > self._planes:
                if (oldest := self._passing.popleft()) in self._values:
                    self._forget(oldest)
