"""Every chunk of a stack is read once."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest

from vrpsam_app.recipe import pixels_sha256
from vrpsam_app.stack_runs import reading as stack_reading
from vrpsam_app.stack_runs.reading import read_order, read_pieces, read_planes
from vrpsam_app.stacks.stack import Stack
from vrpsam_app.tiles.grid import TileGrid

VALUES = np.random.default_rng(0).integers(0, 999, (4, 6, 40, 50)).astype(np.uint16)


def counted(chunks: tuple[int, ...]) -> tuple[Stack, Counter[Any]]:
    """Return VALUES as a lazy stack that counts how often each chunk is read."""
    reads: Counter[Any] = Counter()

    def read(*corner: int) -> np.ndarray:
        reads[corner] += 1
        return VALUES[tuple(slice(c, c + n) for c, n in zip(corner, chunks, strict=True))]

    def nested(corner: tuple[int, ...]) -> Any:
        axis = len(corner)
        if axis == VALUES.ndim:
            shape = tuple(
                min(n, length - c)
                for c, n, length in zip(corner, chunks, VALUES.shape, strict=True)
            )
            return da.from_delayed(dask.delayed(read)(*corner), shape, VALUES.dtype)
        return [nested((*corner, c)) for c in range(0, VALUES.shape[axis], chunks[axis])]

    return Stack(da.block(nested(())), ("t", "z")), reads


@pytest.mark.parametrize("chunks", [(1, 1, 40, 50), (1, 1, 16, 50), (2, 3, 40, 50), (4, 4, 20, 25)])
def test_all_planes_once_and_right(chunks: tuple[int, ...]):
    stack, reads = counted(chunks)
    found = {
        i: np.asarray(plane) for i, plane in read_planes(stack, dict.fromkeys(stack.indices()))
    }
    assert list(found) == read_order(stack)
    assert sorted(found) == sorted(stack.indices())
    for index, plane in found.items():
        np.testing.assert_array_equal(plane, VALUES[index])
    assert set(reads.values()) == {1}


def test_chunks_of_which_nothing_is_wanted_are_left_alone():
    stack, reads = counted((1, 3, 40, 50))
    list(read_planes(stack, {(1, 0): None, (1, 2): None, (3, 5): None}))
    assert set(reads) == {(1, 0, 0, 0), (3, 3, 0, 0)}


def test_chunks_too_large_to_be_read_together_are_read_by_planes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stack_reading, "MOST_BYTES_OF_CHUNK", 3 * 40 * 50 * 2)
    stack, reads = counted((1, 6, 40, 50))
    list(read_planes(stack, dict.fromkeys(itertools.product([0], range(6)))))
    assert reads == {(0, 0, 0, 0): 6}


@pytest.mark.parametrize("most", [10**9, 100])
def test_pieces_of_planes_in_tiles(monkeypatch: pytest.MonkeyPatch, most: int):
    monkeypatch.setattr(stack_reading, "MOST_BYTES_OF_PLANE", most)
    stack, reads = counted((1, 1, 7, 50))
    grid = TileGrid.over((40, 50), 16, 4)
    wanted = {(0, 1): 0, (2, 2): 2}
    pieces = list(read_pieces(stack, wanted, grid))
    last = len(grid.row_starts) - 1
    assert [(p.index, p.tile_row) for p in pieces] == [
        *(((0, 1), i) for i in range(last + 1)),
        *(((2, 2), i) for i in range(2, last + 1)),
    ]
    for piece in pieces:
        np.testing.assert_array_equal(piece.pixels, VALUES[piece.index][grid.rows(piece.tile_row)])
    sums = {p.index: p.pixels_sum for p in pieces if p.pixels_sum}
    assert sums == {index: pixels_sha256(VALUES[index]) for index in wanted}
    assert set(reads.values()) == {1}


def test_pieces_of_whole_planes():
    stack, _ = counted((1, 2, 40, 50))
    (piece,) = read_pieces(stack, {(3, 3): 0}, None)
    assert (piece.index, piece.tile_row) == ((3, 3), None)
    assert piece.pixels_sum == pixels_sha256(VALUES[3, 3])
