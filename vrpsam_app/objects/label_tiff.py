"""Numbered objects of a picture or a stack as one TIFF, written plane by plane as they come."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.errors import ImageError, OutputError
from vrpsam_app.label_images import check_labels, count_objects, renumbered
from vrpsam_app.progress import ProgressMeter
from vrpsam_app.stack_runs.result_array import Index, ResultArray, ResultLayout, abandoned_name
from vrpsam_app.stack_runs.result_tiff import write_result_tiff
from vrpsam_app.stacks.stack import PixelSize

MOST_BYTES_IN_MEMORY = 2**25
"""Larger results wait on disk, beside the file they will become, until the last plane is there."""


class PassingPlanes:
    """Keeps planes on disk while they pass."""

    def __init__(self, result: ResultArray, meter: ProgressMeter | None) -> None:
        self._result, self._meter = result, meter
        self._highest = 0
        self._count = 0
        self._numbers: Mapping[int, int] | None = None

    def keep(self, planes: Iterable[ArrayLike]) -> Iterator[NDArray[np.integer[Any]]]:
        """Yield the planes as they came, each once it is on disk.

        Raises
        ------
        ImageError
            If there are too few or too many, or one is of another size.
        """
        layout, source = self._result.layout, iter(planes)
        for index in np.ndindex(layout.leading_shape):
            try:
                plane = check_labels(next(source))
            except StopIteration:
                raise ImageError(
                    f"The stack ends before plane {index}: expected {layout.leading_shape} planes."
                ) from None
            if plane.shape != layout.plane_hw:
                raise ImageError(
                    f"Plane {index} has shape {plane.shape}: expected {layout.plane_hw}."
                )
            self._highest = max(self._highest, int(plane.max(initial=0)))
            for block in range(layout.blocks):
                self._result.write(index, block, plane[layout.rows(block)])
            self._count += 1
            yield plane
            if self._meter is not None:
                self._meter.finished()
        if next(source, None) is not None:
            raise ImageError(f"There are more planes than the {self._count} that were expected.")

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Write other numbers than those that passed; objects without one are left out."""
        self._numbers = numbers
        self._highest = max(numbers.values(), default=0)

    def narrowed(self) -> ResultArray:
        """Return what was kept in the smallest type that ImageJ knows and that holds it."""
        fits = self._highest <= np.iinfo(np.uint16).max
        dtype = np.dtype(np.uint16) if fits else self._result.layout.dtype
        return _Narrow(self._result, dtype, self._numbers)


@contextmanager
def label_tiff(
    path: Path,
    *,
    plane_hw: tuple[int, int],
    axes: tuple[str, ...] = (),
    leading_shape: tuple[int, ...] = (),
    pixel_size: PixelSize | None = None,
    overwrite: bool = False,
    meter: ProgressMeter | None = None,
) -> Iterator[PassingPlanes]:
    """Open a TIFF of object numbers; it appears, whole, when the block has ended well.

    Parameters
    ----------
    path : a name that ends in .tif
    plane_hw, axes, leading_shape : of the stack; no axes for a single plane
    pixel_size : written into the file
    overwrite : replace a file that exists
    meter : told after each plane

    Yields
    ------
    planes : PassingPlanes
        Give it all planes, in the order of the axes, the last running fastest.

    Raises
    ------
    OutputError
        If the file exists or cannot be written. Nothing is left behind.

    Notes
    -----
    ImageJ's TIFF of 16 bits, as Cellpose and StarDist write; OME-TIFF of 32 bits where there are
    more than 65,535 objects.
    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists: choose another name, or say that it may be replaced.")
    layout = ResultLayout(axes, leading_shape, plane_hw, np.dtype(np.int32), pixel_size)
    part = path.with_name(abandoned_name(path))
    small = math.prod((*leading_shape, *plane_hw)) * layout.dtype.itemsize <= MOST_BYTES_IN_MEMORY
    try:
        result = _InMemory(layout) if small else ResultArray.create(part, layout, {})
        passing = PassingPlanes(result, meter)
        yield passing
        write_result_tiff(path, passing.narrowed(), path.name)
    finally:
        shutil.rmtree(part, ignore_errors=True)


class _InMemory(ResultArray):
    """A result that is small enough not to go to disk before it is whole."""

    def __init__(self, layout: ResultLayout) -> None:
        self.layout = layout
        shape = layout.leading_shape + layout.plane_hw
        self._values: NDArray[Any] = np.zeros(shape, layout.dtype)

    def write(self, index: Index, block: int, values: NDArray[Any]) -> None:
        place: tuple[Any, ...] = (*index, self.layout.rows(block))
        self._values[place] = values

    def read(self, index: Index, rows: slice = slice(None)) -> NDArray[Any]:
        place: tuple[Any, ...] = (*index, rows)
        return np.asarray(self._values[place])


class _Narrow(ResultArray):
    """A result that is read in another type, and under other numbers where there are some."""

    def __init__(
        self, result: ResultArray, dtype: np.dtype[Any], numbers: Mapping[int, int] | None
    ) -> None:
        self._whole, self._numbers = result, numbers
        self.layout = replace(result.layout, dtype=dtype)

    def read(self, index: Index, rows: slice = slice(None)) -> NDArray[Any]:
        values = self._whole.read(index, rows)
        if self._numbers is None:
            return values.astype(self.layout.dtype)
        counts = count_objects(values)
        table = [0, *(self._numbers.get(number, 0) for number in counts.ids.tolist())]
        return renumbered(counts.dense, np.array(table, self.layout.dtype))
