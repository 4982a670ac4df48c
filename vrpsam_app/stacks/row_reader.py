"""Rows of a large plane, read from the top down: every chunk once, never the whole plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Rows that are only looked at in passing.
_ROWS_AT_ONCE = 256


class RowReader:
    """Gives rows of a plane in order and keeps only those that may be asked for again.

    Parameters
    ----------
    plane : shape (H, W) or (H, W, channels)
        NumPy, dask, Zarr, or anything with shape and slices. Chunks of dask and Zarr arrays are
        read whole and once; a plane that is one chunk is therefore read at once.
    seen : called with each block of rows as it is read, in order and without gaps

    Notes
    -----
    Memory is that of the rows asked for plus one row of chunks.
    """

    def __init__(self, plane: Any, *, seen: Callable[[NDArray[Any]], None] | None = None) -> None:
        self._plane = plane
        self._height = int(plane.shape[0])
        self._ends = _chunk_ends(plane, self._height)
        self._seen = seen
        self._held: NDArray[Any] | None = None
        self._start = self._stop = 0

    def rows(self, wanted: slice) -> NDArray[Any]:
        """Return some rows; none above those asked for before.

        Parameters
        ----------
        wanted : slice with a start not below that of any earlier call

        Returns
        -------
        rows : shape (rows, W) or (rows, W, channels), native byte order
        """
        self._forget(wanted.start)
        while self._stop < wanted.stop:
            end = next((e for e in self._ends if e > self._stop), None) or wanted.stop
            self._take(min(end, self._height))
        if self._held is None:
            raise ValueError(f"rows {wanted.start} to {wanted.stop}: none were asked for")
        return self._held[wanted.start - self._start : wanted.stop - self._start]

    def finish(self) -> None:
        """Read what is left, for those who want to have seen the whole plane."""
        while self._stop < self._height:
            self.rows(slice(self._stop, min(self._height, self._stop + _ROWS_AT_ONCE)))

    def _forget(self, before: int) -> None:
        """Let go of rows that nobody will ask for again; read past those that nobody asked for."""
        while self._stop < before and self._seen is not None:
            self.rows(slice(self._stop, min(before, self._stop + _ROWS_AT_ONCE)))
        if before >= self._stop:
            self._held, self._start, self._stop = None, before, before
        elif self._held is not None and before > self._start:
            # A copy, because a view would keep the whole block in memory.
            self._held = self._held[before - self._start :].copy()
            self._start = before

    def _take(self, end: int) -> None:
        block = in_memory(self._plane[self._stop : end])
        if self._seen is not None:
            self._seen(block)
        self._held = block if self._held is None else np.concatenate([self._held, block])
        self._stop = end


def _chunk_ends(plane: Any, height: int) -> tuple[int, ...]:
    """Return the row after each row of chunks, nothing where reading any rows costs the same."""
    chunks = getattr(plane, "chunks", None)
    if isinstance(plane, np.ndarray) or not chunks:
        return ()
    along = chunks[0]
    if isinstance(along, int):  # Zarr: one size for all
        return tuple(min(height, end) for end in range(along, height + along, along))
    return tuple(int(end) for end in np.cumsum(along))


def in_memory(block: Any) -> NDArray[Any]:
    """Return a block as an array in native byte order; dask is computed here and not elsewhere."""
    if hasattr(block, "compute"):
        block = block.compute(scheduler="synchronous" if block.npartitions == 1 else "threads")
    array = np.asarray(block)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
