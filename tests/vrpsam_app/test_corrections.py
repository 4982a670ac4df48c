"""Corrections become SAM's own clicks and box, in (x, y)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vrpsam_app.annotations import Box, Point, Scribble
from vrpsam_app.corrections import SCRIBBLE_CLICKS, Corrections
from vrpsam_app.errors import AnnotationError


def test_points_turn_to_xy() -> None:
    corrections = Corrections((Point(row=3, col=8), Point(row=1, col=2, positive=False)))
    points, labels = corrections.clicks_xy()
    np.testing.assert_array_equal(points, [[8, 3], [2, 1]])
    np.testing.assert_array_equal(labels, [1, 0])


def test_a_scribble_becomes_clicks_along_it() -> None:
    line = Scribble(((0.0, 0.0), (0.0, 10.0), (10.0, 10.0)), width=3)
    points, labels = Corrections((line,)).clicks_xy()
    assert points.shape == (SCRIBBLE_CLICKS, 2)
    assert set(labels) == {1}
    np.testing.assert_allclose(points[0], [0, 0])
    np.testing.assert_allclose(points[-1], [10, 10])
    assert all(x == 10 or y == 0 for x, y in points)


def test_a_scribble_of_one_place_is_one_click() -> None:
    points, _ = Corrections((Scribble(((4.0, 5.0), (4.0, 5.0))),)).clicks_xy()
    np.testing.assert_array_equal(points, [[5, 4]])


def test_one_box_at_most() -> None:
    box = Box(top=1, left=2, bottom=3, right=4)
    found = Corrections((box,)).box_xyxy()
    assert found is not None
    np.testing.assert_array_equal(found, [2, 1, 4, 3])
    assert Corrections().box_xyxy() is None
    with pytest.raises(AnnotationError, match="2 boxes"):
        Corrections((box, box)).box_xyxy()


def test_they_hold_annotations_and_finite_logits() -> None:
    assert Corrections([Point(1, 2)]).annotations == (Point(1, 2),)  # type: ignore[arg-type]
    with pytest.raises(AnnotationError, match=r"annotations\[0\] is \(1, 1\)"):
        Corrections(((1, 1),))  # type: ignore[arg-type]
    for logits, message in (
        (np.full((4, 5), np.nan), "NaN or infinity"),
        (np.full((4, 5), np.inf), "NaN or infinity"),
        (np.zeros((1, 4, 5)), r"shape \(1, 4, 5\)"),
        (np.zeros((4, 5), np.bool_), "type bool"),
        (torch.zeros(4, 5, requires_grad=True), "no array"),
    ):
        with pytest.raises(AnnotationError, match=message):
            Corrections((), logits)  # type: ignore[arg-type]
