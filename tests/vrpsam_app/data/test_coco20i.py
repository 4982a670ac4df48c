from __future__ import annotations

import json

import numpy as np
import pytest

from vrpsam_app.data.class_folds import COCO_CLASSES
from vrpsam_app.data.coco20i import Coco20i
from vrpsam_app.data.published_counts import compare_with_published
from vrpsam_app.errors import ConfigError, ImageError, ImageFileError

HW = (80, 100)
# COCO's category ids leave these out.
GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
CATEGORY = dict(zip(COCO_CLASSES, [i for i in range(1, 91) if i not in GAPS], strict=True))


def polygon(top, left, bottom, right):
    return [[left, top, right, top, right, bottom, left, bottom]]


def crowd(top, left, bottom, right):
    mask = np.zeros(HW, np.uint8)
    mask[top:bottom, left:right] = 1
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges.tolist(), flat.size]).tolist()
    return {"size": list(HW), "counts": [0, *runs] if flat[0] else runs}


PICTURES = {
    1: [("dog", (5, 5, 65, 55), 0), ("cat", (5, 60, 65, 98), 0)],
    2: [("dog", (5, 5, 65, 55), 0), ("dog", (30, 30, 75, 90), 0), ("tie", (40, 40, 44, 44), 0)],
    3: [("person", (5, 5, 65, 55), 0), ("person", (0, 60, 80, 100), 1)],
    4: [("person", (0, 60, 80, 100), 1), ("dog", (10, 70, 60, 95), 0)],
    5: [("cat", (5, 5, 65, 55), 0)],
    6: [],
    7: [("dog", (0, 0, 9, 9), 0)],
    8: [("person", (0, 60, 80, 100), 1), ("cat", (5, 5, 65, 55), 0)],
}


@pytest.fixture
def coco(tmp_path, write_jpeg):
    """Write COCO 2014 with the same eight pictures in both parts; number 2 is grey."""
    for part in ("train2014", "val2014"):
        images, annotations = [], []
        for number, things in PICTURES.items():
            name = f"COCO_{part}_{number:012d}.jpg"
            write_jpeg(tmp_path / part / name, HW, grey=number == 2)
            images.append({"id": number, "file_name": name, "height": HW[0], "width": HW[1]})
            for label, (top, left, bottom, right), is_crowd in things:
                draw = crowd if is_crowd else polygon
                annotations.append(
                    {
                        "id": 1000 + len(annotations),
                        "image_id": number,
                        "category_id": CATEGORY[label],
                        "iscrowd": is_crowd,
                        "area": float((bottom - top) * (right - left)),
                        "segmentation": draw(top, left, bottom, right),
                    }
                )
        document = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": i, "name": name} for name, i in reversed(CATEGORY.items())],
        }
        path = tmp_path / "annotations" / f"instances_{part}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document), encoding="utf-8")
    return tmp_path


def numbers(dataset):
    return [int(name.rpartition("_")[2]) for name in dataset.names]


def test_test_pictures_show_a_novel_class_that_is_large_enough(coco):
    dataset = Coco20i.open(coco, 0)
    assert {"person", "dog"} <= set(dataset.class_names)
    assert len(dataset.class_names) == 20
    assert dataset.names[0] == "COCO_val2014_000000000001"
    # 4 shows a dog of 1250 pixels beside a crowd, 7 a tiny dog, 8 a crowd alone.
    assert numbers(dataset) == [1, 2, 3]
    assert numbers(Coco20i.open(coco, 0, least_area=1)) == [1, 2, 3, 4, 7]
    assert numbers(Coco20i.open(coco, 3)) == [1, 5, 8]


def test_the_two_rules_for_novel_classes_in_training_pictures(coco):
    assert numbers(Coco20i.open(coco, 3, "train", novel="excluded")) == [3]
    kept = Coco20i.open(coco, 3, "train", novel="background")
    assert numbers(kept) == [1, 2, 3]
    assert len(kept.class_names) == 60
    classes = kept.load(0).classes
    assert set(np.unique(classes)) == {0, kept.class_names.index("dog") + 1}
    # A crowd of a novel class counts as shown.
    assert numbers(Coco20i.open(coco, 0, "train", novel="excluded")) == [5]


def test_objects_in_front_are_the_smaller_ones(coco):
    dataset = Coco20i.open(coco, 0)
    loaded = dataset.load(1)
    dog = dataset.class_names.index("dog") + 1
    assert loaded.image.shape == HW
    assert set(np.unique(loaded.classes)) == {0, dog}
    assert set(np.unique(loaded.instances)) == {0, 1, 2}
    # The second dog is the smaller one.
    assert loaded.instances[50, 50] == 2
    assert loaded.instances[10, 10] == 1


def test_crowds_are_left_out_for_their_class_alone(coco):
    dataset = Coco20i.open(coco, 0, least_area=1)
    loaded = dataset.load(numbers(dataset).index(4))
    person, dog = (dataset.class_names.index(name) + 1 for name in ("person", "dog"))
    assert set(np.unique(loaded.classes)) == {0, dog}
    assert loaded.ignored_for(person)[5, 70]
    assert not loaded.ignored_for(dog).any()
    assert not loaded.ignored_for(person)[5, 5]
    # A person is there, though no pixel is labelled so: the picture is no negative.
    assert dataset.shown(numbers(dataset).index(4)) == {person: 0, dog: 1250}


def test_pictures_may_lie_under_images(coco):
    (coco / "images").mkdir()
    (coco / "val2014").rename(coco / "images" / "val2014")
    assert Coco20i.open(coco, 0).load(0).image.shape == (*HW, 3)


def test_counts_stand_beside_the_published_ones(coco):
    (check,) = compare_with_published(Coco20i.open(coco, 3))
    assert (check.read, check.published) == (3, 12640)
    (check,) = compare_with_published(Coco20i.open(coco, 0))
    assert check.agrees
    assert check.published is None


class TestBrokenCopies:
    def edit(self, coco, change):
        path = coco / "annotations" / "instances_val2014.json"
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    def test_missing_annotations(self, coco):
        with pytest.raises(ImageFileError, match=r"instances_val2017\.json.*annotations"):
            Coco20i.open(coco, 0, release="2017")

    def test_missing_pictures(self, coco):
        (coco / "val2014").rename(coco / "elsewhere")
        with pytest.raises(ImageFileError, match=r"neither val2014/.*unpack"):
            Coco20i.open(coco, 0)

    def test_one_missing_picture(self, coco):
        dataset = Coco20i.open(coco, 0)
        dataset.image_path(0).unlink()
        with pytest.raises(ImageFileError, match=r"COCO_val2014_000000000001\.jpg"):
            dataset.load(0)

    def test_half_a_file(self, coco):
        path = coco / "annotations" / "instances_val2014.json"
        path.write_text(path.read_text()[:500])
        with pytest.raises(ConfigError, match="not readable JSON"):
            Coco20i.open(coco, 0)

    def test_captions(self, coco):
        self.edit(coco, lambda d: d.pop("categories"))
        with pytest.raises(ConfigError, match="no instances file of COCO"):
            Coco20i.open(coco, 0)

    def test_annotations_without_areas(self, coco):
        self.edit(coco, lambda d: d["annotations"][3].pop("area"))
        with pytest.raises(ConfigError, match="lacks 'area'"):
            Coco20i.open(coco, 0)

    def test_other_categories(self, coco):
        self.edit(coco, lambda d: d["categories"].pop())
        with pytest.raises(ConfigError, match=r"79 categories.*expected COCO's 80"):
            Coco20i.open(coco, 0)

    def test_a_segmentation_that_is_none(self, coco):
        self.edit(coco, lambda d: d["annotations"][0].update(segmentation="?"))
        dataset = Coco20i.open(coco, 0)
        with pytest.raises(ImageError, match=r"instances_val2014\.json: annotation 1000"):
            dataset.load(0)

    def test_nothing_to_ask_for(self, coco):
        with pytest.raises(ImageFileError, match="no picture with a class of fold 1"):
            Coco20i.open(coco, 1)

    def test_unknown_settings(self, coco):
        with pytest.raises(ConfigError, match="Split 'test'"):
            Coco20i.open(coco, 0, "test")
        with pytest.raises(ConfigError, match="rule 'kept'"):
            Coco20i.open(coco, 0, "train", novel="kept")
