"""What prompts are learned for: scenes, faces, banners, plates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vrpsam_app.config import SAM_TINY
from vrpsam_app.data.celebamask_hq import EXPECTED
from vrpsam_app.data.compositor import CutOut, PastingSettings
from vrpsam_app.errors import ConfigError, ImageFileError
from vrpsam_app.methods.box_masks import BoxMask
from vrpsam_app.methods.prompted_pictures import PromptedSAM
from vrpsam_app.methods.sam_pictures import SAMPictures
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.reproduction.prompt_tasks import (
    LEAST_SHARE,
    banner_task,
    cut_outs_of,
    face_tasks,
    plate_task,
    scene_tasks,
)


def test_scenes_are_a_task_each_and_never_shared():
    (coins,) = scene_tasks(images=2, asked=2, worlds=["coins"], size=96)
    assert coins.name.startswith("coins: ")
    assert (len(coins.learn), len(coins.ask)) == (2, 2)
    keys = {e.image.tobytes() for e in (*coins.learn, *coins.ask)}
    assert len(keys) == 4
    for example in (*coins.learn, *coins.ask):
        areas = np.bincount(example.objects.ravel())[1:]
        assert areas[areas > 0].min() >= LEAST_SHARE * 96 * 96
    (again,) = scene_tasks(images=2, asked=2, worlds=["coins"], size=96)
    assert {e.image.tobytes() for e in (*again.learn, *again.ask)} == keys
    (other,) = scene_tasks(images=2, asked=2, worlds=["coins"], size=96, seed=1)
    assert keys.isdisjoint(e.image.tobytes() for e in (*other.learn, *other.ask))


def test_faces_are_learned_and_asked_in_different_parts_of_celeba(tmp_path: Path):
    (tmp_path / "CelebA-HQ-img").mkdir()
    (tmp_path / "CelebAMask-HQ-mask-anno" / "0").mkdir(parents=True)
    rows = ["idx orig_idx orig_file"]
    for number in range(4):
        Image.new("RGB", (32, 32), (number, 0, 0)).save(
            tmp_path / "CelebA-HQ-img" / f"{number}.jpg", quality=95
        )
        for part in EXPECTED:
            mask = np.zeros((32, 32), np.uint8)
            left = 20 if part.startswith("l_") else 4
            mask[8:16, left : left + 8] = 255
            Image.fromarray(mask).save(
                tmp_path / "CelebAMask-HQ-mask-anno" / "0" / f"{number:05d}_{part}.png"
            )
        rows.append(f"{number} {number if number < 2 else 190_000 + number} x.jpg")
    (tmp_path / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(rows))
    (lips,) = face_tasks(tmp_path, images=2, asked=1, parts=["lower lip"])
    assert (len(lips.learn), len(lips.ask)) == (2, 1)
    assert lips.ask[0].image[0, 0, 0] == pytest.approx(2, abs=2)
    assert lips.learn[0].numbers
    with pytest.raises(ConfigError, match="no 'beard'"):
        face_tasks(tmp_path, images=2, asked=1, parts=["beard"])


@pytest.fixture
def places(tmp_path: Path) -> Path:
    folder = tmp_path / "places"
    folder.mkdir()
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 255, (64, 80, 3)).astype(np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    return folder


def test_banners_are_composed_on_backgrounds_of_their_own(tmp_path: Path, places: Path):
    pixels = np.zeros((20, 40, 4), np.uint8)
    pixels[2:18, 2:38] = (200, 30, 40, 255)
    (tmp_path / "cut").mkdir()
    Image.fromarray(pixels).save(tmp_path / "cut" / "a.png")
    cut_outs = cut_outs_of(tmp_path / "cut")
    assert [c.alpha.shape for c in cut_outs] == [(16, 36)]
    settings = PastingSettings(side=80, objects=(1, 1))
    task = banner_task(
        cut_outs, places, tmp_path / "out", images=3, asked=2, seed=1, settings=settings
    )
    assert (len(task.learn), len(task.ask)) == (3, 2)
    kept = sorted((tmp_path / "out").iterdir())
    assert len(kept) == 2
    (kept[0] / "meta.json").unlink()  # as if it had been stopped
    again = banner_task(
        cut_outs, places, tmp_path / "out", images=3, asked=2, seed=1, settings=settings
    )
    assert sorted((tmp_path / "out").iterdir()) == kept
    np.testing.assert_array_equal(again.learn[0].image, task.learn[0].image)
    np.testing.assert_array_equal(again.ask[0].image, task.ask[0].image)
    others = banner_task(
        cut_outs, places, tmp_path / "out", images=3, asked=2, seed=2, settings=settings
    )
    assert any((o.image != t.image).any() for o, t in zip(others.learn, task.learn, strict=True))
    (tmp_path / "one").mkdir()
    (places / "0.png").rename(tmp_path / "one" / "0.png")
    with pytest.raises(ConfigError, match="at least two"):
        banner_task(cut_outs, tmp_path / "one", tmp_path / "out2", images=3, asked=2)
    # A labelled folder gives cut-outs as well, and may be asked about.
    labelled = next(path for path in kept if path.name.startswith("learn-"))
    assert all(isinstance(c, CutOut) for c in cut_outs_of(labelled))
    photos = banner_task(
        cut_outs, tmp_path / "one", tmp_path / "out3", images=2, asked=9, photos=labelled
    )
    assert (len(photos.learn), len(photos.ask)) == (2, 3)


def test_plates_are_boxes_made_masks_once(tmp_path: Path, places: Path, monkeypatch, fill_by_key):
    (tmp_path / "labels").mkdir()
    places.rename(tmp_path / "images")
    for number in range(4):
        (tmp_path / "labels" / f"{number}.txt").write_text("plate 0.5 0.5 0.5 0.5")
    asked = []

    def fill(picture, box):
        asked.append(box)
        mask = np.zeros(picture.original_hw, np.bool_)
        mask[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = True
        return BoxMask(mask, 1.0, 0.9)

    monkeypatch.setattr("vrpsam_app.methods.box_masks.mask_of_box", fill)
    module = FrozenSAM(SAM_TINY)
    fill_by_key(module)
    model = PromptedSAM(SAMPictures(module, device=torch.device("cpu")))
    first, again = (
        plate_task(tmp_path, tmp_path / "out", model, images=2, asked=2, label="plate")
        for _ in range(2)
    )
    assert len(asked) == 4
    assert first.name == "plate"
    assert (len(first.learn), len(first.ask)) == (2, 2)
    np.testing.assert_array_equal(first.learn[0].objects, again.learn[0].objects)
    # Other boxes, another model or no pictures at all are not those masks.
    (tmp_path / "labels" / "0.txt").write_text("plate 0.5 0.5 0.3 0.3")
    plate_task(tmp_path, tmp_path / "out", model, images=2, asked=2, label="plate")
    assert len(asked) == 8
    other = PromptedSAM(SAMPictures(module, device=torch.device("cpu"), sha256="5" * 64))
    plate_task(tmp_path, tmp_path / "out", other, images=2, asked=2, label="plate")
    assert len(asked) == 12
    with pytest.raises(ImageFileError, match="nowhere lacks images"):
        plate_task(tmp_path / "nowhere", tmp_path / "out", model, images=2, asked=2)
