"""Finished results as TIFF, read back by tifffile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from vrpsam_app.errors import OutputError
from vrpsam_app.stack_runs import result_tiff
from vrpsam_app.stack_runs.result_array import ResultArray, ResultLayout
from vrpsam_app.stack_runs.result_tiff import write_result_tiff
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.stacks.stack_files import open_stack

LAYOUT = ResultLayout(("t", "z"), (2, 3), (40, 50), np.dtype(np.uint8), PixelSize(0.5, 0.4, 2))


def filled(tmp_path: Path, layout: ResultLayout) -> tuple[ResultArray, np.ndarray]:
    shape = layout.leading_shape + layout.plane_hw
    values = np.random.default_rng(0).integers(0, 3, shape).astype(layout.dtype)
    result = ResultArray.create(tmp_path / "r.part", layout, {})
    for index in np.ndindex(layout.leading_shape):
        for block in range(layout.blocks):
            result.write(index, block, values[index][layout.rows(block)])
    return result, values


@pytest.mark.parametrize(
    "layout",
    [
        LAYOUT,
        replace(LAYOUT, axes=("z",), leading_shape=(6,), dtype=np.dtype(np.float32)),
        replace(LAYOUT, axes=(), leading_shape=(), dtype=np.dtype(np.uint16)),
    ],
    ids=["t, z", "z", "plane"],
)
def test_imagej_opens_it_with_axes_and_pixel_size(tmp_path: Path, layout: ResultLayout):
    result, values = filled(tmp_path, layout)
    write_result_tiff(tmp_path / "r.tif", result, "a")
    with tifffile.TiffFile(tmp_path / "r.tif") as file:
        assert file.is_imagej
        assert file.series[0].axes == "".join(layout.axes).upper() + "YX"
        np.testing.assert_array_equal(file.asarray(), values)
    stack = open_stack(tmp_path / "r.tif")
    assert stack.axes == layout.axes
    assert stack.pixel_size is not None
    assert stack.pixel_size.row == pytest.approx(0.5)
    assert stack.pixel_size.col == pytest.approx(0.4)


def test_what_imagej_cannot_hold_becomes_ome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(result_tiff, "_MOST_BYTES_OF_IMAGEJ", 1000)
    result, values = filled(tmp_path, LAYOUT)
    for name in ("a.tif", "b.tif"):
        write_result_tiff(tmp_path / name, result, "the same run")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_ome
        assert file.is_bigtiff
        assert file.series[0].axes == "TZYX"
        np.testing.assert_array_equal(file.asarray(), values)
    assert open_stack(tmp_path / "a.tif").pixel_size == PixelSize(0.5, 0.4, 2)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("axes", [("z", "t"), ("i", "z"), ("t", "p"), ("position", "z")])
def test_axes_in_another_order_and_unknown_ones(
    tmp_path: Path, axes: tuple[str, ...], large: bool, monkeypatch: pytest.MonkeyPatch
):
    if large:
        monkeypatch.setattr(result_tiff, "BAND_ROWS", 32)
        monkeypatch.setattr(result_tiff, "LARGE_PLANE", 1000)
    result, values = filled(tmp_path, replace(LAYOUT, axes=axes))
    write_result_tiff(tmp_path / "r.tif", result, "a")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "r.tif"), values)
    stack = open_stack(tmp_path / "r.tif")
    assert (stack.axes, stack.pixel_size) == (axes, LAYOUT.pixel_size)
    np.testing.assert_array_equal(stack.data, values)


def test_huge_planes_are_written_in_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(result_tiff, "BAND_ROWS", 32)
    monkeypatch.setattr(result_tiff, "LARGE_PLANE", 1000)
    result, values = filled(tmp_path, LAYOUT)
    write_result_tiff(tmp_path / "r.tif", result, "a")
    with tifffile.TiffFile(tmp_path / "r.tif") as file:
        assert file.pages[0].tile == (32, 32)
        np.testing.assert_array_equal(file.asarray(), values)


def test_nothing_is_left_of_a_file_that_cannot_be_written(tmp_path: Path):
    result, _ = filled(tmp_path, LAYOUT)
    (tmp_path / "r.tif").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_result_tiff(tmp_path / "r.tif", result, "a")
    assert {p.name for p in tmp_path.iterdir()} == {"r.part", "r.tif"}
