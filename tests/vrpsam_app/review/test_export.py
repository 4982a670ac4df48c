"""The finished data set: read back by the program, whole or not there, and honest on its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.png_files import png_bytes
from vrpsam_app.annotations import Box
from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.errors import Cancelled, ConfigError, ImageFileError, OutputError
from vrpsam_app.library.reference_library import ReferenceLibrary
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.progress import CancelToken
from vrpsam_app.recipe import Recipe
from vrpsam_app.references import Reference
from vrpsam_app.review.export import export_dataset, split_pictures
from vrpsam_app.review.project import ReviewProject
from vrpsam_app.review.run import run_review

RED, GREEN = (220, 30, 30), (30, 200, 40)


def scene(row: int, green: bool = False) -> np.ndarray:
    image = np.full((24, 30, 3), 120, np.uint8)
    image[row : row + 4, 3:8] = RED
    image[row : row + 4, 20:24] = GREEN if green else RED
    return image


def reference(colour: tuple[int, int, int] = RED, label: str = "red") -> Reference:
    image = np.zeros((12, 12, 3), np.uint8)
    image[2:6, 2:6] = colour
    return Reference.from_annotations(image, [Box(2, 2, 6, 6)], label=label)


@pytest.fixture
def project(tmp_path: Path, colour_segmenter) -> ReviewProject:
    """Six pictures: three accepted, one fixed, one rejected, one waiting."""
    made = ReviewProject.create(tmp_path / "plate 7")
    (tmp_path / "in").mkdir()
    for row, name in enumerate("abcdef"):
        Image.fromarray(scene(row + 1)).save(tmp_path / "in" / f"{name}.png")
    list(made.add_pictures(sorted((tmp_path / "in").iterdir())))
    made.add_references([reference()])
    list(run_review(made, colour_segmenter))
    made.accept("abc", who="ada")
    made.fix("d", {"red": np.eye(24, 30)}, who="bob", note="a thread")
    made.reject("e", who="ada")
    return made


def document(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_the_program_reads_it_back(project: ReviewProject, tmp_path: Path):
    facts = export_dataset(project, tmp_path / "out", licence="cc0-1.0")
    everything = FolderDataset.open(tmp_path / "out")
    assert everything.names == ("a", "b", "c", "d")
    assert everything.class_names == ("red",)
    for index, name in enumerate("abcd"):
        loaded = everything.load(index)
        np.testing.assert_array_equal(loaded.image, scene(index + 1))
        expected = project.masks_of(project.state.picture(name))["red"]
        np.testing.assert_array_equal(loaded.classes == 1, expected)
    train = FolderDataset.open(tmp_path / "out", "train")
    held_out = FolderDataset.open(tmp_path / "out", "val")
    assert sorted(train.names + held_out.names) == ["a", "b", "c", "d"]
    assert (facts.pictures, facts.train, facts.validation) == (4, len(train), len(held_out))
    assert set(np.unique(Image.open(tmp_path / "out" / "masks" / "a.png"))) == {0, 255}


def test_what_was_never_asked_about_is_not_said_to_be_absent(
    project: ReviewProject, tmp_path: Path, colour_segmenter
):
    project.add_references([reference(GREEN, "green")])
    with pytest.raises(ConfigError, match="a and 3 more have no mask of 'green'"):
        export_dataset(project, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    list(run_review(project, colour_segmenter, redo=["accepted"]))
    project.accept("abc")
    with pytest.raises(ConfigError, match="d have no mask of 'green'"):
        export_dataset(project, tmp_path / "out")
    project.fix("d", {"green": np.zeros((24, 30))})
    facts = export_dataset(project, tmp_path / "out")
    assert facts.pictures_by_class == {"red": 4, "green": 0}


def test_pictures_are_the_files_themselves(project: ReviewProject, tmp_path: Path):
    export_dataset(project, tmp_path / "out")
    assert (tmp_path / "out/images/a.png").read_bytes() == (tmp_path / "in/a.png").read_bytes()


def test_turned_photograph_is_written_as_it_is_seen(tmp_path: Path, colour_segmenter):
    project = ReviewProject.create(tmp_path / "project")
    exif = Image.Exif()
    exif[274] = 6
    image = np.kron(scene(3), np.ones((4, 4, 1), np.uint8))
    Image.fromarray(image).save(tmp_path / "photo.jpg", exif=exif, quality=95)
    list(project.add_pictures([tmp_path / "photo.jpg"]))
    project.add_references([reference()])
    list(run_review(project, colour_segmenter))
    project.accept(["photo"])
    export_dataset(project, tmp_path / "out")
    (written,) = (tmp_path / "out" / "images").iterdir()
    assert written.name == "photo.png"
    assert np.asarray(Image.open(written)).shape == (120, 96, 3)
    assert np.asarray(Image.open(tmp_path / "out/masks/photo.png")).shape == (120, 96)


def test_several_classes(project: ReviewProject, tmp_path: Path, colour_segmenter):
    Image.fromarray(scene(9, green=True)).save(tmp_path / "in" / "g.png")
    list(project.add_pictures([tmp_path / "in" / "g.png"]))
    project.add_references([reference(GREEN, "green")])
    list(run_review(project, colour_segmenter, redo=["accepted"]))
    project.accept("abcg")
    project.fix("d", {"green": np.zeros((24, 30))})
    facts = export_dataset(project, tmp_path / "out")
    data = FolderDataset.open(tmp_path / "out")
    assert data.class_names == ("red", "green")
    classes = data.load(data.names.index("g")).classes
    assert (classes[10, 4], classes[10, 21], classes[0, 0]) == (1, 2, 0)
    assert facts.pictures_by_class == {"red": 5, "green": 1}
    assert len(list((tmp_path / "out" / "recipes").iterdir())) == 2


def test_numbered_objects(project: ReviewProject, tmp_path: Path):
    facts = export_dataset(project, tmp_path / "out", objects=ObjectOptions(method="components"))
    data = FolderDataset.open(tmp_path / "out")
    loaded = data.load(0)
    assert data.has_instances
    assert set(np.unique(loaded.instances)) == {0, 1, 2}
    assert facts.objects_by_class["red"] >= 6


def test_how_it_was_made_goes_along(project: ReviewProject, tmp_path: Path):
    export_dataset(project, tmp_path / "out", licence="cc-by-4.0")
    details = document(tmp_path / "out", "per_image.json")
    assert details["a"]["decision"] == "accepted"
    assert (details["d"]["decision"], details["d"]["by"]) == ("fixed", "bob")
    assert details["d"]["note"] == "a thread"
    assert details["a"]["sha256"] == project.state.picture("a").sha256
    (path,) = (tmp_path / "out" / "recipes").iterdir()
    recipe = Recipe.load(path)
    assert [t.name for t in recipe.targets] == ["a", "b", "c", "d"]
    assert recipe.references[0].content_key == reference().content_key
    assert ReferenceLibrary.load(tmp_path / "out" / "references.zip").names == ("red",)


def test_card_says_what_was_decided(project: ReviewProject, tmp_path: Path):
    export_dataset(project, tmp_path / "out", licence="cc-by-4.0")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert 'license: "cc-by-4.0"' in card
    for row in (
        "| accepted: the segmenter's mask, looked at and accepted | 3 | 3 |",
        "| fixed: a mask that a person drew or corrected | 1 | 1 |",
        "| rejected: left out by a person | 1 | 0 |",
        "| waiting: segmented, not looked at | 1 | 0 |",
        "Decided by ada, bob.",
    ):
        assert row in card


def test_unreviewed_ones_are_said_to_be(project: ReviewProject, tmp_path: Path):
    facts = export_dataset(project, tmp_path / "out", statuses=("accepted", "fixed", "waiting"))
    assert facts.included == {"accepted": 3, "fixed": 1, "waiting": 1}
    assert document(tmp_path / "out", "per_image.json")["f"]["decision"] == "waiting"
    assert document(tmp_path / "out", "per_image.json")["f"]["by"] is None


def test_an_earlier_export_may_be_replaced_and_nothing_else(project: ReviewProject, tmp_path: Path):
    out = tmp_path / "out"
    export_dataset(project, out)
    with pytest.raises(OutputError, match="exists already"):
        export_dataset(project, out)
    project.reject(["a"])
    export_dataset(project, out, overwrite=True)
    assert FolderDataset.open(out).names == ("b", "c", "d")
    with pytest.raises(OutputError, match="not a data set that was exported here"):
        export_dataset(project, tmp_path / "in", overwrite=True)
    assert len(list((tmp_path / "in").iterdir())) == 6
    assert {p.name for p in tmp_path.iterdir()} == {"in", "out", "plate 7"}


def test_a_failed_export_leaves_nothing(project: ReviewProject, tmp_path: Path):
    Image.fromarray(scene(15)).save(tmp_path / "in" / "c.png")
    with pytest.raises(ImageFileError, match="other pixels than those that were reviewed"):
        export_dataset(project, tmp_path / "out")
    deep = scene(3).astype(np.uint16) << 8  # an earlier release kept the upper 8 bits
    (tmp_path / "in" / "c.png").write_bytes(png_bytes(deep, 16))
    with pytest.raises(ImageFileError, match=r"with its 16 bits now; .* Add a copy of it under"):
        export_dataset(project, tmp_path / "out")
    (tmp_path / "in" / "c.png").unlink()
    with pytest.raises(ImageFileError, match=r"c cannot be exported: .*c\.png"):
        export_dataset(project, tmp_path / "out")
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        export_dataset(project, tmp_path / "out", cancel=token)
    assert {p.name for p in tmp_path.iterdir()} == {"in", "plate 7"}


def test_nothing_to_export_is_said(tmp_path: Path, project: ReviewProject):
    project.undo("abcd")
    with pytest.raises(ConfigError, match="no picture that is accepted or fixed"):
        export_dataset(project, tmp_path / "out")
    with pytest.raises(ConfigError, match="share of validation is 1"):
        export_dataset(project, tmp_path / "out", validation_share=1)


def named(*names: str) -> Any:
    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

    return [Named(name) for name in names]


def test_splits_keep_fields_together_and_pictures_in_place():
    names = [f"field{i}_{view}" for i in range(40) for view in ("full", "q1", "t2")]
    split = split_pictures(named(*names), 0.25)
    for i in range(40):
        views = {f"field{i}_{view}" for view in ("full", "q1", "t2")}
        assert views <= set(split["train"]) or views <= set(split["val"])
    assert 0.1 < len(split["val"]) / len(names) < 0.4
    fewer = split_pictures(named(*names[:60]), 0.25)
    assert set(fewer["val"]) <= set(split["val"])
    assert split_pictures(named("a"), 0.5)["train"] in (["a"], [])
    assert split_pictures(named("a", "b"), 0)["val"] == []
    for few in (named("a", "b"), named("x", "y", "z")):
        assert all(split_pictures(few, 0.01).values())
        assert all(split_pictures(few, 0.99).values())
