"""Losses on masks whose answer is known."""

from __future__ import annotations

import pytest
import torch

from vrpsam_app.training.losses import dice_loss, mask_loss, soft_iou


def halves() -> torch.Tensor:
    truth = torch.zeros(1, 1, 4, 4)
    truth[..., :2] = 1
    return truth


def test_a_perfect_mask_costs_next_to_nothing() -> None:
    truth = halves()
    assert float(mask_loss((truth - 0.5) * 40, truth)) < 1e-3


def test_dice_of_half_overlap() -> None:
    found = torch.ones(1, 1, 4, 4)
    # 2 * 8 + 1 over 16 + 8 + 1
    assert float(dice_loss(found, halves())) == pytest.approx(1 - 17 / 25)


def test_terms_switch_off() -> None:
    logits, truth = torch.randn(2, 1, 4, 4), halves().repeat(2, 1, 1, 1)
    bce = mask_loss(logits, truth, dice_weight=0)
    dice = mask_loss(logits, truth, bce_weight=0)
    torch.testing.assert_close(mask_loss(logits, truth), bce + dice)
    assert float(mask_loss(logits, truth, bce_weight=0, dice_weight=0).abs().sum()) == 0
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:1], truth[:1])
    torch.testing.assert_close(bce[0], expected)


def test_iou_of_known_masks() -> None:
    truth = halves()
    everything = torch.full_like(truth, 3.0)
    nothing = -everything
    assert soft_iou(everything, truth).tolist() == [0.5]
    assert soft_iou(nothing, truth).tolist() == [0.0]
    assert soft_iou(nothing, torch.zeros_like(truth)).tolist() == [1.0]


def test_unknown_cells_count_nowhere() -> None:
    logits, truth = torch.randn(2, 1, 4, 4), halves().repeat(2, 1, 1, 1)
    known = torch.ones_like(truth)
    known[..., 0, :] = 0
    spoiled = torch.where(known > 0, truth, 1 - truth)
    for weights in ((1.0, 0.0), (0.0, 1.0)):
        told, other = (
            mask_loss(logits, t, bce_weight=weights[0], dice_weight=weights[1], known=known)
            for t in (truth, spoiled)
        )
        torch.testing.assert_close(told, other, rtol=0, atol=0)
    seen = mask_loss(logits[..., 1:, :], truth[..., 1:, :])
    torch.testing.assert_close(mask_loss(logits, truth, known=known), seen)
    assert soft_iou(logits, truth, known).tolist() == soft_iou(logits, spoiled, known).tolist()
    nothing = torch.zeros_like(truth)
    assert float(mask_loss(logits, truth, known=nothing).abs().max()) == 0
