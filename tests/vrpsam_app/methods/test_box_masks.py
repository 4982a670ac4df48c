"""Boxes as masks: taken where the answer fills the box, refused where it does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vrpsam_app.annotations import Box
from vrpsam_app.data.boxed_pictures import BoxedPictures
from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.errors import ConfigError
from vrpsam_app.methods.box_masks import convert_boxes, mask_of_box
from vrpsam_app.methods.sam_pictures import SAMAnswers
from vrpsam_app.models.embeddings import TensorRecord

BLUE = np.array([40, 60, 220], np.uint8)


class BlueFinder:
    """Stands for a SAM: whatever is asked, it answers with what is blue."""

    prompt_dim, needs_map, frozen_count, device = 32, False, 0, torch.device("cpu")

    def describe(self):
        return {"model": "blue", "sha256": ""}

    def open(self, rgb):
        return BluePicture(rgb)


class BluePicture:
    def __init__(self, rgb):
        self.original_hw = rgb.shape[:2]
        blue = rgb[..., 2].astype(int) - rgb[..., 0] > 90
        self._logits = torch.from_numpy(np.where(blue, 9.0, -9.0)).float()[None, None]

    def prepare(self, prompts):
        return TensorRecord()

    def decode(self, prepared, learner=None):
        return SAMAnswers(self._logits, torch.tensor([[0.8]]))

    def resized(self, logits):
        return logits


def scene(*places: tuple[int, int, int, int]) -> np.ndarray:
    image = np.full((40, 80, 3), 120, np.uint8)
    for top, left, bottom, right in places:
        image[top:bottom, left:right] = BLUE
    return image


def test_a_mask_stays_in_its_box():
    picture = BluePicture(scene((5, 10, 15, 30), (5, 50, 15, 70)))
    found = mask_of_box(picture, Box(4, 9, 16, 31))
    assert found.mask.sum() == 10 * 20
    assert found.agreement == pytest.approx(200 / (12 * 22))
    assert found.is_taken
    assert found.score == pytest.approx(0.8)


@pytest.mark.parametrize(
    "box", [Box(0, 5, 40, 45), Box(20, 0, 30, 30), Box(50, 90, 60, 100)], ids=str
)
def test_a_box_that_is_not_filled_is_refused(box: Box):
    found = mask_of_box(BluePicture(scene((5, 10, 15, 30))), box)
    assert not found.is_taken


@pytest.fixture
def boxed(tmp_path: Path) -> BoxedPictures:
    """Three pictures: two boxes fit; one does not; one fits and one does not."""
    root = tmp_path / "boxes"
    for part in ("images", "labels"):
        (root / part).mkdir(parents=True)
    there = {"a": ((5, 10, 15, 30), (20, 50, 30, 70)), "b": (), "c": ((5, 10, 15, 30),)}
    for name, places in there.items():
        Image.fromarray(scene(*places)).save(root / "images" / f"{name}.png")
    good, other = "0 0.25 0.25 0.25 0.25", "1 0.75 0.625 0.25 0.25"
    for name, lines in {"a": [good, other], "b": [good], "c": [good, other]}.items():
        (root / "labels" / f"{name}.txt").write_text("\n".join(lines))
    return BoxedPictures.open(root)


def test_pictures_with_a_refused_box_are_left_out_whole(boxed: BoxedPictures, tmp_path: Path):
    done = []
    result = convert_boxes(
        BlueFinder(), boxed, tmp_path / "out", report=lambda *counts: done.append(counts)
    )
    assert (result.taken, result.refused) == (2, 3)
    assert done == [(1, 3), (2, 3), (3, 3)]
    dataset = FolderDataset.open(result.folder)
    assert dataset.names == ("a",)
    picture = dataset.load(0)
    np.testing.assert_array_equal(np.unique(picture.instances), [0, 1, 2])
    assert (picture.instances == 1).sum() == 200
    said = json.loads((result.folder / "conversion.json").read_text())
    assert said["taken"] == 2
    assert [len(v) for v in said["pictures"].values()] == [2, 1, 2]


def test_boxes_of_one_label_alone(boxed: BoxedPictures, tmp_path: Path):
    result = convert_boxes(BlueFinder(), boxed, tmp_path / "out", label="0")
    assert (result.taken, result.refused) == (2, 1)
    assert FolderDataset.open(result.folder).class_names == ("0",)
    with pytest.raises(ConfigError, match="expected one of 0, 1"):
        convert_boxes(BlueFinder(), boxed, tmp_path / "other", label="plate")


def test_nothing_taken_is_said(tmp_path: Path):
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    Image.fromarray(scene()).save(tmp_path / "images" / "a.png")
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.2")
    with pytest.raises(ConfigError, match="all 1 answers"):
        convert_boxes(BlueFinder(), BoxedPictures.open(tmp_path), tmp_path / "out")
