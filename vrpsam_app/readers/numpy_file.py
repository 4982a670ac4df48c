"""NumPy's own files, mapped from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageFileError
from vrpsam_app.stacks.axes import FileImage, axes_of_shape
from vrpsam_app.stacks.lazy_planes import PlaneSource, lazy_array, plane_chunks

NUMPY_SIGNATURE = b"\x93NUMPY"


class _NumpyFile(PlaneSource):
    concurrent = True

    def _open_file(self) -> NDArray[Any]:
        return _mapped(self.path)

    def _read_box(self, handle: NDArray[Any], box: tuple[slice, ...]) -> NDArray[Any]:
        return np.array(handle[box])


def open_numpy(path: Path) -> FileImage:
    """Open an ``.npy`` file; nothing pickled is ever loaded.

    Parameters
    ----------
    path : shape (..., rows, cols) or (..., rows, cols, 3 or 4)

    Raises
    ------
    ImageFileError
        If it is shorter than it says, or holds objects, or no planes.
    """
    array = _mapped(path)
    if array.ndim < 2 or 0 in array.shape or array.dtype.kind not in "buif":
        raise ImageFileError(
            f"{path} holds an array of shape {array.shape} and type {array.dtype}: expected "
            "planes of integers or floats, shape (..., rows, cols)."
        )
    axes = axes_of_shape(array.shape)
    source = _NumpyFile(path, array.shape, array.dtype.newbyteorder("="))
    return FileImage(lazy_array(source, plane_chunks(array.shape, axes)), axes, path)


def _mapped(path: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
