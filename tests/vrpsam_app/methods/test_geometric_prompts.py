from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Point
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import ConfigError
from vrpsam_app.methods.geometric_prompts import POINTS, GeometricPrompts, prompts_of

HW = (80, 120)


def pseudo_mask(*blocks: tuple[int, int, int, int]) -> np.ndarray:
    """Draw blocks (top, left, bottom, right) of 0.9 on a slope below 0.2, shape (40, 60)."""
    drawn = np.linspace(0, 0.2, 60, dtype=np.float32)[None].repeat(40, 0)
    for top, left, bottom, right in blocks:
        drawn[top:bottom, left:right] = 0.9
    return drawn


def test_points_lie_on_and_beside_the_object_and_apart():
    drawn = pseudo_mask((5, 10, 25, 50))
    points = prompts_of(drawn, HW, "points")
    assert [p.positive for p in points] == [True] * POINTS + [False] * POINTS
    for p in points:
        inside = 10 <= p.row < 50 and 20 <= p.col < 100
        assert inside == p.positive
    for i, p in enumerate(points[:POINTS]):
        for q in points[:i]:
            assert np.hypot(p.row - q.row, p.col - q.col) > 0.1 * 120
    # The least likely place is the left edge of the slope.
    assert points[POINTS].col == 1.0


def test_a_point_is_the_middle_of_its_cell():
    drawn = pseudo_mask()
    drawn[7, 11] = 1.0
    (first, *_) = prompts_of(drawn, HW, "points")
    assert (first.row, first.col) == (15.0, 23.0)


def test_the_box_encloses_the_object_and_no_speck():
    drawn = pseudo_mask((5, 10, 25, 30), (10, 40, 20, 50), (38, 58, 39, 59))
    (box,) = prompts_of(drawn, HW, "box")
    assert (box.top, box.left, box.bottom, box.right) == (10, 20, 50, 100)


def test_both_are_points_and_a_box():
    drawn = pseudo_mask((5, 10, 25, 30))
    assert prompts_of(drawn, HW, "both") == (
        *prompts_of(drawn, HW, "points"),
        *prompts_of(drawn, HW, "box"),
    )


def test_the_scale_of_the_pseudo_mask_does_not_matter():
    drawn = pseudo_mask((5, 10, 25, 30))
    assert prompts_of(0.3 + 0.1 * drawn, HW, "both") == prompts_of(drawn, HW, "both")


def test_a_pseudo_mask_without_shape_still_gives_prompts():
    flat = np.full((8, 8), 0.4, np.float32)
    *points, box = prompts_of(flat, (16, 16), "both")
    assert points
    assert all(p.positive for p in points)
    assert (box.top, box.left, box.bottom, box.right) == (0, 0, 16, 16)


@pytest.mark.parametrize("kind", ["points", "box", "both"])
def test_a_model_whose_decoder_hears_no_prompts_is_refused(small_predictor, kind):
    with pytest.raises(ConfigError, match="points and boxes would change nothing"):
        GeometricPrompts(small_predictor, kind)


@pytest.mark.parametrize("kind", ["points", "box", "both"])
def test_the_decoder_hears_the_prompts_and_no_visual_ones(paper_predictor, scene, outlined, kind):
    target, _ = scene(1)
    found = GeometricPrompts(paper_predictor, kind).predict(target, outlined)
    first = paper_predictor.predict(target, outlined)
    asked = Corrections(prompts_of(first.pseudo_mask, target.shape[:2], kind))
    by_hand = paper_predictor.predict_from_prompts(target, [outlined], asked)
    np.testing.assert_array_equal(found.probability, by_hand.probability)
    assert np.abs(found.probability - first.probability).max() > 0
    # What the references show is the same; only the decoder was told otherwise.
    np.testing.assert_array_equal(found.pseudo_mask, first.pseudo_mask)


def test_points_and_box_are_different_questions(paper_predictor, scene, outlined):
    answers = [
        GeometricPrompts(paper_predictor, kind).predict(scene(1)[0], outlined).probability
        for kind in ("points", "box", "both")
    ]
    assert all(np.abs(answers[i] - answers[i - 1]).max() > 0 for i in range(3))


def test_prompts_are_no_marks_to_learn_from(small_predictor, scene, outlined):
    target, _ = scene(1)
    click = Corrections((Point(50, 64),))
    prompted = small_predictor.predict_from_prompts(target, outlined, click)
    corrected = small_predictor.predict(target, outlined, corrections=click)
    alone = small_predictor.predict(target, outlined)
    np.testing.assert_array_equal(prompted.pseudo_mask, alone.pseudo_mask)
    assert np.abs(corrected.pseudo_mask - alone.pseudo_mask).max() > 0


def test_a_persons_own_box_takes_the_place_of_the_made_one(paper_predictor, scene, outlined):
    target, _ = scene(1)
    own = Corrections((Box(40, 50, 58, 76),))
    found = GeometricPrompts(paper_predictor, "box").predict(target, outlined, corrections=own)
    assert found.mask.shape == target.shape[:2]
    without = GeometricPrompts(paper_predictor, "box").predict(target, outlined)
    assert np.abs(found.probability - without.probability).max() > 0
