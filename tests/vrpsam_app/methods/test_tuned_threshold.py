from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Point
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.methods.pixel_method import Example
from vrpsam_app.methods.tuned_threshold import (
    ALL_RULES,
    CHANNELS,
    GREY_RULES,
    ThresholdRule,
    TunedThreshold,
    channel_of,
)
from vrpsam_app.references import Reference


def example(reference: Reference) -> Example:
    return Example.of(reference, TunedThreshold.working_side, None)


def test_the_polarity_follows_the_marks(scene):
    picture, light = scene()
    target, truth = scene(1)
    method = TunedThreshold()
    for marked, wanted in ((light, truth), (~light, ~truth)):
        reference = Reference.from_mask(picture, marked, exhaustive=True)
        assert iou(method.predict(target, reference).mask, wanted) > 0.9


@pytest.mark.parametrize("mark", [Point(15, 14), Box(8, 6, 22, 22)], ids=["point", "box"])
def test_one_marked_object_is_enough(scene, mark):
    picture, _ = scene()
    target, truth = scene(1)
    found = TunedThreshold().predict(target, Reference.from_annotations(picture, [mark]))
    assert iou(found.mask, truth) > 0.9


def test_the_channel_follows_the_marks():
    picture = np.full((40, 60, 3), 120, np.uint8)
    red, blue = np.zeros((2, 40, 60), bool)
    red[5:20, 5:20], blue[10:30, 35:50] = True, True
    # Equally light on average, so that only colour tells them apart.
    picture[red], picture[blue] = (200, 80, 80), (80, 80, 200)
    method = TunedThreshold()
    for wanted in (red, blue):
        reference = Reference.from_mask(picture, wanted, exhaustive=True)
        assert iou(method.predict(picture, reference).mask, wanted) == 1


def test_the_best_rule_is_the_one_with_the_best_iou(scene):
    picture, light = scene()
    reference = Reference.from_mask(picture, light, exhaustive=True)
    chosen = TunedThreshold().choose([example(reference)], ALL_RULES)
    ious = [iou(rule.distance(picture) > 0, light) for rule in ALL_RULES]
    assert ALL_RULES.index(chosen) == int(np.argmax(ious))


def test_a_local_threshold_follows_the_light():
    rows = np.linspace(0, 150, 120)[:, None]
    dots = np.zeros((120, 120), bool)
    for row, col in np.ndindex(6, 6):
        dots[8 + 20 * row : 14 + 20 * row, 8 + 20 * col : 14 + 20 * col] = True
    picture = np.repeat((rows + 40.0 * dots)[..., None], 3, 2).astype(np.uint8)
    found = {
        rule: iou(ThresholdRule("grey", 0.0, rule, True).distance(picture) > 0, dots)
        for rule in ("otsu", "local")
    }
    assert found["local"] > 2 * found["otsu"]


@pytest.mark.parametrize("rule", GREY_RULES, ids=str)
def test_a_constant_picture_has_nothing_inside(rule: ThresholdRule):
    assert not (rule.distance(np.full((9, 9, 3), 80, np.uint8)) > 0).any()


def test_polarities_are_opposite(scene):
    for rule in ALL_RULES[::4]:
        assert rule.bright
        dark = ThresholdRule(rule.channel, rule.blur, rule.rule, False)
        np.testing.assert_array_equal(rule.distance(scene()[0]), -dark.distance(scene()[0]))


def test_channels_by_hand():
    picture = np.array([[[255, 0, 0], [0, 0, 255], [120, 60, 60], [70, 70, 70]]], np.uint8)
    expected = {
        "grey": (85, 85, 80, 70),
        "red": (255, 0, 120, 70),
        "green": (0, 0, 60, 70),
        "blue": (0, 255, 60, 70),
        "saturation": (1, 1, 0.5, 0),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(channel_of(picture, name)[0], values, atol=1e-4)
    # CIE Lab of the primaries of sRGB under D65, as tables print them.
    lab = {"red_green": (80.09, 79.19), "yellow_blue": (67.20, -107.86)}
    for name, values in lab.items():
        found = channel_of(picture, name)[0]
        np.testing.assert_allclose(found[:2], values, atol=0.05)
        assert found[2] > 1
        assert abs(found[3]) < 0.05
    assert set(expected) | set(lab) == set(CHANNELS)
