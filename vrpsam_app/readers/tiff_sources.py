"""Three ways to read a TIFF stack: mapped as it lies, page by page, or tile by tile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.readers.zarr_arrays import open_zarr_store
from vrpsam_app.stacks.lazy_planes import PlaneSource, box_of_planes
from vrpsam_app.tiff_files import open_tiff, read_page, tiff_file

_MOST_OPEN_FILES = 8


class MappedTiff(PlaneSource):
    """Numbers that lie in the file as in memory.

    Parameters
    ----------
    path, shape : file and shape of the array
    dtype : with the byte order of the file
    offset : of the first number, in bytes
    """

    concurrent = True

    def __init__(self, path: Path, shape: Sequence[int], dtype: np.dtype[Any], offset: int) -> None:
        super().__init__(path, shape, dtype.newbyteorder("="))
        self.stored = dtype
        self.offset = offset

    def _open_file(self) -> NDArray[Any]:
        return np.memmap(self.path, self.stored, "r", self.offset, self.shape)

    def _read_box(self, handle: NDArray[Any], box: tuple[slice, ...]) -> NDArray[Any]:
        return np.array(handle[box])


class PagedTiff(PlaneSource):
    """Planes that are pages, of one file or of several.

    Parameters
    ----------
    path : what messages name
    shape : leading axes, rows, columns and, where there are some, samples
    dtype : of the planes as they are seen
    places : the file and the page number of each plane, the last leading axis running fastest
    plane_ndim : 2, or 3 with samples
    palette : whether palettes are applied
    """

    def __init__(
        self,
        path: Path,
        shape: Sequence[int],
        dtype: np.dtype[Any],
        places: Sequence[tuple[Path, int]],
        *,
        plane_ndim: int,
        palette: bool,
    ) -> None:
        super().__init__(path, shape, dtype)
        self.files = tuple(dict.fromkeys(file for file, _ in places))
        number = {file: i for i, file in enumerate(self.files)}
        self.places = np.array([(number[file], index) for file, index in places], np.int64)
        self.plane_ndim = plane_ndim
        self.palette = palette

    def _open_file(self) -> _OpenFiles:
        return _OpenFiles()

    def _read_box(self, handle: _OpenFiles, box: tuple[slice, ...]) -> NDArray[Any]:
        at = self.ndim - self.plane_ndim
        leading, inner = self.shape[:at], box[at:]
        numbers = np.arange(math.prod(leading)).reshape(leading)[box[:at]]
        planes = [self._plane(handle, int(number))[inner] for number in numbers.ravel()]
        return box_of_planes(planes, numbers.shape)

    def _plane(self, handle: _OpenFiles, number: int) -> NDArray[Any]:
        file, index = self.places[number]
        path = self.files[file]
        page = handle.of(path).pages[int(index)].aspage()
        return read_page(page, path, int(index), palette=self.palette)


class TiledTiff(PlaneSource):
    """Planes that are too large to be decoded whole, read in their own tiles or strips.

    Parameters
    ----------
    path, shape, dtype : of the array
    series : which series of the file it is
    """

    def __init__(self, path: Path, shape: Sequence[int], dtype: np.dtype[Any], series: int) -> None:
        super().__init__(path, shape, dtype)
        self.series = series

    def _open_file(self) -> _OpenTiles:
        return _OpenTiles(self.path, self.series)

    def _read_box(self, handle: _OpenTiles, box: tuple[slice, ...]) -> NDArray[Any]:
        return np.asarray(handle.array[box])


class _OpenFiles:
    """TIFF files by their path, a few of them open at a time."""

    def __init__(self) -> None:
        self._open: dict[Path, Any] = {}

    def of(self, path: Path) -> Any:
        if path not in self._open:
            if len(self._open) >= _MOST_OPEN_FILES:
                self._open.pop(next(iter(self._open))).close()
            self._open[path] = tiff_file(path)
        return self._open[path]

    def close(self) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()


class _OpenTiles:
    """The full size of one series as a Zarr array, which tifffile makes of it."""

    def __init__(self, path: Path, series: int) -> None:
        self._file = open_tiff(path)
        self.array = open_zarr_store(self._file.__enter__().series[series].aszarr(level=0))

    def close(self) -> None:
        self._file.__exit__(None, None, None)
