"""Classes told apart across pictures."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vrpsam_app.models.semantic_encoder import build_semantic_encoder
from vrpsam_app.reproduction.experiments import Variant
from vrpsam_app.reproduction.scene_folds import ScenePictures, draw_scenes
from vrpsam_app.reproduction.semantic_training import GroupSource, class_losses, train_backbone
from vrpsam_app.reproduction.small_scale import SmallScale


@pytest.fixture(scope="module")
def scenes() -> ScenePictures:
    worlds = ("coins", "nuclei", "shapes")
    return draw_scenes("few", worlds, groups=3, images=3, size=64, first_seed=3)


def halves() -> torch.Tensor:
    """Return classes of one group of two pictures: background left, class 1 right, no class 2."""
    classes = torch.zeros(2, 3, 32, 32)
    classes[:, 0, :, :16], classes[:, 1, :, 16:] = 1, 1
    return classes


def test_features_that_are_the_classes_are_right() -> None:
    classes = halves()
    features = torch.nn.functional.adaptive_avg_pool2d(classes, 4)
    figures = class_losses(features, classes, 2)
    assert figures["loss"] < 1e-3
    assert figures["accuracy"] == 1


def test_features_that_say_nothing_cost_the_logarithm_of_the_classes_shown() -> None:
    figures = class_losses(torch.ones(2, 5, 4, 4), halves(), 2)
    assert figures["loss"].item() == pytest.approx(math.log(2), abs=1e-4)


def test_a_class_that_the_first_picture_lacks_does_not_count() -> None:
    classes = halves()
    classes[1, 2, :8], classes[1, :2, :8] = 1, 0  # the second picture shows class 2 as well
    features = torch.nn.functional.adaptive_avg_pool2d(classes, 4)
    assert class_losses(features, classes, 2)["loss"] < 1e-3


def test_groups_are_drawn_with_their_classes(scenes: ScenePictures) -> None:
    images, classes = GroupSource(scenes)(np.random.default_rng(0), 4, 2)
    assert images.shape == (8, 64, 64, 3)
    assert classes.shape[::2] == (8, 64)
    assert torch.equal(classes.sum(1), torch.ones(8, 64, 64))
    place = {image.tobytes(): i for i, image in enumerate(scenes.images)}
    for image, shown in zip(images, classes, strict=True):
        truth = scenes.classes[place[image.numpy().tobytes()]]
        assert np.array_equal(shown[0].numpy() > 0, truth == 0)


def test_the_file_fills_the_semantic_encoder(scenes: ScenePictures, tmp_path) -> None:
    from vrpsam_app.models.foundation import read_weights

    file = train_backbone(
        "small_vgg",
        scenes,
        tmp_path / "small_vgg.safetensors",
        steps=1,
        seed=0,
        device=torch.device("cpu"),
        report=[].append,
    )
    config = SmallScale(size=64).model(Variant(benchmark="coco20i", backbone="vgg16")).vrp_encoder
    encoder = build_semantic_encoder(config)
    encoder.load_state_dict(read_weights(file))
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    middle, state = encoder.middle_features(images)
    assert middle.shape == (1, encoder.middle_channels, 8, 8)
    assert encoder.high_features(state).min() >= 0
