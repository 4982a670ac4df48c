from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from vrpsam_app.config import VRPEncoderConfig
from vrpsam_app.errors import ConfigError
from vrpsam_app.models.semantic_encoder import SemanticEncoder, build_semantic_encoder

GRIDS = {
    "resnet50_v2": (8, 12),
    "resnet101_v2": (8, 12),
    "resnet50": (8, 12),
    "vgg16_bn": (4, 6),
    "dinov2_b14": (5, 7),  # 64 x 96 becomes 70 x 98
}


def build(name: str) -> SemanticEncoder:
    return build_semantic_encoder(VRPEncoderConfig(semantic_encoder=name))


@pytest.mark.parametrize("name", GRIDS)
def test_features_have_the_promised_shapes(name: str) -> None:
    with torch.device("meta"):
        encoder = build(name)
        middle, state = encoder.middle_features(torch.zeros(1, 3, 64, 96))
        high = encoder.high_features(state)
    assert middle.shape == (1, encoder.middle_channels, *GRIDS[name])
    assert high.shape == (1, encoder.high_channels, *GRIDS[name])


@pytest.mark.slow
def test_dinov2_gives_its_finished_patch_tokens() -> None:
    encoder = build("dinov2_b14")
    images = torch.randn(1, 3, 70, 98, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        middle, state = encoder.middle_features(images)
        tokens = encoder.vit.forward_features(images)[:, 1:]
    assert torch.equal(state, tokens.transpose(1, 2).unflatten(2, (5, 7)))
    assert middle[:, 768:].std() > 0.1
    assert not torch.equal(middle[:, :768], middle[:, 768:])


@pytest.mark.parametrize("name", ["resnet50_v2", "vgg16_bn"])
def test_is_frozen_with_batch_norms_in_evaluation_mode(name: str) -> None:
    parent = nn.Sequential(build(name)).train()
    assert not any(module.training for module in parent[0].modules())
    assert not any(p.requires_grad for p in parent.parameters())


@pytest.mark.parametrize("name", ["resnet50_v2", "vgg16_bn"])
def test_the_mask_hides_the_rest_before_the_last_stage(name: str) -> None:
    encoder = build(name)
    g = torch.Generator().manual_seed(0)
    state = torch.rand(1, {"resnet50_v2": 1024, "vgg16_bn": 512}[name], 6, 6, generator=g)
    mask = torch.zeros(1, 1, 6, 6)
    mask[..., 2:4, 1:5] = 1
    before = state.clone()
    high = encoder.high_features(state, mask)
    assert torch.equal(state, before)
    assert torch.equal(high, encoder.high_features(state * mask, mask))
    assert (high * (1 - mask)).abs().max() == 0
    unmasked = encoder.high_features(state) * mask
    assert (high - unmasked).abs().max() > 1e-4 * unmasked.abs().max()


def test_vgg_pooling_rounds_sizes_up() -> None:
    middle, _ = build("vgg16_bn").middle_features(torch.zeros(1, 3, 72, 40))
    assert middle.shape[2:] == (5, 3)


def test_shared_features_stand_for_middle_and_high() -> None:
    config = VRPEncoderConfig(semantic_encoder="shared")
    encoder = build_semantic_encoder(config, shared_channels=5)
    maps, mask = torch.rand(2, 5, 3, 4), torch.ones(2, 1, 3, 4) * 0.5
    middle, state = encoder.middle_features(maps)
    assert torch.equal(middle, maps)
    assert torch.equal(encoder.high_features(state), maps)
    assert torch.equal(encoder.high_features(state, mask), maps * 0.5)
    assert encoder.middle_channels == encoder.high_channels == 5


def test_shared_features_need_their_channels() -> None:
    with pytest.raises(ConfigError, match="shared_channels"):
        build("shared")


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    config = dataclasses.replace(VRPEncoderConfig(), semantic_encoder="resnet18")
    with pytest.raises(ConfigError, match=r"'resnet18'.*resnet50_v2.*dinov2_b14"):
        build_semantic_encoder(config)


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*args: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with torch.device("meta"):
        for name in GRIDS:
            assert build(name)
