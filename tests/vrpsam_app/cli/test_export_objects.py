"""``vrpsam export``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

LABELS = np.zeros((20, 30), np.uint8)
LABELS[2:8, 3:9], LABELS[10:15, 12:20] = 4, 9


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("objects").mkdir()
    tifffile.imwrite("objects/a_objects.tif", LABELS.astype(np.uint16))
    Path("objects/a_objects.csv").write_text("label,class,area_px\n4,nucleus,36\n9,debris,40\n")
    Path("plate").mkdir()
    Image.fromarray(LABELS).save("plate/a.jpg")


def test_several_formats_at_once(vrpsam):
    outcome = vrpsam(
        *("export", "objects", "--images", "plate", "--out", "ex"),
        *("--to", "coco", "roi", "geojson", "labelme", "yolo", "png"),
    )
    assert outcome.code == 0
    assert {path.relative_to("ex").as_posix() for path in Path("ex").rglob("*.*")} == {
        "annotations.json",
        "a_rois.zip",
        "a.geojson",
        "a.json",
        "data.yaml",
        "labels/a.txt",
        "a_labels.png",
    }
    coco = json.loads(Path("ex/annotations.json").read_text())
    assert coco["images"][0]["file_name"] == "a.jpg"
    assert [c["name"] for c in coco["categories"]] == ["debris", "nucleus"]
    assert outcome.out.splitlines()[0] == f"coco: 2 objects -> {Path('ex/annotations.json')}"
    assert "labels" in outcome.out.splitlines()[4]


def test_what_objects_were_cut_from_is_left_out(vrpsam):
    zarr.create_array("objects/a_labels.zarr", data=LABELS)
    outcome = vrpsam("export", "objects", "--to", "coco", "--out", "ex")
    assert outcome.out.startswith("coco: 2 objects")


def test_polygons_and_classes(vrpsam):
    arguments = ("export", "objects", "--out", "ex", "--to", "coco", "roi", "--polygons")
    assert vrpsam(*arguments, "--classes", "nucleus, debris").code == 0
    coco = json.loads(Path("ex/annotations.json").read_text())
    assert [c["name"] for c in coco["categories"]] == ["nucleus", "debris"]
    assert isinstance(coco["annotations"][0]["segmentation"], list)


def test_objects_without_a_class_get_one(vrpsam):
    Path("objects/a_objects.csv").unlink()
    vrpsam("export", "objects", "--to", "coco", "--out", "ex", "--class", "cell")
    coco = json.loads(Path("ex/annotations.json").read_text())
    assert [c["name"] for c in coco["categories"]] == ["cell"]


def test_formats_are_turned_into_each_other(vrpsam):
    vrpsam("export", "objects", "--to", "roi", "--out", "ex")
    assert (
        vrpsam(
            "export",
            "ex/a_rois.zip",
            "--images",
            "plate/a.jpg",
            "--to",
            "labelme",
            "--out",
            "again",
        ).code
        == 0
    )
    document = json.loads(Path("again/a.json").read_text())
    assert [s["label"] for s in document["shapes"]] == ["nucleus", "debris"]


def test_a_picture_without_objects_is_named_and_the_rest_goes_on(vrpsam):
    tifffile.imwrite("objects/b_objects.tif", LABELS.astype(np.uint16) * 0)
    arguments = ("export", "objects", "--to", "roi", "coco", "--out", "ex")
    outcome = vrpsam(*arguments)
    assert outcome.code == 0
    assert "roi: no objects in b, left out" in outcome.err
    assert {path.name for path in Path("ex").iterdir()} == {"a_rois.zip", "annotations.json"}
    Path("objects/a_objects.tif").unlink()
    outcome = vrpsam(*arguments, "--overwrite")
    assert outcome.code == 1
    assert outcome.out.startswith("coco: 0 objects")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("objects", "--to", "tiff"), "invalid choice"),
        (("objects", "--to", "coco", "--classes", "nucleus"), "'debris' is unknown"),
        (("nothing", "--to", "coco"), "stands for no image"),
        (("objects/a_objects.csv", "--to", "coco"), "is no image"),
    ],
)
def test_what_cannot_be_done_is_said(vrpsam, arguments, words):
    outcome = vrpsam("export", *arguments, "--out", "ex")
    assert outcome.code == 2
    assert words in outcome.err


def test_files_are_not_replaced_unasked(vrpsam):
    arguments = ("export", "objects", "--to", "geojson", "--out", "ex")
    assert vrpsam(*arguments).code == 0
    assert vrpsam(*arguments).code == 2
    assert vrpsam(*arguments, "--overwrite").code == 0
