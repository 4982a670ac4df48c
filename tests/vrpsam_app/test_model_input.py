"""Between a picture's pixels and the model's: sizes, marks, points and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vrpsam_app.annotations import Point
from vrpsam_app.config import EMBEDDED_CONFIG, paper_config
from vrpsam_app.model_input import InputGeometry
from vrpsam_app.models.resize import pool_mask
from vrpsam_app.references import Reference


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        ((512, 512), (512, 512)),
        ((303, 384), (416, 512)),
        ((4000, 1000), (512, 128)),
        ((60, 60), (256, 256)),
        ((1, 500), (32, 512)),
        ((5, 5), (32, 32)),
    ],
)
def test_the_longest_side_fits_and_sides_are_multiples_of_32(
    original: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert InputGeometry.of(original, EMBEDDED_CONFIG).input_hw == expected


def test_the_paper_squashes() -> None:
    assert InputGeometry.of((300, 700), paper_config()).input_hw == (512, 512)


def test_a_click_on_a_huge_picture_reaches_the_coarsest_grid() -> None:
    image = np.zeros((6000, 6000), np.uint8)
    reference = Reference.from_annotations(image, [Point(3000.5, 100.5, radius=0.5)])
    assert reference.positive.sum() == 1
    marks = InputGeometry.of((6000, 6000), EMBEDDED_CONFIG).marks(reference)
    cells = pool_mask(marks[:, :1], (64, 64))
    assert float(cells.sum()) > 0
    assert int(cells.argmax()) == 32 * 64 + 1


def test_an_object_of_five_pixels_keeps_its_area() -> None:
    mask = np.zeros((512, 512), bool)
    mask[101:106, 203] = True
    reference = Reference.from_mask(np.zeros((512, 512), np.uint8), mask)
    marks = InputGeometry.of((512, 512), EMBEDDED_CONFIG).marks(reference)
    assert float(pool_mask(marks[:, :1], (64, 64)).sum()) * 64 == pytest.approx(5, rel=1e-3)


def test_points_scale_with_the_picture() -> None:
    geometry = InputGeometry.of((303, 384), EMBEDDED_CONFIG)
    points = geometry.points(np.array([[384.0, 303.0], [0.0, 0.0]], np.float32))
    torch.testing.assert_close(points, torch.tensor([[[512.0, 416.0], [0.0, 0.0]]]))


def test_logits_come_back_where_they_belong() -> None:
    geometry = InputGeometry.of((300, 600), EMBEDDED_CONFIG)
    logits = torch.full((1, 1, 128, 256), -4.0)
    logits[..., 32:64, 128:192] = 4.0
    full = geometry.to_original(logits, align_corners=False) > 0
    assert full.shape == (300, 600)
    rows, cols = np.nonzero(full)
    assert abs(rows.min() - 75) <= 1
    assert abs(rows.max() - 149) <= 1
    assert abs(cols.min() - 300) <= 1
    assert abs(cols.max() - 449) <= 1
