from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Point
from vrpsam_app.errors import MissingExtraError
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.methods.pixel_forest import PixelForest, multiscale_features
from vrpsam_app.references import Reference


def test_it_finds_the_like_of_what_was_marked(scene, marked_light):
    target, truth = scene(1)
    assert iou(PixelForest().predict(target, marked_light).mask, truth) > 0.5


def test_not_this_lowers_a_look_alike(scene):
    picture, _ = scene()
    target = scene(1)[0]
    dark = Box(44, 56, 56, 72)
    both = [Point(15, 14), Point(50, 64)]
    shown = Reference.from_annotations(picture, both)
    against = Reference.from_annotations(picture, [dark]).as_not_this()
    forest = PixelForest()
    block = np.s_[46:54, 58:70]
    with_it = forest.predict(target, shown).probability[block].mean()
    without = forest.predict(target, [shown, against]).probability[block].mean()
    assert without < with_it - 0.1


def test_a_picture_that_is_object_all_over_gives_everything(scene):
    picture, light = scene()
    all_of_it = Reference.from_mask(picture, np.ones_like(light), exhaustive=True)
    assert PixelForest().predict(scene(1)[0], all_of_it).mask.all()


def test_features_are_those_of_grey_or_of_each_channel(scene):
    picture, _ = scene()
    colour = multiscale_features(picture, colour=True)
    grey = multiscale_features(picture, colour=False)
    assert colour.shape == (60, 80, 3 * grey.shape[2])
    assert grey.dtype == np.float32
    assert multiscale_features(picture[:1, :2], colour=True).shape[:2] == (1, 2)


def test_a_missing_scikit_learn_is_named(monkeypatch):
    monkeypatch.setattr("vrpsam_app.methods.pixel_forest.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"vrpsam-app\[evaluate\]"):
        PixelForest()
