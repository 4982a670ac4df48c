"""Boxes of PASCAL VOC and of YOLO, in the layouts of both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.annotations import Box
from vrpsam_app.data.boxed_pictures import BoxedPictures
from vrpsam_app.errors import ImageFileError

VOC = """<annotation>
    <folder>images</folder><filename>{name}.png</filename>
    <size><width>80</width><height>40</height><depth>3</depth></size>
    <object><name>licence</name><pose>Unspecified</pose><difficult>0</difficult>
        <bndbox><xmin>11</xmin><ymin>6</ymin><xmax>30</xmax><ymax>15</ymax></bndbox></object>
    <object><name>car</name>
        <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>80</xmax><ymax>40</ymax></bndbox></object>
</annotation>"""


def picture(root: Path, name: str) -> None:
    (root / "images").mkdir(exist_ok=True)
    Image.fromarray(np.zeros((40, 80, 3), np.uint8)).save(root / "images" / f"{name}.png")


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    (tmp_path / "annotations").mkdir()
    for name in ("Cars0", "Cars1"):
        picture(tmp_path, name)
    (tmp_path / "annotations" / "Cars0.xml").write_text(VOC.format(name="Cars0"))
    return tmp_path


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    (tmp_path / "labels").mkdir()
    for name in ("a", "b"):
        picture(tmp_path, name)
    (tmp_path / "labels" / "a.txt").write_text("0 0.25 0.25 0.25 0.25\n\n3 0.5 0.5 1 1\n")
    (tmp_path / "labels" / "b.txt").write_text("\n")
    return tmp_path


def test_corners_of_voc_count_from_one_and_are_inside(voc: Path):
    boxed = BoxedPictures.open(voc)
    assert list(boxed.pictures) == ["Cars0"]  # the other has no boxes
    licence, car = boxed.boxes["Cars0"]
    assert licence.box == Box(5, 10, 15, 30)
    assert car.box == Box(0, 0, 40, 80)
    assert boxed.labels == ("car", "licence")


def test_shares_of_yolo_become_pixels(yolo: Path):
    boxed = BoxedPictures.open(yolo)
    assert list(boxed.boxes) == ["a"]
    first, second = boxed.boxes["a"]
    assert first.box == Box(5, 10, 15, 30)
    assert (first.label, second.label) == ("0", "3")
    assert second.box == Box(0, 0, 40, 80)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation><object></object></annotation>", "no bndbox"),
        ("<annotation>", "PASCAL VOC"),
        (VOC.replace("<xmax>30</xmax>", "<xmax>4</xmax>"), "mirrored"),
        (VOC.replace("<xmin>11</xmin>", ""), "PASCAL VOC"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', "entities"),
    ],
)
def test_xml_that_is_no_boxes_is_named(voc: Path, text: str, message: str):
    (voc / "annotations" / "Cars1.xml").write_text(text)
    with pytest.raises(ImageFileError, match=message):
        BoxedPictures.open(voc)


@pytest.mark.parametrize("line", ["0 0.5 0.5 0.2", "0 a b c d", "0 0.5 0.5 0 0.1", "0 nan 0 1 1"])
def test_lines_that_are_no_boxes_are_named(yolo: Path, line: str):
    (yolo / "labels" / "a.txt").write_text(f"0 0.5 0.5 0.1 0.1\n{line}\n")
    with pytest.raises(ImageFileError, match="line 2"):
        BoxedPictures.open(yolo)


def test_other_layouts_are_refused(tmp_path: Path, voc: Path):
    with pytest.raises(ImageFileError, match="lacks images/"):
        BoxedPictures.open(tmp_path / "nowhere")
    (voc / "annotations" / "Cars0.xml").unlink()
    with pytest.raises(ImageFileError, match="holds no box"):
        BoxedPictures.open(voc)
