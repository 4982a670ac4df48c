from __future__ import annotations

import sys
import zipfile

import numpy as np
import pytest
import roifile

from vrpsam_app.errors import MissingExtraError, ObjectFileError, OutputError
from vrpsam_app.exchange.imagej_rois import read_rois, write_rois
from vrpsam_app.exchange.object_plane import ObjectPlane
from vrpsam_app.exchange.outlines import fill_rings


def test_roifile_opens_it_with_the_right_pixels(tmp_path, plane):
    path = write_rois(tmp_path / "a.zip", [plane])
    rois = roifile.roiread(path)
    assert [roi.name for roi in rois] == ["00002", "00003", "00005", "00007", "00011", "00040"]
    for roi, number in zip(rois, plane.counts.ids.tolist(), strict=True):
        found = fill_rings(roi.coordinates(multi=True), plane.hw, name="roi")
        mask = np.zeros(plane.hw, bool)
        mask[found.window] = found.mask
        assert np.array_equal(mask, plane.labels == number)
        rows, cols = np.nonzero(mask)
        assert (roi.top, roi.left) == (rows.min(), cols.min())
        assert (roi.bottom, roi.right) == (rows.max() + 1, cols.max() + 1)
    # Plain outlines stay plain; ImageJ measures them without first making a shape of them.
    assert [roi.composite for roi in rois] == [True, False, True, True, True, False]
    assert rois[1].roitype == roifile.ROI_TYPE.TRACED
    assert [roi.group for roi in rois] == [2, 1, 2, 1, 2, 2]


def test_what_was_written_reads_back_equal(tmp_path, plane):
    (read,) = read_rois(write_rois(tmp_path / "a.zip", [plane]), plane.hw, "cells.tif")
    assert np.array_equal(read.labels, plane.labels)
    assert dict(read.classes) == dict(plane.classes)
    assert read.name == "cells.tif"
    assert dict(read.position) == {}


def test_slices_and_frames_are_kept(tmp_path):
    rng = np.random.default_rng(0)
    planes = [
        ObjectPlane(rng.integers(0, 3, (6, 7)), "stack.tif", position={"t": t, "z": z})
        for t in range(2)
        for z in range(3)
    ]
    path = write_rois(tmp_path / "a.zip", planes)
    first = roifile.roiread(path)[-1]
    assert (first.t_position, first.z_position) == (2, 3)
    for read, wrote in zip(read_rois(path, (6, 7)), planes, strict=True):
        assert dict(read.position) == dict(wrote.position)
        assert np.array_equal(read.labels, wrote.labels)


def test_a_plain_stack_has_plain_positions(tmp_path):
    planes = [ObjectPlane(np.eye(4, dtype=int), "s", position={"z": z}) for z in range(3)]
    path = write_rois(tmp_path / "a.zip", planes)
    assert [roi.position for roi in roifile.roiread(path)] == [1, 2, 3]
    assert [dict(p.position) for p in read_rois(path, (4, 4))] == [{"z": 0}, {"z": 1}, {"z": 2}]


def test_equal_objects_give_equal_bytes(tmp_path, plane):
    one, other = (write_rois(tmp_path / name, [plane]) for name in ("a.zip", "b.zip"))
    assert one.read_bytes() == other.read_bytes()


def test_large_coordinates_survive(tmp_path):
    labels = np.zeros((3, 40000), np.int32)
    labels[1, 39000:39010] = 1
    wide = ObjectPlane(labels, "scan.tif")
    (read,) = read_rois(write_rois(tmp_path / "a.zip", [wide]), wide.hw)
    assert np.array_equal(read.labels, labels)


def test_foreign_regions_are_numbered_in_their_order(tmp_path):
    square = roifile.ImagejRoi.frompoints([[1, 1], [4, 1], [4, 3], [1, 3]], name="a")
    box = roifile.ImagejRoi(
        roitype=roifile.ROI_TYPE.RECT, left=5, top=2, right=8, bottom=6, name="b"
    )
    point = roifile.ImagejRoi.frompoints([[2, 2]], name="c")
    point.roitype = roifile.ROI_TYPE.POINT
    roifile.roiwrite(tmp_path / "a.zip", [square, box, point])
    (read,) = read_rois(tmp_path / "a.zip", (8, 9))
    assert (read.labels == 1).sum() == 6
    assert read.labels[2:6, 5:8].tolist() == [[2, 2, 2]] * 4
    assert read.labels.max() == 2


def test_one_region_alone_is_read(tmp_path):
    roifile.ImagejRoi.frompoints([[1, 1], [4, 1], [4, 3]], name="a").tofile(tmp_path / "a.roi")
    (read,) = read_rois(tmp_path / "a.roi", (8, 9))
    assert read.counts.ids.tolist() == [1]


def test_regions_of_another_picture_are_refused(tmp_path, plane):
    path = write_rois(tmp_path / "a.zip", [plane])
    with pytest.raises(ObjectFileError, match=r"has 4 regions without a pixel .* 10 x 10"):
        read_rois(path, (10, 10))


def test_nothing_is_no_archive(tmp_path, empty_plane):
    with pytest.raises(ObjectFileError, match="no objects"):
        write_rois(tmp_path / "a.zip", [empty_plane])
    assert list(tmp_path.iterdir()) == []


def test_files_are_not_replaced_unasked(tmp_path, plane):
    path = write_rois(tmp_path / "a.zip", [plane])
    with pytest.raises(OutputError, match="exists"):
        write_rois(path, [plane])


def test_damaged_files_are_named(tmp_path):
    with pytest.raises(ObjectFileError, match=r"none\.zip cannot be read \(No such file"):
        read_rois(tmp_path / "none.zip", (4, 4))
    (tmp_path / "a.zip").write_bytes(b"text")
    with pytest.raises(ObjectFileError, match=r"a\.zip holds no regions"):
        read_rois(tmp_path / "a.zip", (4, 4))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("x.txt", "text")
    with pytest.raises(ObjectFileError, match=r"b\.zip has 0 regions"):
        read_rois(tmp_path / "b.zip", (4, 4))
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("x.roi", b"Iout")
    with pytest.raises(ObjectFileError, match=r"c\.zip cannot be read"):
        read_rois(tmp_path / "c.zip", (4, 4))


def test_without_roifile_the_command_is_told(tmp_path, plane, monkeypatch):
    monkeypatch.setitem(sys.modules, "roifile", None)
    with pytest.raises(MissingExtraError, match=r'pip install "vrpsam-app\[objects\]"'):
        write_rois(tmp_path / "a.zip", [plane])
