from __future__ import annotations

import pytest
import torch

from vrpsam_app.models.feature_augmenter import FeatureAugmenter, masked_average_pool


def test_prototype_is_the_mean_under_the_mask() -> None:
    features = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 1, 4, 4)
    mask[0, 0, 1, 1:3] = 1
    mask[1, 0, 0, 0] = 0.5
    prototype = masked_average_pool(features, mask)
    expected = torch.stack(
        (features[0, :, 1, 1:3].sum(dim=1) / 2.0005, features[1, :, 0, 0] * 0.5 / 0.5005)
    )
    torch.testing.assert_close(prototype, expected)


def test_prototype_of_nothing_is_zero() -> None:
    assert masked_average_pool(torch.ones(1, 3, 2, 2), torch.zeros(1, 1, 2, 2)).abs().sum() == 0


def test_one_prototype_serves_a_batch() -> None:
    augmenter = FeatureAugmenter(6, 4).eval()
    reduced, prototype, mask = torch.rand(3, 4, 5, 5), torch.rand(1, 4), torch.rand(3, 1, 5, 5)
    together = augmenter(reduced, prototype, mask)
    alone = augmenter(reduced[2:], prototype, mask[2:])
    torch.testing.assert_close(together[2:], alone)
    assert together.min() >= 0


@pytest.mark.parametrize("gain", [1.0, 10.0])
def test_the_mask_enters_with_its_gain(gain: float) -> None:
    augmenter = FeatureAugmenter(6, 4, mask_gain=gain).eval()
    torch.nn.init.zeros_(augmenter.merge[0].weight)
    torch.nn.init.ones_(augmenter.merge[0].weight[:, -1:])
    mask = torch.rand(1, 1, 5, 5)
    augmented = augmenter(torch.rand(1, 4, 5, 5), torch.rand(1, 4), mask)
    torch.testing.assert_close(augmented, (gain * mask).expand(1, 4, 5, 5))


def test_dropout_drops_whole_channels_in_training_only() -> None:
    augmenter = FeatureAugmenter(6, 64, dropout=0.5)
    middle = torch.rand(1, 6, 5, 5) + 0.1
    full = augmenter.eval().reduce(middle)
    torch.manual_seed(0)
    dropped = augmenter.train().reduce(middle)
    kept = dropped.flatten(2).sum(2) > 0
    assert 0 < kept.sum() < (full.flatten(2).sum(2) > 0).sum()
    torch.testing.assert_close(dropped[kept], 2 * full[kept])
