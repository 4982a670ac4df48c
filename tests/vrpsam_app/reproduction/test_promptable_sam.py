"""Prompts on scenes, and what the small SAM is told about its answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.reproduction.promptable_sam import (
    PromptBatch,
    PromptSource,
    likeness_loss,
    objects_of,
    prompt_losses,
    train_sam,
)
from vrpsam_app.reproduction.scene_folds import ScenePictures, draw_scenes
from vrpsam_app.reproduction.small_scale import SmallScale

SETTINGS = SmallScale(size=64)


@pytest.fixture(scope="module")
def scenes() -> ScenePictures:
    worlds = ("coins", "nuclei", "shapes")
    return draw_scenes("few", worlds, groups=3, images=2, size=64, first_seed=3)


@pytest.fixture
def batch(scenes: ScenePictures) -> PromptBatch:
    return PromptSource(scenes)(np.random.default_rng(1), 3, 4, clicks=3)


def test_prompts_belong_to_their_masks(batch: PromptBatch) -> None:
    assert batch.images.shape == (3, 64, 64, 3)
    assert batch.masks.shape == (12, 1, 64, 64)
    for points, labels, box, mask in zip(
        batch.points_xy, batch.labels, batch.boxes_xyxy, batch.masks[:, 0], strict=True
    ):
        made = points[labels == 1].long()
        assert len(made) >= 1
        assert mask[made[:, 1], made[:, 0]].all()
        left, top, right, bottom = box.long().tolist()
        assert mask[top:bottom, left:right].sum() == mask.sum()
        assert mask[top].any()
        assert mask[:, right - 1].any()
    assert (batch.labels == -1).any()


def test_pictures_are_turned_with_their_labels(scenes: ScenePictures) -> None:
    draw = PromptSource(scenes)
    batch = draw(np.random.default_rng(0), 8, 1, clicks=1)
    known = {image.tobytes() for image in scenes.images}
    assert sum(image.numpy().tobytes() not in known for image in batch.images) >= 4
    assert (batch.labels == 1).all()


def test_objects_are_listed_with_their_class() -> None:
    classes = np.zeros((32, 32), np.int16)
    instances = np.zeros((32, 32), np.int16)
    instances[:8], instances[20:30], instances[10:16, 10:16] = 3, 9, 5
    classes[instances > 0] = 1
    classes[instances == 5] = 2
    instances[31, :3], classes[31, :3] = 7, 2  # too small
    found = objects_of(instances, classes)
    assert found.numbers.tolist() == [3, 5, 9]
    assert found.kinds.tolist() == [1, 2, 1]
    assert found.areas.tolist() == [256, 36, 320]


def test_several_clicks_are_on_objects_of_one_kind() -> None:
    classes = np.zeros((32, 32), np.int16)
    instances = np.zeros((32, 32), np.int16)
    for number in range(1, 7):
        block = slice(5 * number - 4, 5 * number), slice(0, 5)
        instances[block], classes[block] = number, 1 + number % 2
    found = objects_of(instances, classes)
    rng = np.random.default_rng(0)
    for most in (1, 2, 3, 9):
        chosen = found.choose(rng, most)
        assert len(set(chosen)) == len(chosen) == min(most, 3)
        assert len({number % 2 for number in chosen}) == 1


def test_likeness_is_right_where_the_embedding_is() -> None:
    masks = torch.zeros(4, 1, 64, 64)  # two for each picture
    masks[0, :, :24, :32], masks[1, :, 40:, 8:] = 1, 1
    masks[2, :, :, :16], masks[3, :, :, 48:] = 1, 1
    grid = torch.nn.functional.adaptive_avg_pool2d(masks, 8).reshape(2, 2, 8, 8)
    right = torch.cat((grid, 1 - grid.sum(1, keepdim=True)), 1)
    wrong = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert likeness_loss(right, masks) < 0.05
    assert likeness_loss(wrong, masks) > 0.5
    assert likeness_loss(right.flip(0), masks) > 0.5


def test_all_that_is_minimised_reaches_all_parts(batch: PromptBatch) -> None:
    torch.manual_seed(0)
    sam = FrozenSAM(SETTINGS.sam).unfreeze()
    for by_box in (False, True):
        prompt_losses(sam, batch, by_box=by_box, device=torch.device("cpu"))["loss"].backward()
    # Neither masks nor clicks beside the object are prompts here.
    unused = ("mask_downscaling", "point_embeddings.0")
    still = [
        name
        for name, p in sam.named_parameters()
        if (p.grad is None or not p.grad.any()) and not any(u in name for u in unused)
    ]
    assert still == []


def test_training_twice_gives_the_same_file(scenes: ScenePictures, tmp_path: Path) -> None:
    files = [
        train_sam(
            SETTINGS.sam,
            scenes,
            tmp_path / name / "sam.safetensors",
            steps=2,
            seed=4,
            device=torch.device("cpu"),
            report=[].append,
        )
        for name in ("one", "two")
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
