from __future__ import annotations

import numpy as np

from vrpsam_app.annotations import Box, Point
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.methods.training_free_prior import TrainingFreePrior
from vrpsam_app.references import Reference


def test_it_finds_the_like_of_what_was_marked(scene, marked_light):
    target, truth = scene(1)
    assert iou(TrainingFreePrior().predict(target, marked_light).mask, truth) > 0.6


def test_a_dim_target_is_answered_like_a_bright_one(scene):
    picture, light = scene()
    target, truth = scene(1)
    method = TrainingFreePrior()
    reference = Reference.from_mask(picture, light, exhaustive=True)
    dim = (target // 5).astype(np.uint8)
    assert iou(method.predict(dim, reference).mask, truth) > 0.6


def test_not_this_lowers_a_look_alike(scene):
    picture, _ = scene()
    target = scene(1)[0]
    shown = Reference.from_annotations(picture, [Point(15, 14), Point(50, 64)])
    against = Reference.from_annotations(picture, [Box(44, 56, 56, 72)]).as_not_this()
    method = TrainingFreePrior()
    block = np.s_[46:54, 58:70]
    alone = method.predict(target, shown).probability[block].mean()
    assert method.predict(target, [shown, against]).probability[block].mean() < alone - 0.05


def test_another_seed_is_another_method():
    said = [TrainingFreePrior(seed=seed).describe()["settings"] for seed in (0, 1)]
    assert said[0] != said[1]
