from __future__ import annotations

import pytest
import torch
from torch import nn

from vrpsam_app.models.scale_weights import (
    EPSILON,
    LEARNING_RATE,
    ScaleWeights,
    fit_scale_weights,
    mean_of_fits,
)


def masks(seed: int = 0, pixels: int = 900) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw three noisy logits of a mask, the second one the best."""
    g = torch.Generator().manual_seed(seed)
    truth = (torch.rand(1, pixels, generator=g) > 0.7).float()
    noise = torch.randn(1, 3, pixels, generator=g)
    return 4 * (truth - 0.5)[:, None] * torch.tensor([0.2, 1.0, -0.3])[:, None] + noise, truth


def by_autograd(logits: torch.Tensor, truth: torch.Tensor, steps: int) -> torch.Tensor:
    """Take the steps with torch's own derivatives and a loss written down anew."""
    learned = nn.Parameter(torch.ones(2, 1) / 3)
    optimizer = torch.optim.AdamW([learned], lr=LEARNING_RATE, eps=EPSILON)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        weights = torch.cat([1 - learned.sum(0)[None], learned])
        mixed = (logits[0] * weights).sum(0)
        p, t = mixed.sigmoid(), truth[0]
        dice = 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
        cross = nn.functional.binary_cross_entropy_with_logits(mixed, t, reduction="none")
        right = p * t + (1 - p) * (1 - t)
        focal = ((0.25 * t + 0.75 * (1 - t)) * cross * (1 - right) ** 2).mean()
        optimizer.zero_grad()
        (dice + focal).backward()
        optimizer.step()
        schedule.step()
    return torch.cat([1 - learned.sum(0)[None], learned])[:, 0].detach()


def test_the_steps_are_those_of_autograd():
    logits, truth = masks()
    expected = by_autograd(logits, truth, 60)
    found = fit_scale_weights(logits, truth, steps=60)
    torch.testing.assert_close(found.weights, expected, atol=1e-6, rtol=0)
    assert found.last_loss < found.first_loss


def test_the_best_scale_gains():
    weights = fit_scale_weights(*masks(), steps=300).weights
    assert weights.sum() == pytest.approx(1)
    assert weights.argmax() == 1
    assert weights[1] > 0.45


def test_several_objects_have_a_say():
    (one, truth), (other, other_truth) = masks(0), masks(1)
    other = other.flip(1)
    both = fit_scale_weights(
        torch.cat([one, other]), torch.cat([truth, other_truth]), steps=50
    ).weights
    alone = fit_scale_weights(one, truth, steps=50).weights
    assert (both - alone).abs().max() > 1e-3


def test_mixing():
    logits = torch.arange(3 * 4, dtype=torch.float32).reshape(3, 2, 2)
    scales = ScaleWeights(torch.tensor([0.5, 0.25, 0.25]), 1.0, 0.5)
    torch.testing.assert_close(
        scales.mix(logits), 0.5 * logits[0] + 0.25 * logits[1] + 0.25 * logits[2]
    )
    assert scales.mix(logits[None]).shape == (1, 2, 2)
    assert ScaleWeights.equal().weights.sum() == pytest.approx(1)


def test_the_mean_of_fits():
    fits = [ScaleWeights(torch.tensor([1.0, 0, 0]), 1, 0), ScaleWeights(torch.zeros(3), 3, 1)]
    mean = mean_of_fits(fits)
    assert (mean.first_loss, mean.last_loss) == (2, 0.5)
    torch.testing.assert_close(mean.weights, torch.tensor([0.5, 0, 0]))
