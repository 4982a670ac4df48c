"""Planes of a stack in the order in which its chunks are read once, whole or by rows of tiles."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.recipe import pixels_sha256
from vrpsam_app.stack_runs.work import Piece
from vrpsam_app.stacks.row_reader import RowReader, in_memory
from vrpsam_app.stacks.stack import Stack
from vrpsam_app.tiles.grid import TileGrid

Index = tuple[int, ...]

MOST_BYTES_OF_CHUNK = 128 * 1024**2
"""Planes that lie in one chunk are read together up to this much; above it one by one."""
MOST_BYTES_OF_PLANE = 64 * 1024**2
"""A plane that is shown in tiles is read whole up to this much; above it by rows of chunks."""


def read_order(stack: Stack) -> list[Index]:
    """Return the index of every plane, those that share a chunk one after the other."""
    return [index for group in _groups(stack) for index in group]


def read_planes(stack: Stack, wanted: Mapping[Index, object]) -> Iterator[tuple[Index, Any]]:
    """Yield planes in that order.

    Parameters
    ----------
    wanted : indices to read; chunks that hold none of them are left alone

    Yields
    ------
    index : of the plane
    plane : shape (rows, cols[, colours])
        In memory, or lazy if it is too large for that.
    """
    plane_bytes = math.prod(stack.data.shape[len(stack.axes) :]) * stack.dtype.itemsize
    for group in _groups(stack):
        needed = [index for index in group if index in wanted]
        if plane_bytes > MOST_BYTES_OF_PLANE:
            yield from ((index, stack.data[index]) for index in needed)
        elif len(group) * plane_bytes > MOST_BYTES_OF_CHUNK or len(needed) < 2:
            yield from ((index, in_memory(stack.data[index])) for index in needed)
        else:
            first = np.min(group, axis=0)
            spans = zip(first, np.max(group, axis=0), strict=True)
            block = in_memory(stack.data[tuple(slice(a, b + 1) for a, b in spans)])
            yield from ((i, np.ascontiguousarray(block[tuple(i - first)])) for i in needed)


def read_pieces(
    stack: Stack, wanted: Mapping[Index, int], grid: TileGrid | None
) -> Iterator[Piece]:
    """Yield what has to be asked about.

    Parameters
    ----------
    wanted : index of each plane to its first row of tiles that is not known yet
    grid : of the tiles; None for planes that are shown whole
    """
    for index, plane in read_planes(stack, wanted):
        if grid is None:
            pixels = in_memory(plane)
            yield Piece(index, None, pixels, pixels_sha256(pixels))
            continue
        digest = _PlaneDigest(plane)
        reader = RowReader(plane, seen=digest.update)
        last = len(grid.row_starts) - 1
        for i in range(wanted[index], last + 1):
            rows = reader.rows(grid.rows(i))
            yield Piece(index, i, rows, digest.hexdigest() if i == last else None)


class _PlaneDigest:
    """The sum that :func:`pixels_sha256` gives of a plane, from its rows as they are read."""

    def __init__(self, plane: Any) -> None:
        self._dtype = np.dtype(plane.dtype).newbyteorder("<")
        self._digest = hashlib.sha256(f"{self._dtype.str} {tuple(plane.shape)} ".encode())

    def update(self, rows: NDArray[Any]) -> None:
        self._digest.update(np.ascontiguousarray(rows, self._dtype).data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _groups(stack: Stack) -> Iterator[list[Index]]:
    """Yield the indices of planes that share their chunks."""
    spans = []
    for lengths in stack.data.chunks[: len(stack.axes)]:
        ends = list(itertools.accumulate(int(n) for n in lengths))
        spans.append([range(start, end) for start, end in zip([0, *ends], ends, strict=False)])
    for chunk in itertools.product(*spans):
        yield list(itertools.product(*chunk))
