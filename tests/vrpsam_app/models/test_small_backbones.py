"""The two small backbones: shapes, and what sets them apart."""

from __future__ import annotations

import pytest
import torch

from vrpsam_app.models.small_backbones import CHANNELS, SMALL_BACKBONES, build_small_stages


@pytest.mark.parametrize("name", SMALL_BACKBONES)
def test_stages_have_the_promised_shapes(name) -> None:
    maps = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    for stage, channels, stride in zip(
        build_small_stages(name), CHANNELS, (2, 4, 8, 8, 8), strict=True
    ):
        maps = stage(maps)
        assert maps.shape == (1, channels, 32 // stride, 48 // stride)
        assert maps.min() >= 0


def test_both_have_the_same_weights_but_one_has_shortcuts() -> None:
    resnet, vgg = (torch.nn.ModuleList(build_small_stages(n)) for n in SMALL_BACKBONES)
    vgg.load_state_dict(resnet.state_dict())
    maps = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    stem = resnet[0](maps)
    assert torch.equal(vgg[0](maps), stem)
    assert not torch.allclose(vgg[1](stem), resnet[1](stem))
