"""What is said of each level: what it is worth, and where another kind of thing begins."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vrpsam_app.models.level_facts import FACTS, LEVELS, level_facts, level_values, levels_of

PLACE, CHANGE = FACTS - 2, FACTS - 1


def test_values_are_ious_at_each_level() -> None:
    logits = torch.tensor([[-3.0, -1.0], [1.0, 3.0]])[None, None]
    truth = torch.tensor([[0.0, 0.0], [1.0, 1.0]])[None, None]
    levels = torch.tensor([-4.0, -2.0, 0.0, 2.0, 4.0])
    found = level_values(logits, truth, levels=levels)
    torch.testing.assert_close(found, torch.tensor([[0.5, 2 / 3, 1.0, 0.5, 0.0]]))
    known = torch.tensor([[1.0, 0.0], [1.0, 0.0]])[None, None]
    torch.testing.assert_close(
        level_values(logits, truth, known, levels), torch.tensor([[0.5, 1.0, 1.0, 0.0, 0.0]])
    )


def ramp(edge: float) -> tuple[Tensor, Tensor, Tensor]:
    """Logits that fall evenly from left to right, a grey picture, and features with an edge."""
    logits = torch.linspace(5, -5, 101).expand(1, 1, 40, -1).contiguous()
    inside = (logits > edge).float()
    features = torch.cat([inside, 1 - inside, 0.1 * torch.ones_like(inside)], 1)
    return logits, torch.full((1, 3, 40, 101), 0.5), features


@pytest.mark.parametrize("edge", [-2.25, 0.25, 1.75])
def test_kinds_change_at_the_level_of_the_edge(edge: float) -> None:
    logits, picture, features = ramp(edge)
    facts = level_facts(logits, picture, features)[0]
    assert facts.shape == (LEVELS, FACTS)
    levels = levels_of(logits)
    beside = (levels - edge).abs() < 0.3
    assert int(facts[:, CHANGE].argmax()) in beside.nonzero().flatten().tolist()
    # Above its edge a contour lies in the object, below it outside.
    assert facts[levels > edge + 1, PLACE].min() > 0.9
    assert facts[(levels < edge - 1) & (levels > -4.9), PLACE].max() < 0.1


def test_what_is_one_kind_throughout_changes_nowhere() -> None:
    logits, picture, features = ramp(9.0)
    assert level_facts(logits, picture, features)[0, 1:-1, CHANGE].max() < 0.01


@pytest.mark.parametrize("value", [-30.0, 0.0, 30.0])
def test_flat_pictures_and_answers_give_numbers(value: float) -> None:
    answer = torch.full((1, 1, 16, 16), value)
    facts = level_facts(answer, torch.zeros(1, 3, 16, 16), torch.zeros(1, 8, 16, 16))
    assert torch.isfinite(facts).all()
    assert facts.abs().max() < 50
