from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Mask, Point
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import AnnotationError, ConfigError, ImageError
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.methods.automatic_masks import AutomaticSettings
from vrpsam_app.methods.plain_sam import PlainSAM
from vrpsam_app.references import Reference

BLOCK = np.s_[8:22, 6:22]


@pytest.fixture
def sam(region_sam) -> PlainSAM:
    return PlainSAM(region_sam, settings=AutomaticSettings(points_per_side=12, least_stability=0.8))


def block() -> np.ndarray:
    mask = np.zeros((60, 80), bool)
    mask[BLOCK] = True
    return mask


@pytest.mark.parametrize(
    "mark", [Point(15, 14), Box(7, 5, 23, 23), Mask(block())], ids=["point", "box", "mask"]
)
def test_prompts_on_the_target_are_answered(sam, scene, mark):
    found = sam.segment(scene()[0], Corrections((mark,)))
    assert found.present
    assert iou(found.mask, block()) > 0.85
    assert found.score == pytest.approx(0.9)


def test_an_earlier_mask_is_a_prompt(sam, region_sam, scene):
    logits = np.where(block(), 5.0, -5.0)
    sam.segment(scene()[0], Corrections((), logits))
    (asked,) = region_sam.asked
    assert asked.mask_logits is not None
    assert not len(asked.points_xy)


def test_without_prompts_everything_is_found(sam, scene):
    found = sam.segment(scene()[0])
    assert found.instance_labels.max() == 5
    assert found.mask.mean() > 0.95
    numbers = {
        int(found.instance_labels[r, c]) for r, c in ((15, 14), (35, 28), (20, 58), (50, 64))
    }
    assert len(numbers) == 4
    assert found.instance_labels[2, 2] not in numbers


def test_a_reference_on_the_target_itself_is_a_prompt(sam, scene, outlined):
    picture, light = scene()
    clicked = Reference.from_annotations(picture, [Point(15, 14), Point(35, 28)])
    found = sam.predict(picture, clicked)
    assert found.instance_labels.max() == 2
    assert iou(found.mask, light & (np.arange(80) < 40)) > 0.85
    elsewhere = sam.predict(scene(1)[0], clicked)
    assert elsewhere.instance_labels.max() == 5  # nothing is known of this picture
    assert iou(sam.predict(picture, outlined).mask, light) > 0.85


def test_nothing_found_is_absent(region_sam, scene):
    sure = PlainSAM(region_sam, settings=AutomaticSettings(points_per_side=2, least_score=0.99))
    found = sure.segment(scene()[0])
    assert not found.present
    assert found.presence == 0
    assert not found.mask.any()


def test_a_stack_is_refused(sam):
    with pytest.raises(ImageError):
        sam.segment(np.zeros((9, 20, 20), np.uint8))


def test_settings_that_make_no_sense_are_refused(sam, scene):
    with pytest.raises(AnnotationError, match="mask_logits has 9 x 9 pixels"):
        sam.segment(scene()[0], Corrections((), np.zeros((9, 9))))
    with pytest.raises(ConfigError, match="Threshold is 2"):
        sam.segment(scene()[0], threshold=2)
