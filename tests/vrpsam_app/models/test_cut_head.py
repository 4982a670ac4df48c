"""The cut head: it says nothing before it is fitted, and finds the level of contours afterwards."""

from __future__ import annotations

import torch
from torch import Tensor

from vrpsam_app.models.cut_head import CutHead
from vrpsam_app.models.level_facts import level_facts, level_values
from vrpsam_app.training.cut_fitting import CutExamples, fit_cut_head, value_at

SIDE = 48


def discs(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pictures (B, 3, 48, 48) of bright discs, logits that are off by anything, masks, offsets."""
    chance = torch.Generator().manual_seed(seed)
    row, col = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    middle = 16 + 16 * torch.rand(count, 2, 1, 1, generator=chance)
    radius = 6 + 7 * torch.rand(count, 1, 1, generator=chance)
    away = ((row - middle[:, 0]) ** 2 + (col - middle[:, 1]) ** 2).sqrt()
    inside = away < radius
    noise = 0.03 * torch.randn(count, SIDE, SIDE, generator=chance)
    picture = (0.3 + 0.4 * inside + noise)[:, None].expand(-1, 3, -1, -1)
    offset = 3 * (2 * torch.rand(count, generator=chance) - 1)
    # The order of the logits is that of the distance; only their level is wrong.
    logits = ((radius - away) / 2).clamp(-4, 4) + offset[:, None, None]
    return picture, logits[:, None], inside[:, None].float(), offset


def examples(count: int, seed: int) -> tuple[CutExamples, Tensor]:
    picture, logits, truth, offset = discs(count, seed)
    facts = level_facts(logits, picture, picture)
    return CutExamples(facts, level_values(logits, truth), torch.ones(count)), offset


def test_before_it_is_fitted_nothing_is_cut() -> None:
    head = CutHead()
    facts = level_facts(
        torch.randn(2, 1, 20, 30), torch.rand(2, 3, 20, 30), torch.randn(2, 8, 20, 30)
    )
    torch.testing.assert_close(head(facts), torch.zeros(2))


def test_it_finds_the_level_where_contours_follow_edges() -> None:
    head = CutHead()
    learned, _ = examples(200, 0)
    before, after = fit_cut_head(head, learned, steps=200)
    assert after > before + 0.2
    other, offset = examples(50, 1)
    cut = head(other.facts)
    assert float(value_at(cut, other.values, head.levels).mean()) > 0.85
    assert float(torch.corrcoef(torch.stack([cut, offset]))[0, 1]) > 0.9


def test_a_target_is_cut_alike_in_any_company() -> None:
    head = CutHead()
    learned, _ = examples(60, 0)
    fit_cut_head(head, learned, steps=20)
    picture, logits, _, _ = discs(3, 2)
    together = head(level_facts(logits, picture, picture))
    alone = head(level_facts(logits[1:2], picture[1:2], picture[1:2]))
    torch.testing.assert_close(alone, together[1:2], atol=1e-4, rtol=1e-4)
