from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Point
from vrpsam_app.methods.pixel_method import Example, expected_iou, has_colour, on_grid, stretched
from vrpsam_app.references import Reference


def test_expected_iou_is_the_mean_over_truths_drawn_from_the_probabilities():
    rng = np.random.default_rng(0)
    probability = rng.random((40, 40)).astype(np.float32)
    mask = probability > 0.5
    drawn = [rng.random((40, 40)) < probability for _ in range(200)]
    mean = np.mean([(mask & t).sum() / (mask | t).sum() for t in drawn])
    assert expected_iou(probability, mask) == pytest.approx(mean, abs=0.002)


@pytest.mark.parametrize(
    ("value", "inside", "expected"), [(0, False, 1), (0.3, False, 0), (1, True, 1)]
)
def test_expected_iou_at_its_ends(value: float, inside: bool, expected: float):
    probability = np.full((3, 3), value, np.float32)
    assert expected_iou(probability, np.full((3, 3), inside)) == expected


def test_a_large_picture_is_seen_small_with_no_mark_lost():
    image = np.zeros((300, 600), np.uint8)
    image[100:200, 100:200] = 200
    marks = [Point(row=150.5, col=150.5, radius=0.5), Box(10, 10, 20, 20, positive=False)]
    example = Example.of(Reference.from_annotations(image, marks), 60, None)
    assert example.picture.shape == (30, 60, 3)
    assert example.positive.sum() == pytest.approx(1 / 100)  # one pixel of a cell of 10 x 10
    assert example.certain.sum() == pytest.approx(1)
    total = example.positive + example.certain + example.weak + example.unmarked
    np.testing.assert_allclose(total, 1, atol=1e-6)
    assert on_grid(example.picture, 60) is example.picture


def test_dim_and_bright_pictures_are_stretched_alike():
    picture = np.random.default_rng(1).integers(0, 60, (50, 50, 3)).astype(np.uint8)
    bright = stretched((picture * 3 + 20).astype(np.uint8))
    np.testing.assert_allclose(stretched(picture), bright, atol=0.02)
    assert (bright.min(), bright.max()) == (0, 1)
    assert not stretched(np.full((4, 4, 3), 80, np.uint8)).any()


def test_colour_is_told_from_grey():
    grey = np.repeat(np.arange(12, dtype=np.uint8).reshape(3, 4, 1), 3, 2)
    colour = grey.copy()
    colour[1, 2, 0] += 1
    assert not has_colour(grey)
    assert has_colour(colour)
