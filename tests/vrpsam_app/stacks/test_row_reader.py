"""Rows of lazy planes: every chunk once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from vrpsam_app.stacks.row_reader import RowReader, in_memory

PLANE = np.arange(100 * 12, dtype=np.uint16).reshape(100, 12)
WINDOWS = [slice(0, 30), slice(20, 50), slice(20, 64), slice(70, 100)]


def counted(chunk: tuple[int, int]) -> tuple[da.Array, Counter[tuple[int, int]]]:
    """Return a lazy plane that counts how often each chunk is read."""
    reads: Counter[tuple[int, int]] = Counter()

    def read(row: int, col: int) -> NDArray[np.uint16]:
        reads[row, col] += 1
        return PLANE[row : row + chunk[0], col : col + chunk[1]]

    blocks = [
        [
            da.from_delayed(
                dask.delayed(read)(r, c), (min(chunk[0], 100 - r), chunk[1]), PLANE.dtype
            )
            for c in range(0, 12, chunk[1])
        ]
        for r in range(0, 100, chunk[0])
    ]
    return da.block(blocks), reads


@pytest.mark.parametrize("chunk", [(16, 12), (30, 4), (100, 12), (1, 12)])
def test_rows_are_right_and_each_chunk_is_read_once(chunk: tuple[int, int]):
    lazy, reads = counted(chunk)
    reader = RowReader(lazy)
    for window in WINDOWS:
        np.testing.assert_array_equal(reader.rows(window), PLANE[window])
    assert set(reads.values()) == {1}


def test_arrays_in_memory_and_zarr(tmp_path: Path):
    stored = zarr.create_array(tmp_path / "a.zarr", data=PLANE, chunks=(33, 5))
    for plane in (PLANE, stored, PLANE.astype(">u2")):
        reader = RowReader(plane)
        for window in WINDOWS:
            rows = reader.rows(window)
            np.testing.assert_array_equal(rows, PLANE[window])
            assert rows.dtype.isnative


def test_only_what_may_be_asked_for_again_is_kept():
    reader = RowReader(counted((10, 12))[0])
    reader.rows(slice(0, 15))
    reader.rows(slice(40, 45))
    assert reader._held is not None
    assert reader._held.shape[0] <= 15


@pytest.mark.parametrize("source", ["memory", "lazy"])
def test_who_looks_sees_every_row_once_and_in_order(source: str):
    plane = PLANE if source == "memory" else counted((7, 12))[0]
    seen: list[NDArray[np.uint16]] = []
    reader = RowReader(plane, seen=seen.append)
    reader.rows(slice(40, 50))
    reader.finish()
    np.testing.assert_array_equal(np.concatenate(seen), PLANE)


def test_colours_and_foreign_byte_order():
    plane = np.zeros((9, 4, 3), ">f4")
    assert RowReader(plane).rows(slice(2, 5)).shape == (3, 4, 3)
    assert in_memory(plane).dtype.isnative
