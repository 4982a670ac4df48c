from __future__ import annotations

import csv
import dataclasses
import io
import json
import zipfile

import numpy as np
import pytest
import tifffile
from PIL import Image
from pycocotools.coco import COCO

from vrpsam_app import batch, output_paths
from vrpsam_app.errors import Cancelled, EmptyReferenceError, ImageFileError
from vrpsam_app.image_files import decode_png, read_image, read_mask
from vrpsam_app.library.reference_library import ReferenceLibrary
from vrpsam_app.recipe import Recipe, pixels_sha256
from vrpsam_app.references import labels_of
from vrpsam_app.review.archive import unpack_project
from vrpsam_app.web import downloads
from vrpsam_app.web.marked import marked_references

NAMES = ("first", "second", "without")


@pytest.fixture
def archive(zipped, asked, canvas_with, red_box):
    """A zip of everything, open."""
    question = asked(canvas=canvas_with(red_box, exhaustive=True), threshold=0.6)
    with zipfile.ZipFile(zipped(question)) as bundle:
        yield bundle


def test_it_holds_everything(archive):
    results = {name for name in archive.namelist() if not name.startswith("project/")}
    assert results == {
        *(f"masks/{name}_mask.png" for name in NAMES),
        *(f"overlays/{name}_overlay.png" for name in NAMES),
        *(f"objects/{name}_objects.{kind}" for name in NAMES for kind in ("tif", "csv")),
        "cutouts/first_0001.png",
        "cutouts/first_0002.png",
        "cutouts/second_0001.png",
        "annotations.json",
        "measurements.csv",
        "recipe.json",
        "README.txt",
    }


def test_masks_are_0_and_255_in_the_size_of_the_originals(archive, session):
    for target in session.targets:
        stem = target.path.stem
        pixels = np.asarray(Image.open(io.BytesIO(archive.read(f"masks/{stem}_mask.png"))))
        assert pixels.shape == target.hw
        assert set(np.unique(pixels)) <= {0, 255}
        assert pixels.any() == (stem != "without")


def test_objects_are_numbered_measured_and_cut_out(archive):
    labels = tifffile.imread(io.BytesIO(archive.read("objects/first_objects.tif")))
    assert labels.dtype == np.uint16
    assert set(np.unique(labels)) == {0, 1, 2}
    rows = list(csv.DictReader(io.StringIO(archive.read("measurements.csv").decode())))
    assert [row["picture"] for row in rows] == ["first.png", "first.png", "second.png"]
    areas = [float(row["area_px"]) for row in rows[:2]]
    assert areas == [(labels == 1).sum(), (labels == 2).sum()]
    cutout = np.asarray(Image.open(io.BytesIO(archive.read("cutouts/first_0001.png"))))
    assert cutout.shape[2] == 4
    assert cutout[0, 0, 3] == 0
    middle = cutout[cutout.shape[0] // 2, cutout.shape[1] // 2]
    assert middle.tolist() == [210, 40, 40, 255]


def test_annotations_open_in_pycocotools(archive, session, tmp_path):
    path = archive.extract("annotations.json", tmp_path)
    coco = COCO(path)
    assert {image["file_name"] for image in coco.imgs.values()} == {
        target.name for target in session.targets
    }
    for image_id, image in coco.imgs.items():
        found = np.zeros((image["height"], image["width"]), bool)
        for annotation in coco.imgToAnns[image_id]:
            found |= coco.annToMask(annotation) > 0
        stem = image["file_name"].removesuffix(".png")
        mask = decode_png(archive.read(f"masks/{stem}_mask.png"))
        np.testing.assert_array_equal(found, mask > 0)
    assert {category["name"] for category in coco.cats.values()} == {"object"}
    assert all(0 < annotation["score"] <= 1 for annotation in coco.anns.values())


def test_recipe_says_what_was_run(archive, tmp_path):
    archive.extract("recipe.json", tmp_path)
    recipe = Recipe.load(tmp_path / "recipe.json")
    assert recipe.threshold == 0.6
    assert recipe.references[0].exhaustive
    assert [target.name for target in recipe.targets] == [f"{name}.png" for name in NAMES]
    assert set(recipe.sections) == {"tiling", "objects"}


def test_masks_are_those_of_the_command_line(session, segmenter, asked, zipped, red_box, tmp_path):
    question = asked(red_box)
    references = marked_references(session, question)
    paths = [target.path for target in session.targets]
    plan = output_paths.plan_outputs(paths, tmp_path, labels_of(references))
    assert all(not r.error for r in batch.segment_files(segmenter, references, plan))
    with zipfile.ZipFile(zipped(question)) as bundle:
        for outputs in plan:
            mask = outputs.masks["object"]
            assert bundle.read(f"masks/{mask.name}") == mask.read_bytes()


def test_decisions_and_corrections_are_kept(session, asked, zipped, red_box, tmp_path):
    first, second, without = (target.id for target in session.targets)
    also = {"type": "point", "xy": [40, 40], "positive": True}
    question = asked(
        red_box,
        decisions={first: "accept", without: "reject"},
        corrections={second: {"object": [also]}},
    )
    path = zipped(question)
    with zipfile.ZipFile(path) as bundle:
        assert "masks/first_mask.png" in bundle.namelist()
        assert "masks/without_mask.png" not in bundle.namelist()
        corrected = decode_png(bundle.read("masks/second_mask.png")) > 0
        sections = json.loads(bundle.read("recipe.json"))["sections"]
    pixels = read_image(session.targets[1].path)
    np.testing.assert_array_equal(corrected, pixels.max(axis=-1) > 180)
    assert sections["corrections"] == {pixels_sha256(pixels): {"object": [also]}}
    project = unpack_project(path, tmp_path / "project")
    assert {p.name: p.status for p in project.state.pictures()} == {
        "first": "accepted",
        "second": "fixed",
        "without": "rejected",
    }
    assert {p.who for p in project.state.pictures()} == {"web"}


def test_small_pieces_are_left_out_as_on_the_page(session, asked, zipped, red_box, tmp_path):
    with zipfile.ZipFile(zipped(asked(red_box, min_area=10_000))) as bundle:
        assert not decode_png(bundle.read("masks/first_mask.png")).any()
        assert not [name for name in bundle.namelist() if name.startswith("cutouts/")]
    with zipfile.ZipFile(zipped(asked(red_box, min_area=100))) as bundle:
        assert decode_png(bundle.read("masks/first_mask.png")).any()


def test_several_classes_have_a_label_image_and_a_mask_each(session, asked, zipped, red_box):
    image = session.marked[0].id
    canvas = {
        "references": [
            {"image": image, "label": "red", "exhaustive": False, "marks": [red_box]},
            {
                "image": image,
                "label": "blue one",
                "exhaustive": False,
                "marks": [red_box | {"xyxy": [140, 50, 160, 70]}],
            },
        ]
    }
    with zipfile.ZipFile(zipped(asked(canvas=canvas))) as bundle:
        names = bundle.namelist()
        assert {"masks/first_red_mask.png", "masks/first_blue-one_mask.png"} <= set(names)
        labels = decode_png(bundle.read("masks/first_labels.png"))
        rows = list(csv.DictReader(io.StringIO(bundle.read("objects/first_objects.csv").decode())))
    pixels = read_image(session.targets[0].path)
    np.testing.assert_array_equal(labels == 1, pixels[..., 0] > 180)
    np.testing.assert_array_equal(labels == 2, pixels[..., 2] > 180)
    assert [row["class"] for row in rows] == ["red", "red", "blue one"]


def test_a_target_that_fails_is_named_and_the_others_are_there(session, inquiry, asked, red_box):
    session.targets[1].path.write_bytes(b"no picture")
    *_, last = downloads.save_archive(inquiry(asked(red_box)))
    assert len(last.failed) == 1
    assert "second.png" in last.failed[0]
    with zipfile.ZipFile(last.path) as bundle:
        assert "masks/first_mask.png" in bundle.namelist()
        assert "masks/second_mask.png" not in bundle.namelist()


def test_stopping_leaves_nothing_behind(session, inquiry, line, token, asked, red_box):
    before = sorted(session.folder.rglob("*"))
    steps = downloads.save_archive(inquiry(asked(red_box)))
    next(steps)
    token.cancel()
    with pytest.raises(Cancelled):
        list(steps)
    assert sorted(session.folder.rglob("*")) == before
    assert len(line) == 0


def test_single_mask_is_of_the_visible_target(session, inquiry, asked, red_box):
    shown = session.targets[1]
    path = downloads.save_mask(inquiry(asked(red_box, shown=shown.id)))
    assert path.name == "second_mask.png"
    np.testing.assert_array_equal(read_mask(path), read_image(shown.path)[..., 0] > 180)


def test_every_download_has_a_folder_of_its_own(session, zipped, asked, red_box):
    first, second = zipped(asked(red_box)), zipped(asked(red_box))
    assert first != second
    assert first.is_relative_to(session.folder)
    assert second.is_relative_to(session.folder)


def test_references_are_saved_as_a_library(session, asked, red_box):
    question = asked(red_box)
    library = ReferenceLibrary.load(downloads.save_library(session, question))
    (reference,) = marked_references(session, question)
    assert [entry.name for entry in library.entries] == ["object"]
    assert library.references()[0].content_key == reference.content_key


def test_nothing_to_save_is_said(session, zipped, asked, red_box, inquiry):
    with pytest.raises(EmptyReferenceError):
        zipped(asked())
    empty = dataclasses.replace(session, targets=())
    with pytest.raises(ImageFileError, match="no picture to look in"):
        zipped(asked(red_box), of=empty)
    with pytest.raises(ImageFileError, match="no picture to look in"):
        downloads.save_mask(inquiry(asked(red_box), of=empty))
