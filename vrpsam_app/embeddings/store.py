"""Embeddings found again by content: computed once, whoever asks, however often."""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from numpy.typing import NDArray

from vrpsam_app.embeddings.files import DEFAULT_MAX_DISK_BYTES, EmbeddingFolder
from vrpsam_app.errors import OutputError

_log = logging.getLogger(__name__)

DEFAULT_MAX_BYTES = 512 * 1024**2
# Values that depend on marks and are kept whatever their size: those of the last few questions.
_FEWEST_FLEETING = 8


class Storable(Protocol):
    """A value that knows its size: a record of tensors, an array."""

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        ...


class Archivable(Storable, Protocol):
    """A value that is made of arrays, and can be made of them again."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything it consists of."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return an equal value; raises ValueError if the arrays are not those of one."""
        ...


R = TypeVar("R", bound=Storable)


@dataclass(slots=True)
class _Turn:
    """One at a time computes a value; `askers` counts those who do or wait for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    askers: int = 0


class EmbeddingStore:
    """Least-recently-used values in memory, safe to share between threads.

    Parameters
    ----------
    max_bytes : int
        Memory for the values. A single larger value is computed, returned and not kept.
    max_fleeting_bytes : int, optional
        How much of it goes to values that are never kept on disk: they depend on marks, and where
        people draw there is a new one after every stroke. None makes no difference between values.

    Attributes
    ----------
    computed : int
        How many values had to be computed.

    Notes
    -----
    Keys are made of content (pixels, marks, model), never of file names, so that nothing stale can
    be found. Two threads that ask for the same missing key compute it once.
    """

    def __init__(
        self, max_bytes: int = DEFAULT_MAX_BYTES, *, max_fleeting_bytes: int | None = None
    ) -> None:
        self.max_bytes = max_bytes
        self.max_fleeting_bytes = max_fleeting_bytes
        self.nbytes = 0
        self.fleeting_nbytes = 0
        self.computed = 0
        self._values: OrderedDict[str, Storable] = OrderedDict()
        self._fleeting: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self._computing: dict[str, _Turn] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # To another process goes an empty store of this size: values are found again by content.
        return partial(type(self), max_fleeting_bytes=self.max_fleeting_bytes), (self.max_bytes,)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get_or_compute(
        self, key: str, compute: Callable[[], R], *, record: type[Archivable] | None = None
    ) -> R:
        """Return the value of `key`, computing it if it is not there.

        Parameters
        ----------
        record : type of the value, if it may be kept on disk by a store that does so
        """
        if (found := self._find(key)) is not None:
            return found  # type: ignore[return-value]  # one key always holds one kind of value
        with self._lock:
            turn = self._computing.setdefault(key, _Turn())
            turn.askers += 1
        try:
            with turn.lock:
                if (found := self._find(key)) is not None:
                    return found  # type: ignore[return-value]
                value = self._obtain(key, compute, record)
                self._keep(key, value, fleeting=record is None)
                return value
        finally:
            with self._lock:
                turn.askers -= 1
                # Whoever waits may have to compute it still, and newcomers must wait for that.
                if not turn.askers:
                    del self._computing[key]

    def clear(self) -> None:
        """Forget everything that is in memory."""
        with self._lock:
            self._values.clear()
            self._fleeting.clear()
            self.nbytes = self.fleeting_nbytes = 0

    def _obtain(self, key: str, compute: Callable[[], R], record: type[Archivable] | None) -> R:
        """Return a value that is not in memory."""
        value = compute()
        with self._lock:
            self.computed += 1
        return value

    def _find(self, key: str) -> Storable | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                if key in self._fleeting:
                    self._fleeting.move_to_end(key)
                return self._values[key]
        return None

    def _keep(self, key: str, value: Storable, *, fleeting: bool) -> None:
        size = value.nbytes
        if size > self.max_bytes:
            return
        with self._lock:
            self._values[key] = value
            self.nbytes += size
            if fleeting and self.max_fleeting_bytes is not None:
                self._fleeting[key] = None
                self.fleeting_nbytes += size
                while (
                    self.fleeting_nbytes > self.max_fleeting_bytes
                    and len(self._fleeting) > _FEWEST_FLEETING
                ):
                    self._forget(next(iter(self._fleeting)))
            while self.nbytes > self.max_bytes:
                self._forget(next(iter(self._values)))

    def _forget(self, key: str) -> None:
        size = self._values.pop(key).nbytes
        self.nbytes -= size
        if key in self._fleeting:
            del self._fleeting[key]
            self.fleeting_nbytes -= size


class DiskEmbeddingStore(EmbeddingStore):
    """Values in memory as in the base, and behind them on disk, where they outlive the process.

    Parameters
    ----------
    folder : shared by any number of processes; made if it is missing
    max_bytes : memory for the values
    max_disk_bytes : size of the folder above which the least recently used entries are removed

    Attributes
    ----------
    folder : EmbeddingFolder
    read : int
        How many values were found on disk.
    failure : OutputError or None
        Why values are no longer kept on disk: a full disk spoils no result, it only takes time.

    Raises
    ------
    OutputError
        If the folder cannot be made.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_disk_bytes: int = DEFAULT_MAX_DISK_BYTES,
    ) -> None:
        super().__init__(max_bytes)
        self.folder = EmbeddingFolder(folder or store_folder(), max_bytes=max_disk_bytes)
        self.read = 0
        self.failure: OutputError | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        made = partial(type(self), max_bytes=self.max_bytes, max_disk_bytes=self.folder.max_bytes)
        return made, (self.folder.folder,)

    def __contains__(self, key: str) -> bool:
        return super().__contains__(key) or key in self.folder

    def _obtain(self, key: str, compute: Callable[[], R], record: type[Archivable] | None) -> R:
        if record is None:
            return super()._obtain(key, compute, record)
        arrays = self.folder.read(key)
        if arrays is not None:
            try:
                found = record.from_arrays(arrays)
            except ValueError as error:
                _log.warning("%s is made again: %s", self.folder.path_of(key), error)
            else:
                with self._lock:
                    self.read += 1
                return found  # type: ignore[return-value]  # `record` is the type of the value
        value = super()._obtain(key, compute, record)
        if self.failure is None:
            try:
                self.folder.write(key, value.to_arrays())  # type: ignore[attr-defined]
            except OutputError as error:
                self.failure = error
                _log.warning("%s The run goes on without.", error)
        return value


def store_folder() -> Path:
    """Return where embeddings are kept on disk: ``VRPSAM_STORE``, or the user's cache folder."""
    if folder := os.environ.get("VRPSAM_STORE"):
        return Path(folder).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "vrpsam" / "embeddings"
