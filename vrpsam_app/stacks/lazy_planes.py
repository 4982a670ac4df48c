"""Parts of a file as a lazy array: opened when first read, and anew in every process."""

from __future__ import annotations

import math
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from vrpsam_app.errors import ImageFileError
from vrpsam_app.file_errors import reading

if TYPE_CHECKING:
    import dask.array as da

# A plane of up to so many values is read whole, a larger one in parts of about this size.
PLANE_VALUES = 2**24
# No more parts are believed: a stack of a terabyte in planes of a megabyte has a fourth of it.
MOST_PARTS = 2**22
_NOT_SENT = ("_handle", "_lock", "_closer")


class PlaneSource(ABC):
    """An array in a file, of which boxes can be read; it can be sent to another process.

    Parameters
    ----------
    path : the file or folder that messages name
    shape, dtype : of the whole array
    """

    # Whether several threads may read at once.
    concurrent = False

    def __init__(self, path: Path, shape: Sequence[int], dtype: DTypeLike) -> None:
        self.path = path
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)
        self._reset()

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def _open_file(self) -> Any:
        """Open what :meth:`_read_box` reads from; it is closed with the array."""
        return None

    @abstractmethod
    def _read_box(self, handle: Any, box: tuple[slice, ...]) -> NDArray[Any]:
        """Read a box.

        Parameters
        ----------
        handle : what :meth:`_open_file` returned
        box : a slice with start and stop, step 1, for each axis

        Returns
        -------
        values : in the size of the box, not shared with the file
        """

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read what dask asks for: numbers and slices of any step."""
        parts = key if isinstance(key, tuple) else (key,)
        parts = (*parts, *(slice(None),) * (self.ndim - len(parts)))
        box: list[slice] = []
        within: list[Any] = []
        for part, length in zip(parts, self.shape, strict=True):
            if not isinstance(part, slice):
                box.append(slice(int(part), int(part) + 1))
                within.append(0)
                continue
            chosen = range(*part.indices(length))
            first = min(chosen, default=0)
            box.append(slice(first, max(chosen, default=-1) + 1))
            stop = chosen.stop - first
            within.append(slice(chosen.start - first, stop if stop >= 0 else None, chosen.step))
        values: NDArray[Any] = self._checked(tuple(box))[tuple(within)]
        return values

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _NOT_SENT}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    def _reset(self) -> None:
        self._handle: Any = None
        self._lock = threading.RLock()
        self._closer: weakref.finalize[Any, Any] | None = None

    def _checked(self, box: tuple[slice, ...]) -> NDArray[Any]:
        expected = tuple(part.stop - part.start for part in box)
        if 0 in expected:
            return np.empty(expected, self.dtype)
        with reading(self.path):
            with self._lock:
                if self._handle is None:
                    self._handle = self._open_file()
                    close = getattr(self._handle, "close", None)
                    if close is not None:
                        self._closer = weakref.finalize(self, close)
                if not self.concurrent:
                    values = self._read_box(self._handle, box)
            if self.concurrent:
                values = self._read_box(self._handle, box)
        if values.shape != expected:
            raise ImageFileError(
                f"{self.path} gave {values.shape} pixels where {expected} were expected: it is "
                "damaged, or was changed while it was open. Open it again."
            )
        return values if values.dtype == self.dtype else values.astype(self.dtype)


def lazy_array(source: PlaneSource, chunks: Sequence[int]) -> da.Array:
    """Return the lazy array over a source; nothing is read.

    Parameters
    ----------
    source : what to read from
    chunks : size of the parts that are read at once

    Raises
    ------
    ImageFileError
        If there were more parts than any file has.
    """
    import dask.array as da

    parts = math.prod(-(-n // part) for n, part in zip(source.shape, chunks, strict=True))
    if parts > MOST_PARTS:
        raise ImageFileError(
            f"{source.path} states a size of {source.shape}, which would be {parts} planes: it is "
            "damaged. Copy or export it again."
        )

    meta = np.empty((0,) * source.ndim, source.dtype)
    # Not as NumPy and without fancy indexing: the source answers slices itself, with its own lock.
    make: Callable[..., da.Array] = da.from_array
    return make(source, chunks=tuple(chunks), name=False, asarray=False, fancy=False, meta=meta)


def box_of_planes(planes: Sequence[NDArray[Any]], lengths: Sequence[int]) -> NDArray[Any]:
    """Return planes as one array whose leading axes have these lengths; one is not copied."""
    together = planes[0] if len(planes) == 1 else np.stack(planes)
    return together.reshape(*lengths, *planes[0].shape)


def plane_chunks(
    shape: Sequence[int], axes: Sequence[str], file_chunks: Sequence[int] | None = None
) -> tuple[int, ...]:
    """Return the parts in which an array is read: a plane, or a band or square of a large one.

    Parameters
    ----------
    shape : of the whole array
    axes : name of each axis; "y", "x" and "s" (samples of a colour) make a plane
    file_chunks : what the file decodes at once; the parts of a large plane are multiples of it.
        None if any part can be read by itself.
    """
    length = dict(zip(axes, shape, strict=True))
    rows, cols, samples = length["y"], length["x"], length.get("s", 1)
    # Of a file that has no pieces, bands of whole rows lie together.
    piece = (
        {"y": 1, "x": cols} if file_chunks is None else dict(zip(axes, file_chunks, strict=True))
    )
    if rows * cols * samples > PLANE_VALUES:
        side = int(PLANE_VALUES**0.5)
        if piece["x"] < cols:
            cols = min(cols, max(piece["x"], side // piece["x"] * piece["x"]))
        budget = max(1, PLANE_VALUES // (cols * samples))
        rows = min(rows, max(piece["y"], budget // piece["y"] * piece["y"]))
    part = {"y": rows, "x": cols, "s": samples}
    return tuple(part.get(axis, 1) for axis in axes)
