"""Boundary points, and how far a predicted boundary is from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vrpsam_app.models.boundary_matching import (
    REACH,
    BoundaryPoints,
    boundary_distance,
    boundary_points,
)


def disc(radius: float, side: int = 48) -> np.ndarray:
    """Shares of a disc in the middle."""
    fine = (np.arange(side * 4) + 0.5) / 4 - side / 2
    inside = (np.hypot(fine[:, None], fine[None]) < radius).astype(np.float32)
    return inside.reshape(side, 4, side, 4).mean((1, 3))


def logits_of(shares: np.ndarray, sharpness: float = 40.0) -> torch.Tensor:
    return torch.from_numpy((shares - 0.5) * sharpness).float()[None, None]


def test_points_lie_on_the_boundary_evenly_and_look_outward():
    points = boundary_points(disc(12.0), 80)
    from_middle = points.points_xy[0].numpy() - 24
    radius = np.hypot(*from_middle.T)
    np.testing.assert_allclose(radius, 12.0, atol=0.25)
    outward = (points.outward_xy[0].numpy() * from_middle / radius[:, None]).sum(1)
    assert outward.min() > 0.9
    angles = np.sort(np.arctan2(from_middle[:, 1], from_middle[:, 0]))
    np.testing.assert_allclose(np.diff(angles), 2 * np.pi / 80, rtol=0.25)


@pytest.mark.parametrize("moved", [-3.0, -1.5, 0.0, 1.0, 2.5])
def test_the_distance_is_that_of_the_boundaries(moved: float):
    truth = boundary_points(disc(12.0), 80)
    found = boundary_distance(logits_of(disc(12.0 + moved)), truth, looks=65)
    assert float(found) * REACH**2 == pytest.approx(moved**2, abs=0.35)


def test_nothing_found_counts_one_and_the_reverse_two():
    truth = boundary_points(disc(12.0))
    empty = torch.full((1, 1, 48, 48), -40.0)
    assert float(boundary_distance(empty, truth)) == pytest.approx(1.0, abs=1e-4)
    assert float(boundary_distance(-logits_of(disc(12.0), 400), truth)) > 1.8


def test_a_blurred_boundary_is_worse_than_a_sharp_one():
    truth = boundary_points(disc(12.0))
    sharp, soft = (float(boundary_distance(logits_of(disc(12.0), s), truth)) for s in (40, 1))
    assert sharp < 0.02 < soft


def test_gradients_pull_the_boundary_to_the_truth():
    truth = boundary_points(disc(12.0))
    small = logits_of(disc(10.0), 6).requires_grad_(True)
    boundary_distance(small, truth).sum().backward()
    rows = np.hypot(*(np.mgrid[:48, :48] + 0.5 - 24))
    between = torch.from_numpy((rows > 10.5) & (rows < 11.5))
    assert float(small.grad[0, 0][between].mean()) < 0


def test_objects_at_the_border_have_no_boundary_there():
    shares = np.zeros((20, 30), np.float32)
    shares[:, :10] = 1
    points = boundary_points(shares, 16).points_xy[0]
    np.testing.assert_allclose(points[:, 0], 10.0, atol=1e-5)
    np.testing.assert_allclose(
        boundary_points(shares, 16).outward_xy[0], [[1.0, 0.0]] * 16, atol=1e-5
    )


def test_small_objects_have_a_boundary_and_nothing_has_none():
    shares = np.zeros((12, 12), np.float32)
    assert boundary_points(shares, 8).points_xy.shape == (0, 8, 2)
    assert boundary_points(np.ones((12, 12), np.float32), 8).points_xy.shape == (0, 8, 2)
    shares[5, 6] = 0.2
    points = boundary_points(shares, 8).points_xy[0]
    assert float((points - torch.tensor([6.5, 5.5])).norm(dim=1).max()) < 1.0


def test_objects_are_joined_and_kept_apart():
    both = BoundaryPoints.stack([boundary_points(disc(12.0)), boundary_points(disc(6.0))])
    logits = torch.cat([logits_of(disc(12.0)), logits_of(disc(6.0))])
    right = boundary_distance(logits, both.to(torch.device("cpu")))
    wrong = boundary_distance(logits.flip(0), both)
    assert float(right.max()) < 0.02 < 0.5 < float(wrong.min())
