from __future__ import annotations

import numpy as np
import pytest
import tifffile

from vrpsam_app.errors import ImageError, OutputError
from vrpsam_app.label_files import open_labels
from vrpsam_app.objects import label_tiff as module
from vrpsam_app.objects.label_tiff import label_tiff
from vrpsam_app.progress import ProgressMeter
from vrpsam_app.stack_runs.outputs import StackOutput
from vrpsam_app.stack_runs.result_array import ResultLayout
from vrpsam_app.stacks.stack import PixelSize

SIZE = PixelSize(0.5, 0.25, 2.0)


def write(path, stack: np.ndarray, axes: tuple[str, ...] = (), **settings) -> None:
    hw = stack.shape[-2:]
    planes = stack.reshape(-1, *hw)
    with label_tiff(
        path, plane_hw=hw, axes=axes, leading_shape=stack.shape[:-2], pixel_size=SIZE, **settings
    ) as passing:
        for plane, given in zip(passing.keep(planes), planes, strict=True):
            assert np.array_equal(plane, given)


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("highest", [300, 70000])
def test_tifffile_opens_it_with_numbers_and_scale(tmp_path, monkeypatch, on_disk, highest):
    if on_disk:
        monkeypatch.setattr(module, "MOST_BYTES_IN_MEMORY", 0)
    stack = np.zeros((2, 3, 10, 12), np.int32)
    stack[1, 2, 4:6] = highest
    stack[0, 0, 1] = 5
    path = tmp_path / "a.tif"
    write(path, stack, ("t", "z"))
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        assert series.axes == "TZYX"
        assert np.array_equal(series.asarray(), stack)
        assert series.dtype == (np.uint16 if highest < 2**16 else np.int32)
        if highest < 2**16:
            assert file.is_imagej
            assert file.imagej_metadata["unit"] == "um"
            assert file.imagej_metadata["spacing"] == 2
            assert file.pages[0].resolution == (4, 2)
    opened = open_labels(path)
    assert (opened.axes, opened.pixel_size) == (("t", "z"), SIZE)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_a_single_plane_needs_no_axes(tmp_path):
    plane = np.arange(12).reshape(3, 4)
    write(tmp_path / "a.tif", plane)
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), plane)


@pytest.mark.parametrize(
    ("planes", "words"),
    [
        (np.zeros((2, 3, 4), int), r"ends before plane \(2,\): expected \(3,\)"),
        (np.zeros((4, 3, 4), int), "more planes than the 3"),
        (np.zeros((3, 4, 3), int), r"Plane \(0,\) has shape \(4, 3\)"),
        (np.zeros((3, 3, 4)), "float64"),
        (np.full((3, 3, 4), -1), "number -1"),
    ],
)
def test_nothing_is_left_of_what_cannot_be_written(tmp_path, planes, words):
    with (
        pytest.raises(ImageError, match=words),
        label_tiff(tmp_path / "a.tif", plane_hw=(3, 4), axes=("z",), leading_shape=(3,)) as passing,
    ):
        list(passing.keep(planes))
    assert list(tmp_path.iterdir()) == []


def test_files_are_not_replaced_unasked(tmp_path):
    path = tmp_path / "a.tif"
    write(path, np.ones((3, 4), int))
    with pytest.raises(OutputError, match="exists"):
        write(path, np.zeros((3, 4), int))
    assert tifffile.imread(path).all()
    write(path, np.zeros((3, 4), int), overwrite=True)
    assert not tifffile.imread(path).any()


def test_folders_that_are_not_there_are_named(tmp_path):
    with pytest.raises(OutputError, match=r"a\.tif cannot be written"):
        write(tmp_path / "no" / "a.tif", np.ones((3, 4), int))


def test_a_run_that_begins_beside_it_takes_no_plane(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES_IN_MEMORY", 0)
    well = "2024-05-01_liver_plate01_well_A0{}"
    beside = StackOutput.of(tmp_path / f"{well.format(2)}_labels.tif")
    stack = np.arange(1, 5)[:, None, None] * np.ones((4, 3, 4), int)

    def planes():
        yield from stack[:2]
        beside.begin(ResultLayout(("z",), (2,), (3, 4), np.dtype(np.uint8)), {})
        yield from stack[2:]

    path = tmp_path / f"{well.format(1)}_objects.tif"
    with label_tiff(path, plane_hw=(3, 4), axes=("z",), leading_shape=(4,)) as passing:
        assert len(list(passing.keep(planes()))) == 4
    assert np.array_equal(tifffile.imread(path), stack)


def test_a_meter_is_told_after_each_plane(tmp_path):
    told = []
    meter = ProgressMeter(3, lambda progress: told.append(progress.done))
    write(tmp_path / "a.tif", np.ones((3, 4, 5), int), ("z",), meter=meter)
    assert told == [0, 1, 2, 3]
