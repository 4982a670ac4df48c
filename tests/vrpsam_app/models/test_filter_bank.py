"""Fixed filters: known answers on known pictures."""

from __future__ import annotations

import torch

from vrpsam_app.models.filter_bank import CHANNELS, SIGMAS, FilterBank

PER_SIGMA = 7


@torch.inference_mode()
def test_a_constant_picture_has_colour_and_nothing_else() -> None:
    features = FilterBank()(torch.full((1, 3, 20, 30), 0.25))
    assert features.shape == (1, CHANNELS, 20, 30)
    torch.testing.assert_close(features[:, :3], torch.full((1, 3, 20, 30), -0.5))
    for k in range(len(SIGMAS)):
        gradient, laplacian, deviation, rank = features[0, 3 + k * PER_SIGMA + 3 :][:4]
        for flat in (gradient, laplacian, rank):
            assert float(flat.abs().max()) < 1e-2
        assert float(deviation.max()) < 0.01


@torch.inference_mode()
def test_an_edge_has_its_gradient_on_the_edge() -> None:
    picture = torch.zeros(1, 3, 32, 32)
    picture[..., 16:] = 1
    for k in range(len(SIGMAS)):
        gradient = FilterBank()(picture)[0, 3 + k * PER_SIGMA + 3]
        assert int(gradient[16].argmax()) in (15, 16)


@torch.inference_mode()
def test_local_rank_does_not_change_with_brightness() -> None:
    picture = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0)) * 0.5
    bank = FilterBank()
    last = 3 + 2 * PER_SIGMA + 6
    torch.testing.assert_close(
        bank(picture)[:, last], bank(picture + 0.3)[:, last], atol=2e-2, rtol=0
    )
