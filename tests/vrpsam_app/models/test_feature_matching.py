from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from vrpsam_app.models import feature_matching
from vrpsam_app.models.feature_matching import match_both_ways


def kinds(*numbers: int) -> torch.Tensor:
    """Return unit rows of kinds 0 to 3, each a little different from the others of its kind."""
    g = torch.Generator().manual_seed(sum(numbers))
    return F.normalize(
        torch.eye(4)[list(numbers)] + 0.05 * torch.randn(len(numbers), 4, generator=g)
    )


def test_what_resembles_the_object_is_like_it():
    reference = kinds(0, 0, 1, 1, 2, 2)
    likeness = torch.tensor([1.0, 1, 0, 0, 0, 0])
    found = match_both_ways(kinds(1, 0, 2, 0), reference, likeness, likeness)
    assert found.likeness.round().tolist() == [0, 1, 0, 1]
    assert found.similarity > 0.98
    assert found.hits.sum() == pytest.approx(1)
    assert found.hits[[0, 2]].tolist() == [0, 0]


def test_an_absent_object_is_not_found_again():
    reference = kinds(0, 0, 1, 1, 2, 2)
    likeness = torch.tensor([1.0, 1, 0, 0, 0, 0])
    found = match_both_ways(kinds(1, 2, 1, 2), reference, likeness, likeness)
    assert found.hits.sum() == pytest.approx(0)
    assert found.similarity < 0.3


def test_nobody_said_is_half_a_yes():
    likeness = torch.tensor([1.0, 0.5, 0.0])
    positive = torch.tensor([1.0, 0.0, 0.0])
    found = match_both_ways(kinds(1), kinds(0, 1, 2), likeness, positive)
    assert found.likeness[0] == pytest.approx(0.5, abs=0.01)
    assert found.hits.sum() == pytest.approx(0.5)


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch):
    g = torch.Generator().manual_seed(0)
    target, reference = (F.normalize(torch.randn(n, 8, generator=g), dim=1) for n in (50, 40))
    likeness, positive = torch.rand(40, generator=g), (torch.rand(40, generator=g) > 0.5).float()
    whole = match_both_ways(target, reference, likeness, positive)
    monkeypatch.setattr(feature_matching, "ROWS_AT_ONCE", 7)
    blocks = match_both_ways(target, reference, likeness, positive)
    for name in ("likeness", "hits", "similarity"):
        torch.testing.assert_close(getattr(blocks, name), getattr(whole, name))
