"""Masks are judged by how their facts differ from usual ones."""

from __future__ import annotations

import torch

from vrpsam_app.models.quality_facts import QUALITY_FACTS
from vrpsam_app.models.quality_head import FARTHEST, QualityHead


def test_only_what_is_unusual_counts() -> None:
    torch.manual_seed(0)
    head = QualityHead()
    usual = 3 + 2 * torch.randn(5, QUALITY_FACTS).clamp(-1, 1)
    as_they_are = head(usual)
    head.mean.fill_(10.0)
    head.deviation.fill_(4.0)
    torch.testing.assert_close(head(10 + 4 * usual), as_they_are)
    assert not torch.allclose(head(usual), as_they_are)


def test_one_wild_fact_goes_no_farther_than_a_bound() -> None:
    torch.manual_seed(0)
    head = QualityHead()
    facts = torch.zeros(1, QUALITY_FACTS)
    facts[0, 3] = FARTHEST
    wild = facts.clone()
    wild[0, 3] = 1e6
    assert torch.equal(head(wild), head(facts))
    assert head(facts).shape == (1, 2)
