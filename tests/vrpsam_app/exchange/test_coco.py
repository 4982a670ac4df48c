from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from vrpsam_app.errors import ConfigError, MissingExtraError, ObjectFileError, OutputError
from vrpsam_app.exchange.coco import read_coco, write_coco


def edited(path: Path, change) -> Path:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("polygons", [False, True])
def test_pycocotools_reads_the_same_pixels(tmp_path, plane, second_plane, empty_plane, polygons):
    planes = [plane, second_plane, empty_plane]
    path = write_coco(tmp_path / "a.json", planes, polygons=polygons)
    coco = COCO(path)
    names = {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())}
    assert sorted(names.values()) == ["debris", "nucleus", "object"]
    for image, expected in zip(coco.loadImgs(coco.getImgIds()), planes, strict=True):
        assert (image["file_name"], image["height"], image["width"]) == (
            expected.name,
            *expected.hw,
        )
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        assert len(annotations) == len(expected.counts.ids)
        for annotation in annotations:
            mask = expected.labels == annotation["instance_id"]
            assert np.array_equal(coco.annToMask(annotation), mask)
            assert annotation["area"] == mask.sum()
            rows, cols = np.nonzero(mask)
            box = [cols.min(), rows.min(), np.ptp(cols) + 1, np.ptp(rows) + 1]
            assert annotation["bbox"] == box
            number = annotation["instance_id"]
            assert names[annotation["category_id"]] == expected.class_of(number)


@pytest.mark.parametrize("polygons", [False, True])
def test_what_was_written_reads_back_equal(tmp_path, plane, second_plane, empty_plane, polygons):
    planes = [plane, second_plane, empty_plane]
    for read, wrote in zip(
        read_coco(write_coco(tmp_path / "a.json", planes, polygons=polygons)), planes, strict=True
    ):
        assert read.name == wrote.name
        assert np.array_equal(read.labels, wrote.labels)
        assert dict(read.scores) == dict(wrote.scores)
        numbers = wrote.counts.ids.tolist()
        assert [read.class_of(n) for n in numbers] == [wrote.class_of(n) for n in numbers]


def test_classes_can_be_fixed_beforehand(tmp_path, plane):
    path = write_coco(tmp_path / "a.json", [plane], names=["debris", "cell", "nucleus"])
    categories = json.loads(path.read_text())["categories"]
    assert [c["name"] for c in categories] == ["debris", "cell", "nucleus"]
    with pytest.raises(ConfigError, match="'nucleus' is unknown: expected debris, cell"):
        write_coco(tmp_path / "b.json", [plane], names=["debris", "cell"])
    with pytest.raises(ConfigError, match="each once"):
        write_coco(tmp_path / "b.json", [plane], names=["debris", "debris"])
    assert not (tmp_path / "b.json").exists()


def test_files_are_not_replaced_unasked(tmp_path, plane):
    path = write_coco(tmp_path / "a.json", [plane])
    with pytest.raises(OutputError, match="exists"):
        write_coco(path, [plane])
    write_coco(path, [plane], overwrite=True)


def test_foreign_files_number_objects_in_their_order(tmp_path, plane):
    def strip(document):
        for annotation in document["annotations"]:
            del annotation["instance_id"]

    (read,) = read_coco(edited(write_coco(tmp_path / "a.json", [plane]), strip))
    assert read.counts.ids.tolist() == [1, 2, 3, 4, 5, 6]
    assert np.array_equal(read.counts.dense, plane.counts.dense)


def test_crowds_are_left_out(tmp_path, plane):
    def crowd(document):
        document["annotations"][0]["iscrowd"] = 1

    (read,) = read_coco(edited(write_coco(tmp_path / "a.json", [plane]), crowd))
    assert read.counts.ids.tolist() == [3, 5, 7, 11, 40]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.pop("images"), "KeyError"),
        (lambda d: d.update(images=3), "TypeError"),
        (lambda d: d["images"][0].update(height=0), "above 0"),
        (lambda d: d["images"][0].update(height=10**9), "at most"),
        (lambda d: d["images"][0].update(height=12), "annotation 1 has a mask of shape"),
        (lambda d: d["annotations"][2].update(category_id=9), "annotation 3 has the class 9"),
        (lambda d: d["annotations"][2].update(image_id=9), "KeyError: 9"),
        (lambda d: d["annotations"][2].update(segmentation=[]), "annotation 3 has no segment"),
        (lambda d: d["annotations"][2].update(segmentation=[[1]]), "annotation 3 has a segment"),
    ],
)
def test_damaged_files_are_named(tmp_path, plane, change, words):
    path = edited(write_coco(tmp_path / "a.json", [plane]), change)
    with pytest.raises(ObjectFileError, match=rf"a\.json.*{words}"):
        read_coco(path)


def test_files_that_are_no_json_are_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ObjectFileError, match=r"a\.json is not valid JSON"):
        read_coco(tmp_path / "a.json")
    with pytest.raises(ObjectFileError, match=r"b\.json cannot be read"):
        read_coco(tmp_path / "b.json")


def test_without_pycocotools_the_command_is_told(tmp_path, plane, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    with pytest.raises(MissingExtraError, match=r'pip install "vrpsam-app\[objects\]"'):
        write_coco(tmp_path / "a.json", [plane])
