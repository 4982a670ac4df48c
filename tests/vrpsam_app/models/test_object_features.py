from __future__ import annotations

import pytest
import torch

from vrpsam_app.models.object_features import cosine_map, mean_vector, part_vectors


def test_the_mean_counts_by_weight():
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    torch.testing.assert_close(
        mean_vector(rows, torch.tensor([3.0, 1.0])), torch.tensor([0.75, 0.25])
    )


def test_parts_are_the_groups_that_there_are():
    g = torch.Generator().manual_seed(0)
    centres = torch.eye(3)
    rows = torch.cat([centres[i] + 0.05 * torch.randn(20, 3, generator=g) for i in range(3)])
    parts = part_vectors(5 * rows, torch.ones(60), 3)
    torch.testing.assert_close(parts.norm(dim=1), torch.ones(3))
    assert sorted((parts @ centres.T).argmax(1).tolist()) == [0, 1, 2]
    assert float((parts @ centres.T).amax(1).min()) > 0.99


def test_alike_rows_are_one_part_and_few_rows_few():
    alike = torch.ones(9, 4)
    assert part_vectors(alike, torch.ones(9), 3).shape == (1, 4)
    assert part_vectors(torch.eye(4)[:2], torch.ones(2), 3).shape == (2, 4)


def test_weights_move_a_part():
    rows = torch.tensor([[1.0, 0.0], [0.9, 0.4], [-1.0, 0.0]])
    heavy = part_vectors(rows, torch.tensor([0.01, 1.0, 1.0]), 2)
    towards = torch.nn.functional.normalize(rows[1], dim=0)
    assert float((heavy @ towards).max()) > 0.999


def test_cosines_of_cells():
    features = torch.zeros(1, 2, 1, 3)
    features[0, :, 0, 0] = torch.tensor([2.0, 0.0])
    features[0, :, 0, 1] = torch.tensor([3.0, 3.0])
    found = cosine_map(features, torch.eye(2))
    assert found.shape == (2, 1, 3)
    assert found[0, 0].tolist() == pytest.approx([1, 0.5**0.5, 0])
