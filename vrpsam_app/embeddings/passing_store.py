"""Few values in memory in front of a store, for long runs that see each plane once."""

from __future__ import annotations

from collections.abc import Callable
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
    """

    def __init__(self, behind: EmbeddingStore, max_bytes: int = FEW_BYTES) -> None:
        super().__init__(max_bytes)
        self._behind = behind

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._behind, self.max_bytes)

    def __contains__(self, key: str) -> bool:
        return super().__contains__(key) or key in self._behind

    def _find(self, key: str) -> Storable | None:
        own = super()._find(key)
        return self._behind._find(key) if own is None else own

    def _obtain(self, key: str, compute: Callable[[], R], record: type[Archivable] | None) -> R:
        return self._behind._obtain(key, compute, record)
