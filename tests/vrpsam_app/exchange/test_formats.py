from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from vrpsam_app.errors import ConfigError, ObjectFileError, OutputError
from vrpsam_app.exchange.formats import FORMATS, export_objects, read_objects
from vrpsam_app.label_files import read_labels


def exported(tmp_path: Path, plane, name: str, **settings) -> Path:
    """Export one picture, and return the file that is read again."""
    Image.fromarray(np.zeros(plane.hw, np.uint8)).save(tmp_path / "cells.png")
    return export_objects(tmp_path, {"cells": [plane]}, name, **settings)[-1]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_known_again_and_reads_back_equal(tmp_path, plane, name):
    path = exported(tmp_path, plane, name)
    (read,) = read_objects(path, hw=plane.hw, name="cells.tif", images=tmp_path)
    expected = plane.counts.dense if name == "yolo" else plane.labels
    assert np.array_equal(read.labels, expected)
    assert Path(read.name).stem == "cells"
    if name != "png":
        classes = [read.class_of(n) for n in read.counts.ids.tolist()]
        assert classes == list(plane.classes.values())


@pytest.mark.parametrize("name", ["roi", "geojson"])
def test_formats_with_a_place_for_stacks_keep_them(tmp_path, plane, name):
    planes = [replace(plane, position={"z": 0}), replace(plane, position={"z": 4})]
    (path,) = export_objects(tmp_path, {"cells": planes}, name)
    read = read_objects(path, hw=plane.hw)
    assert [p.position["z"] for p in read] == [0, 4]


def test_formats_without_one_say_so(tmp_path, plane):
    for name in ("png", "coco", "labelme", "yolo"):
        with pytest.raises(OutputError, match=f"2 planes, and {name} has no place for stacks"):
            export_objects(tmp_path, {"cells": [plane, plane]}, name)


@pytest.mark.parametrize(("name", "axes"), [("roi", "t, z, c"), ("geojson", "t, z")])
def test_stacks_along_other_axes_are_refused(tmp_path, plane, name, axes):
    planes = [replace(plane, position={"t": 0, "p": p}) for p in range(2)]
    with pytest.raises(OutputError, match=f"stack along p, and {name} has a place for {axes} only"):
        export_objects(tmp_path, {"cells": planes}, name)


def test_pictures_without_objects_get_no_regions(tmp_path, plane, empty_plane):
    pictures = {"none": [empty_plane], "cells": [plane]}
    stale = tmp_path / "none_rois.zip"
    stale.touch()
    with pytest.raises(OutputError, match="exists"):
        export_objects(tmp_path, pictures, "roi")
    paths = export_objects(tmp_path, pictures, "roi", overwrite=True)
    assert paths == [tmp_path / "cells_rois.zip"]
    assert not stale.exists()
    with pytest.raises(ObjectFileError, match="no objects"):
        export_objects(tmp_path, {"none": [empty_plane]}, "roi")


def test_what_cannot_be_asked_is_named(tmp_path, plane):
    with pytest.raises(ConfigError, match="'tiff' is unknown: expected png, coco"):
        export_objects(tmp_path, {"cells": [plane]}, "tiff")
    with pytest.raises(ConfigError, match="yolo has only one way"):
        export_objects(tmp_path, {"cells": [plane]}, "yolo", polygons=True)


@pytest.mark.parametrize("name", ["roi", "geojson"])
def test_the_size_of_the_picture_is_asked_for(tmp_path, plane, name):
    path = exported(tmp_path, plane, name)
    with pytest.raises(ObjectFileError, match="how large its picture is: give the picture"):
        read_objects(path)


def test_the_pictures_of_a_yolo_data_set_are_found(tmp_path, plane):
    exported(tmp_path, plane, "yolo")
    folder = tmp_path / "images" / "train"
    folder.mkdir(parents=True)
    (tmp_path / "cells.png").rename(folder / "cells.png")
    (read,) = read_objects(tmp_path)
    assert read.hw == plane.hw
    (folder / "cells.png").unlink()
    with pytest.raises(ObjectFileError, match="No picture cells was found"):
        read_objects(tmp_path / "data.yaml")


def test_namesakes_of_a_yolo_data_set_keep_their_own_pictures(tmp_path, plane, second_plane):
    for part, own in (("train", plane), ("val", second_plane)):
        (tmp_path / "images" / part).mkdir(parents=True)
        Image.fromarray(np.zeros(own.hw, np.uint8)).save(tmp_path / "images" / part / "a.png")
        made = export_objects(tmp_path, {"a": [replace(own, name="a.png")]}, "yolo", overwrite=True)
        (tmp_path / "labels" / part).mkdir()
        made[0].rename(tmp_path / "labels" / part / "a.txt")
    read = read_objects(tmp_path)
    assert [p.name for p in read] == ["train/a.png", "val/a.png"]
    assert [p.hw for p in read] == [plane.hw, second_plane.hw]
    (tmp_path / "labels" / "train" / "a.txt").rename(tmp_path / "labels" / "a.txt")
    with pytest.raises(ObjectFileError, match="2 pictures for the objects of a"):
        read_objects(tmp_path)


def test_label_images_of_other_programs_are_read(tmp_path, plane):
    Image.fromarray(plane.labels.astype(np.uint16)).save(tmp_path / "a_cp_masks.png")
    stack = np.stack([plane.labels, plane.labels * 0]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    (read,) = read_objects(tmp_path / "a_cp_masks.png")
    assert np.array_equal(read.labels, plane.labels)
    first, second = read_objects(tmp_path / "a.tif")
    assert (dict(first.position), dict(second.position)) == ({"z": 0}, {"z": 1})
    (chosen,) = read_objects(tmp_path / "a.tif", position={"z": 0})
    assert np.array_equal(chosen.labels, plane.labels)
    with pytest.raises(ObjectFileError, match="stack along z: say which plane"):
        read_objects(tmp_path / "a.tif", position={"t": 0})


def test_files_that_are_missing_are_named(tmp_path):
    with pytest.raises(ObjectFileError, match=r"a\.zip does not exist"):
        read_objects(tmp_path / "a.zip", hw=(4, 4))


def test_png_holds_the_numbers(tmp_path, plane):
    assert np.array_equal(read_labels(exported(tmp_path, plane, "png")), plane.labels)
