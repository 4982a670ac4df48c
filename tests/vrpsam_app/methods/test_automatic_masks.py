from __future__ import annotations

import numpy as np
import pytest
import torch

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.methods.automatic_masks import AutomaticSettings, automatic_masks
from vrpsam_app.methods.found_objects import box_of

# The stand-in's regions are small on its grid, so that their rims weigh much.
FEW = AutomaticSettings(points_per_side=12, least_stability=0.8)


def test_every_region_is_found_once(region_sam, scene):
    picture, light = scene()
    found = automatic_masks(region_sam, region_sam.encode(picture), FEW)
    assert len(found) == 5  # the ground, three light blocks, a dark one
    areas = [int((o.logits > 0).sum()) for o in found]
    assert areas == sorted(areas, reverse=True)
    masks = [
        (region_sam.encode(picture).grid.resized(o.logits[None, None])[0, 0] > 0).numpy()
        for o in found
    ]
    for top, left in ((8, 6), (30, 20), (12, 50)):
        block = np.zeros_like(light)
        block[top : top + 14, left : left + 16] = True
        assert max(iou(m, block) for m in masks) > 0.85


def test_bad_and_unsteady_masks_are_dropped(region_sam, scene):
    picture = region_sam.encode(scene()[0])
    sure = AutomaticSettings(points_per_side=4, least_score=0.95)
    assert automatic_masks(region_sam, picture, sure) == []
    all_scales = AutomaticSettings(points_per_side=12, least_score=0.4, least_stability=0.8)
    assert len(automatic_masks(region_sam, picture, all_scales)) > 5
    steep = region_sam.ask

    def soft(*arguments):
        answers = steep(*arguments)
        return type(answers)(answers.logits / 9, answers.scores)

    region_sam.ask = soft
    assert automatic_masks(region_sam, picture, FEW) == []


def test_small_ones_can_be_left_out(region_sam, scene):
    picture = region_sam.encode(scene()[0])
    large = AutomaticSettings(points_per_side=12, least_area=0.5)
    (ground,) = automatic_masks(region_sam, picture, large)
    assert box_of(picture.grid.of_picture(ground.logits[None])[0] > 0) == (0, 0, 128, 96)


def test_clicks_cover_the_picture_evenly(region_sam, scene):
    automatic_masks(region_sam, region_sam.encode(scene()[0]), AutomaticSettings(points_per_side=2))
    points = torch.tensor(np.concatenate([p.points_xy for p in region_sam.asked]))
    assert points.tolist() == [[20, 15], [60, 15], [20, 45], [60, 45]]


def test_no_clicks_are_refused():
    with pytest.raises(ConfigError, match="points_per_side is 0"):
        AutomaticSettings(points_per_side=0)
