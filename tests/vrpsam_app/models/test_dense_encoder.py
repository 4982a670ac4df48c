"""The dense encoder is the same with its statistics folded into its weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vrpsam_app.models.dense_encoder import DENSE, DenseEncoder
from vrpsam_app.models.filter_bank import FilterBank

BANK = FilterBank()


def described(encoder: DenseEncoder, images: Tensor) -> Tensor:
    with torch.no_grad():
        features: Tensor = encoder(images, BANK(F.avg_pool2d(images, 2)))
    return features


@pytest.fixture(scope="module")
def learned() -> DenseEncoder:
    """An encoder whose statistics, gains and shifts are those of no start."""
    torch.manual_seed(0)
    encoder = DenseEncoder(8, learning=True)
    for part in encoder.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.uniform_(part.bias, -0.3, 0.3)
            part.momentum = 0.5
    for _ in range(8):
        described(encoder, torch.rand(4, 3, 64, 64))
    return encoder.eval()


def test_features_at_stride_2(learned: DenseEncoder) -> None:
    features = described(learned, torch.rand(2, 3, 64, 96))
    assert features.shape == (2, DENSE, 32, 48)
    assert 0.2 < float(features.std()) < 5


def test_folding_changes_nothing(learned: DenseEncoder) -> None:
    images = torch.rand(2, 3, 64, 64)
    plain = learned.folded()
    assert not any(isinstance(part, nn.BatchNorm2d) for part in plain.modules())
    expected = described(learned, images)
    torch.testing.assert_close(described(plain, images), expected, rtol=1e-4, atol=1e-4)
    # An encoder that ignores its picture would pass the above.
    assert (described(plain, images.flip(3)) - expected).abs().max() > 0.1


def test_what_was_folded_learns_on_from_there(learned: DenseEncoder) -> None:
    torch.manual_seed(3)
    images = torch.rand(4, 3, 64, 64)
    plain = learned.folded()
    again = plain.unfolded(lambda encoder: described(encoder, images))
    expected = described(plain, images)
    torch.testing.assert_close(described(again.eval(), images), expected, rtol=1e-3, atol=1e-3)
    # Statistics are those of the pictures: batches of them are normalised to nearly the same.
    normalised = described(again.train(), images)
    assert (normalised - expected).abs().mean() < 0.05 * expected.abs().mean()
    assert all(p.requires_grad for p in again.parameters())


def test_a_picture_is_described_alike_beside_others(learned: DenseEncoder) -> None:
    images = torch.rand(3, 3, 64, 64)
    plain = learned.folded()
    torch.testing.assert_close(
        described(plain, images)[1:2], described(plain, images[1:2]), rtol=1e-4, atol=1e-4
    )


def test_far_parts_do_not_matter(learned: DenseEncoder) -> None:
    # The coarsest grid sees a few hundred pixels to each side, and no more.
    plain = learned.folded()
    images = torch.rand(1, 3, 32, 1024)
    changed = images.clone()
    changed[..., 768:] = 0
    before, after = described(plain, images), described(plain, changed)
    torch.testing.assert_close(before[..., :64], after[..., :64], rtol=0, atol=1e-6)
    assert (before[..., 400:] - after[..., 400:]).abs().max() > 0.1


def test_only_statistics_can_be_folded() -> None:
    with pytest.raises(TypeError, match="cannot be folded"):
        DenseEncoder(8).folded()
