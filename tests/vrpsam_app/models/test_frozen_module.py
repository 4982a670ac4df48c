from __future__ import annotations

import torch
from torch import nn

from vrpsam_app.models.frozen_module import FrozenModule, learned_state


class Frozen(FrozenModule):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.freeze()


def test_a_parent_cannot_switch_it_to_training() -> None:
    parent = nn.Sequential(Frozen(), nn.BatchNorm1d(3)).train()
    assert parent[1].training
    assert not parent[0].training
    assert not parent[0].norm.training
    assert not any(p.requires_grad for p in parent[0].parameters())


def test_unfreezing_makes_it_ordinary() -> None:
    module = Frozen().unfreeze().train()
    assert module.norm.training
    assert all(p.requires_grad for p in module.parameters())


def test_gradients_pass_through() -> None:
    module = Frozen()
    x = torch.ones(2, 3, requires_grad=True)
    module.norm(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_learned_state_leaves_frozen_parts_out() -> None:
    model = nn.Sequential(nn.Linear(2, 2), Frozen())
    assert set(learned_state(model)) == {"0.weight", "0.bias"}
    model.requires_grad_(False)  # what asks for gradients does not matter
    assert set(learned_state(model)) == {"0.weight", "0.bias"}
    model[1].unfreeze()
    assert set(learned_state(model)) == set(model.state_dict())
