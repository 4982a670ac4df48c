from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from vrpsam_app.errors import AnnotationError, ConfigError, ObjectFileError
from vrpsam_app.exchange import picture_files
from vrpsam_app.exchange.coco import write_coco
from vrpsam_app.exchange.formats import export_objects
from vrpsam_app.exchange.imagej_rois import write_rois
from vrpsam_app.exchange.picture_files import (
    class_table,
    labels_among,
    object_mask,
    objects_among,
    picture_of,
    picture_stem,
    read_pictures,
    with_classes,
)
from vrpsam_app.exchange.yolo import write_yolo
from vrpsam_app.label_files import write_labels


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a_mask.png", "a"),
        ("a_objects.tif", "a"),
        ("a_cp_masks.png", "a"),
        ("a_nucleus_mask.png", "a_nucleus"),
        ("a.ome.tif", "a"),
        ("a.ome_mask.png", "a"),
        ("a_labels.ome.zarr", "a"),
        ("a_seg.nii.gz", "a"),
        ("_mask.png", "_mask"),
        ("mask.png", "mask"),
    ],
)
def test_names_of_pictures(name, stem):
    assert picture_stem(Path("folder") / name) == stem


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        ("a.png b.png", "a.png b.png"),
        ("a.png a_mask.png a_overlay.png b_labels.tif", "a_mask.png b_labels.tif"),
        ("a_labels.ome.zarr a_objects.tif b_labels.tif", "a_labels.ome.zarr b_labels.tif"),
        ("a_rod_mask.png a_dot_mask.png a_labels.png", "a_rod_mask.png a_dot_mask.png"),
        ("a_labels.tif a_b_mask.png", "a_labels.tif a_b_mask.png"),
        ("a_labels.tif a_rod_objects.tif a_dot_objects.tif", "a_labels.tif"),
        ("p/a_mask.png q/a_labels.tif q/a_objects.tif", "p/a_mask.png q/a_labels.tif"),
    ],
)
def test_masks_and_labels_are_told_from_what_was_made_of_them(names, taken):
    assert labels_among(list(map(Path, names.split()))) == list(map(Path, taken.split()))


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        ("a.png b_mask.png", "a.png b_mask.png"),
        ("a_labels.ome.zarr a_objects.tif b_labels.tif", "a_objects.tif b_labels.tif"),
        ("a_labels.tif a_rod_mask.png a_rod_objects.tif", "a_rod_objects.tif"),
    ],
)
def test_objects_stand_for_what_they_were_cut_from(names, taken):
    assert objects_among(list(map(Path, names.split()))) == list(map(Path, taken.split()))


def test_pictures_are_found_by_name(tmp_path):
    for name in ("a.png", "b.tif", "sub/c.jpg", "a_mask.png", "d[1].png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert picture_of("a", tmp_path) == tmp_path / "a.png"
    assert picture_of("c", tmp_path) == tmp_path / "sub" / "c.jpg"
    assert picture_of("d[1]", tmp_path) == tmp_path / "d[1].png"
    assert picture_of("x", tmp_path) is None
    assert picture_of("x", None) is None
    assert picture_of("x", tmp_path / "a.png") == tmp_path / "a.png"
    (tmp_path / "sub" / "a.tif").touch()
    with pytest.raises(ConfigError, match="2 pictures called a"):
        picture_of("a", tmp_path)


def test_files_of_every_kind_give_pictures(tmp_path, plane, second_plane):
    labels = tmp_path / "cells_objects.png"
    write_labels(labels, plane.labels)
    write_coco(tmp_path / "rest.json", [second_plane])
    read = read_pictures([labels, tmp_path / "rest.json"], default_class="cell")
    assert list(read) == ["cells", "more"]
    assert read["cells"][0].class_of(2) == "cell"
    assert read["more"][0].class_of(2) == "debris"
    assert read["more"][0].class_of(3) == "cell"


def test_the_picture_says_its_name_and_its_size(tmp_path, plane):
    images = tmp_path / "images"
    images.mkdir()
    tifffile.imwrite(images / "cells.ome.tif", np.zeros((3, *plane.hw), np.uint8))
    rois = write_rois(tmp_path / "cells_rois.zip", [replace(plane, position={"z": 2})])
    read = read_pictures([rois], images=images)
    assert list(read) == ["cells"]
    assert read["cells"][0].name == "cells.ome.tif"
    assert dict(read["cells"][0].position) == {"z": 2}


def test_two_files_for_one_picture_are_refused(tmp_path, plane):
    for name in ("cells_mask.png", "cells_labels.png"):
        write_labels(tmp_path / name, plane.labels)
    with pytest.raises(ConfigError, match="another file hold objects of 'cells'"):
        read_pictures(sorted(tmp_path.iterdir()))


def test_the_work_grows_with_the_number_of_files(tmp_path, plane, monkeypatch):
    paths = [write_labels(tmp_path / f"x{i}_labels.png", plane.labels) for i in range(20)]
    names: list[Path] = []
    stem = picture_files.image_stem
    monkeypatch.setattr(picture_files, "image_stem", lambda path: names.append(path) or stem(path))
    assert len(read_pictures(paths[:10])) == 10
    first = len(names)
    assert len(read_pictures(paths)) == 20
    assert len(names) - first == 2 * first


def test_pictures_of_one_name_in_several_folders_are_all_read(tmp_path, plane, second_plane):
    planes = [replace(plane, name="train/a.png"), replace(second_plane, name="val/a.png")]
    read = read_pictures([write_coco(tmp_path / "both.json", planes)])
    assert {stem: own.hw for stem, (own,) in read.items()} == {
        "train_a_png": plane.hw, "val_a_png": second_plane.hw,
    }  # fmt: skip


def test_results_of_namesakes_carry_the_names_of_their_pictures(tmp_path, plane, second_plane):
    for folder, own in (("p", plane), ("q", second_plane)):
        (tmp_path / "in" / folder).mkdir(parents=True)
        write_labels(tmp_path / "in" / folder / "x.png", own.labels * 0)
        write_labels(tmp_path / f"{folder}_x_png_labels.png", own.labels)
    read = read_pictures(sorted(tmp_path.glob("*.png")), images=tmp_path / "in")
    assert {stem: own.name for stem, (own,) in read.items()} == {
        "p_x_png": "p/x.png", "q_x_png": "q/x.png",
    }  # fmt: skip
    assert picture_of("q_x_png", tmp_path / "in") == tmp_path / "in" / "q" / "x.png"


@pytest.fixture
def namesakes(tmp_path, plane, second_plane):
    """Three pictures, two of which share a name, in folders; and their objects."""
    placed = {"train/a.png": plane, "val/a.png": second_plane, "train/c.png": plane}
    for name, own in placed.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        write_labels(tmp_path / "in" / name, own.labels * 0)
    return [replace(own, name=name) for name, own in placed.items()]


@pytest.mark.parametrize("format_name", ["geojson", "roi", "labelme", "png", "yolo"])
def test_each_file_alone_is_named_as_all_together_are(tmp_path, namesakes, format_name):
    images = tmp_path / "in"
    stems = ["train_a_png", "val_a_png", "c"]
    pictures = {stem: [own] for stem, own in zip(stems, namesakes, strict=True)}
    written = export_objects(tmp_path, pictures, format_name)
    files = [path for path in written if path.name != "data.yaml"]
    for file, stem, own in zip(files, stems, namesakes, strict=True):
        (read,) = read_pictures([file], images=images).items()
        assert (read[0], [plane.name for plane in read[1]]) == (stem, [own.name])
        assert picture_of(stem, images, name=own.name) == images / own.name
    assert list(read_pictures(files, images=images)) == stems


def test_a_name_that_tells_folder_and_ending_is_kept(tmp_path, namesakes):
    images = tmp_path / "in" / "train"
    path = write_labels(tmp_path / "train_a_png_labels.png", namesakes[0].labels)
    assert list(read_pictures([path], images=images)) == ["train_a_png"]
    assert list(read_pictures([path], images=images / "a.png")) == ["train_a_png"]


def test_a_folder_of_pictures_is_listed_once(tmp_path, namesakes, monkeypatch):
    listed: list[Path] = []
    rglob = Path.rglob
    monkeypatch.setattr(
        Path, "rglob", lambda self, pattern: listed.append(self) or rglob(self, pattern)
    )
    (tmp_path / "objects").mkdir()
    files = [
        write_labels(tmp_path / "objects" / f"{stem}.png", own.labels)
        for stem, own in zip(("train_a_png", "val_a_png"), namesakes[:2], strict=True)
    ]
    files += write_yolo(tmp_path / "objects", namesakes[2:])[:-1]
    assert len(read_pictures(files, images=tmp_path / "in")) == 3
    assert listed == [tmp_path / "in"]


def test_a_file_that_has_a_picture_twice_is_refused(tmp_path, plane):
    path = write_coco(tmp_path / "twice.json", [plane, plane])
    with pytest.raises(ConfigError, match=r"twice\.json has the objects of 'cells\.tif' twice"):
        read_pictures([path])


def test_classes_stand_in_the_table_beside(tmp_path, plane):
    path = tmp_path / "cells_objects.tif"
    (tmp_path / "cells_objects.csv").write_bytes(class_table([plane]))
    (read,) = with_classes([replace(plane, classes={}, scores={})], path)
    assert dict(read.classes) == dict(plane.classes)
    assert dict(read.scores) == dict(plane.scores)
    # What the file itself says counts more, and without a table nothing changes.
    assert with_classes([plane], path) == [plane]
    bare = replace(plane, classes={})
    assert with_classes([bare], tmp_path / "other.tif") == [bare]


def test_other_tables_change_nothing_and_damaged_ones_are_named(tmp_path, plane):
    bare, path = replace(plane, classes={}, scores={}), tmp_path / "a.tif"
    path.with_suffix(".csv").write_text("name,size\na,3\n")
    (read,) = with_classes([bare], path)
    assert dict(read.classes) == {}
    path.with_suffix(".csv").write_text("label,class\none,nucleus\n")
    with pytest.raises(ObjectFileError, match=r"a\.csv stands beside a\.tif"):
        with_classes([bare], path)


class TestObjectMask:
    def mask(self, path: Path, plane, **settings) -> np.ndarray:
        return object_mask(path, plane.hw, image_name="cells.tif", **settings)

    def test_all_objects_some_or_those_of_a_class(self, tmp_path, plane):
        rois = write_rois(tmp_path / "a.zip", [plane])
        labels = plane.labels
        assert np.array_equal(self.mask(rois, plane), labels > 0)
        some = self.mask(rois, plane, ids=[5, 7])
        assert np.array_equal(some, (labels == 5) | (labels == 7))
        debris = self.mask(rois, plane, class_name="debris")
        assert np.array_equal(debris, (labels == 3) | (labels == 7))
        with pytest.raises(AnnotationError, match=r"class 'x': expected debris, nucleus"):
            self.mask(rois, plane, class_name="x")
        with pytest.raises(AnnotationError, match=r"a\.zip: .*no object 99"):
            self.mask(rois, plane, ids=[99])

    def test_a_label_image_without_classes_is_of_any(self, tmp_path, plane):
        path = write_labels(tmp_path / "a.png", plane.labels)
        assert np.array_equal(self.mask(path, plane, class_name="x"), plane.labels > 0)

    def test_the_right_one_of_several_pictures(self, tmp_path, plane, second_plane):
        path = write_coco(tmp_path / "a.json", [second_plane, plane])
        assert np.array_equal(self.mask(path, plane), plane.labels > 0)
        with pytest.raises(ObjectFileError, match=r"0 sets of objects for x\.png.*cells\.tif"):
            object_mask(path, plane.hw, image_name="x.png")

    def test_the_right_plane_of_a_stack(self, tmp_path, plane):
        planes = [replace(plane, position={"z": z}) for z in (1, 4)]
        path = write_rois(tmp_path / "a.zip", planes)
        assert np.array_equal(self.mask(path, plane, position={"z": 4}), plane.labels > 0)
        with pytest.raises(ObjectFileError, match=r"0 sets .*say which plane"):
            self.mask(path, plane)

    def test_sizes_must_agree(self, tmp_path, plane):
        path = write_labels(tmp_path / "a.png", plane.labels[:9])
        with pytest.raises(AnnotationError, match=r"a\.png has 9 x 31 .* cells\.tif has 24 x 31"):
            self.mask(path, plane)

    def test_pictures_that_are_no_picture_are_named(self, tmp_path, plane):
        Image.fromarray(np.zeros((*plane.hw, 3), np.uint8)).save(tmp_path / "a.png")
        with pytest.raises(ValueError, match=r"a\.png has shape"):
            self.mask(tmp_path / "a.png", plane)
