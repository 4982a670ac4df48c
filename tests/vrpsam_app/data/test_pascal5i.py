from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.data.pascal5i import LEAST_AREA, Pascal5i
from vrpsam_app.data.published_counts import compare_with_published
from vrpsam_app.errors import ConfigError, ImageError, ImageFileError

HW = (80, 100)
BIRD, CAR, DOG, PERSON = 3, 7, 12, 15


@pytest.fixture
def voc(tmp_path, write_palette, write_jpeg):
    """Write a VOCdevkit whose training pictures have the labels of SBD."""
    root = tmp_path / "VOCdevkit" / "VOC2012"
    pictures = {
        "2007_000001": [(BIRD, (5, 5, 60, 60)), (CAR, (5, 61, 60, 99))],
        "2007_000002": [(BIRD, (5, 5, 60, 60))],
        "2007_000003": [(PERSON, (0, 0, 60, 60))],
        "2007_000004": [(BIRD, (0, 0, 10, 10)), (PERSON, (20, 0, 80, 60))],
        "2008_000005": [(BIRD, (5, 5, 60, 60)), (DOG, (0, 90, 4, 94))],
        "2008_000006": [(DOG, (5, 5, 60, 60))],
        "2008_000007": [(CAR, (5, 5, 60, 60))],
    }
    for name, things in pictures.items():
        labels, objects = np.zeros(HW, np.uint8), np.zeros(HW, np.uint8)
        for number, (value, (top, left, bottom, right)) in enumerate(things, start=1):
            for plane, inside in ((labels, value), (objects, number)):
                plane[top:bottom, left:right] = 255
                plane[top + 1 : bottom - 1, left + 1 : right - 1] = inside
        write_jpeg(root / "JPEGImages" / f"{name}.jpg", HW)
        write_palette(root / "SegmentationClassAug" / f"{name}.png", labels)
        if name.startswith("2007"):
            write_palette(root / "SegmentationClass" / f"{name}.png", labels)
            write_palette(root / "SegmentationObject" / f"{name}.png", objects)
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("".join(f"{n}\n" for n in pictures if n.startswith("2007")))
    return root


def test_test_pictures_show_a_novel_class_that_is_large_enough(voc):
    dataset = Pascal5i.open(voc.parent.parent, 0, "val")
    assert dataset.class_names == ("aeroplane", "bicycle", "bird", "boat", "bottle")
    assert dataset.names == ("2007_000001", "2007_000002")
    assert set(dataset.shown(0)) == {3}
    assert dataset.shown(0)[3] >= LEAST_AREA
    small = Pascal5i.open(voc, 0, "val", least_area=1)
    assert small.names == ("2007_000001", "2007_000002", "2007_000004")
    assert Pascal5i.open(voc, 2, "val").names == ("2007_000003", "2007_000004")


def test_borders_belong_to_no_class(voc):
    loaded = Pascal5i.open(voc, 0, "val").load(0)
    assert set(np.unique(loaded.classes)) == {0, 3}
    unknown = loaded.ignored_for(3)
    assert unknown[5, 5]
    assert not unknown[6, 6]
    assert not unknown[0, 0]
    assert not loaded.classes[unknown].any()


def test_other_classes_are_background(voc):
    loaded = Pascal5i.open(voc, 0, "val").load(0)
    assert loaded.classes[30, 80] == 0
    assert loaded.instances[30, 80] == 0


def test_objects_come_from_voc_itself_where_it_has_them(voc):
    test = Pascal5i.open(voc, 0, "val")
    assert test.has_instances
    assert set(np.unique(test.load(0).instances)) == {0, 1}
    training = Pascal5i.open(voc, 3, "train")
    assert not training.has_instances
    assert not training.load(0).instances.any()


def test_the_two_rules_for_novel_classes_in_training_pictures(voc):
    # Without a list, everything with labels that is not a test picture.
    assert Pascal5i.open(voc, 3, "train").names == ("2008_000005", "2008_000006", "2008_000007")
    assert Pascal5i.open(voc, 2, "train", novel="excluded").names == ("2008_000007",)
    kept = Pascal5i.open(voc, 2, "train", novel="background")
    assert kept.names == ("2008_000005", "2008_000007")
    assert set(np.unique(kept.load(0).classes)) == {0, kept.class_names.index("bird") + 1}
    assert len(kept.class_names) == 15


@pytest.mark.parametrize(
    "line", ["{n}", "/voc/JPEGImages/{n}.jpg /voc/SegmentationClassAug/{n}.png", "{n}__07\n{n}__12"]
)
def test_lists_of_other_projects_are_read(voc, tmp_path, line):
    (tmp_path / "list.txt").write_text(line.format(n="2008_000007") + "\n")
    dataset = Pascal5i.open(voc, 0, "train", image_list=tmp_path / "list.txt")
    assert dataset.names == ("2008_000007",)


def test_trainaug_is_the_list_where_it_is(voc):
    (voc / "ImageSets" / "Segmentation" / "trainaug.txt").write_text("2008_000006\n")
    assert Pascal5i.open(voc, 0, "train").names == ("2008_000006",)


def test_classes_disjoint_from_coco(voc):
    dataset = Pascal5i.open_coco_disjoint(voc, 2)
    assert dataset.class_names == ("bird", "car", "pottedplant", "sheep", "train", "tvmonitor")
    assert dataset.names == ("2007_000001", "2007_000002")
    assert set(dataset.shown(0)) == {1, 2}


def test_counts_stand_beside_the_published_ones(voc):
    (check,) = compare_with_published(Pascal5i.open(voc, 0, "val"))
    assert (check.what, check.read, check.published, check.agrees) == ("pictures", 2, 364, False)
    (check,) = compare_with_published(Pascal5i.open(voc, 2, "train", novel="background"))
    assert check.published == 4097


def test_grey_label_images_do_too(voc):
    path = voc / "SegmentationClassAug" / "2007_000002.png"
    Image.fromarray(np.array(Image.open(path))).save(path)
    assert Pascal5i.open(voc, 0, "val").names == ("2007_000001", "2007_000002")


class TestBrokenCopies:
    def test_not_the_devkit(self, tmp_path):
        with pytest.raises(ImageFileError, match=r"no JPEGImages/.*VOC2012"):
            Pascal5i.open(tmp_path, 0)

    def test_training_needs_the_labels_of_sbd(self, voc):
        (voc / "SegmentationClassAug").rename(voc / "elsewhere")
        assert Pascal5i.open(voc, 0, "val").names == ("2007_000001", "2007_000002")
        with pytest.raises(ImageFileError, match=r"no SegmentationClassAug/.*Unpack"):
            Pascal5i.open(voc, 0, "train")

    def test_missing_label_images(self, voc):
        (voc / "SegmentationClassAug" / "2007_000002.png").unlink()
        with pytest.raises(ImageFileError, match=r"val\.txt lists \['2007_000002'\]"):
            Pascal5i.open(voc, 0, "val")

    def test_objects_of_another_picture(self, voc, write_palette):
        write_palette(voc / "SegmentationObject" / "2007_000001.png", np.zeros((9, 9)))
        with pytest.raises(ImageError, match=r"SegmentationObject.*\(9, 9\)"):
            Pascal5i.open(voc, 0, "val").load(0)

    def test_nothing_to_ask_for(self, voc):
        with pytest.raises(ImageFileError, match=r"none of 4 label images.*bus.*least_area"):
            Pascal5i.open(voc, 1, "val", least_area=HW[0] * HW[1])

    def test_unknown_settings(self, voc):
        with pytest.raises(ConfigError, match="Split 'test'"):
            Pascal5i.open(voc, 0, "test")
        with pytest.raises(ConfigError, match="Fold 7"):
            Pascal5i.open(voc, 7)
        with pytest.raises(ConfigError, match="rule 'kept'"):
            Pascal5i.open(voc, 0, "train", novel="kept")
