from __future__ import annotations

import dataclasses

import pytest
import torch

from vrpsam_app.config import VRPEncoderConfig
from vrpsam_app.errors import ConfigError
from vrpsam_app.models.pseudo_masks import (
    COSINE_EPSILON,
    CosinePrior,
    build_prior,
    cosine_pseudo_mask,
    foreground_rows,
)


def published(target: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Compare with all positions of the masked reference, as the published formula does."""
    t, r = target.flatten(2), reference.flatten(2).transpose(1, 2)
    norms = r.norm(dim=2, keepdim=True) * t.norm(dim=1, keepdim=True)
    best = (r @ t / (norms + COSINE_EPSILON)).amax(dim=1)
    return best.reshape(-1, 1, *target.shape[2:])


@pytest.fixture
def features() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    reference = torch.randn(2, 8, 6, 5, generator=g).relu()
    target = torch.randn(2, 8, 7, 4, generator=g).relu()
    mask = (torch.rand(2, 1, 6, 5, generator=g) > 0.8).float()
    return reference * mask, target, mask


def test_marked_rows_alone_give_the_published_pseudo_mask(
    features: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    reference, target, mask = features
    prior = CosinePrior()
    pruned = prior(prior.encode_reference(reference, mask), target)
    assert pruned.shape == (2, 1, 7, 4)
    assert pruned.std() > 0.01
    torch.testing.assert_close(pruned, published(target, reference), atol=1e-6, rtol=0)


def test_features_of_either_sign_end_at_zero() -> None:
    target = -torch.ones(1, 3, 2, 2)
    assert cosine_pseudo_mask(target, (torch.ones(4, 3),)).tolist() == [[[[0.0] * 2] * 2]]


def test_nothing_marked_is_nowhere() -> None:
    rows = foreground_rows(torch.rand(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))
    assert rows[0].shape == (0, 3)
    assert cosine_pseudo_mask(torch.rand(1, 3, 2, 5), rows).tolist() == [[[[0.0] * 5] * 2]]


def test_a_barely_covered_cell_counts() -> None:
    mask = torch.zeros(1, 1, 4, 4)
    mask[0, 0, 2, 3] = 1e-3
    high = torch.rand(1, 3, 4, 4)
    assert torch.equal(foreground_rows(high, mask)[0], high[:, :, 2, 3])


def test_one_reference_serves_all_targets(
    features: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    reference, target, mask = features
    rows = foreground_rows(reference[:1], mask[:1])
    together = cosine_pseudo_mask(target, rows)
    torch.testing.assert_close(together[1:], cosine_pseudo_mask(target[1:], rows))


def test_the_cap_keeps_rows_spread_over_the_object() -> None:
    high = torch.arange(16.0).reshape(1, 1, 4, 4)
    rows = foreground_rows(high, torch.ones(1, 1, 4, 4), max_rows=4)[0]
    assert rows[:, 0].tolist() == [0.0, 5.0, 10.0, 15.0]
    assert len(foreground_rows(high, torch.ones(1, 1, 4, 4), max_rows=99)[0]) == 16


def test_the_configuration_names_the_prior() -> None:
    prior = build_prior(VRPEncoderConfig(max_foreground=7))
    assert isinstance(prior, CosinePrior)
    assert prior.max_foreground == 7
    other = dataclasses.replace(VRPEncoderConfig(), pseudo_mask="closed_form")
    with pytest.raises(ConfigError, match="closed_form"):
        build_prior(other)
