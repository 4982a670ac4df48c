"""The embedded encoder: shapes, strides, and where a pixel shows up."""

from __future__ import annotations

import torch

from vrpsam_app.config import SAM_CONV_SMALL
from vrpsam_app.models.conv_image_encoder import CLASSIFIER, FINE, ConvImageEncoder, ResidualBlock


@torch.inference_mode()
def test_shapes() -> None:
    encoder = ConvImageEncoder(SAM_CONV_SMALL).eval()
    features = encoder(torch.rand(2, 3, 64, 96))
    dim = SAM_CONV_SMALL.prompt_dim
    assert features.embedding.shape == features.semantic.shape == (2, dim, 8, 12)
    assert features.classifier.shape == (2, CLASSIFIER, 16, 24)
    assert features.mid_detail.shape == (2, 2 * SAM_CONV_SMALL.width, 16, 24)
    assert features.fine_detail.shape == (2, FINE, 32, 48)


@torch.inference_mode()
def test_a_bright_spot_shows_up_where_it_is() -> None:
    torch.manual_seed(0)
    encoder = ConvImageEncoder(SAM_CONV_SMALL).eval()
    plain = torch.full((1, 3, 64, 64), 0.3)
    spot = plain.clone()
    spot[..., 40:44, 12:16] = 1.0
    change = (encoder(spot).classifier - encoder(plain).classifier).abs().sum(1)[0]
    row, col = divmod(int(change.argmax()), change.shape[1])
    assert (row, col) == (10, 3)


@torch.inference_mode()
def test_a_block_starts_as_the_identity() -> None:
    x = torch.randn(1, 16, 8, 8)
    assert torch.equal(ResidualBlock(16)(x), x)
