from __future__ import annotations

import pytest
import torch

from vrpsam_app.models.deep_stem_resnet import BLOCKS, Bottleneck, build_deep_stem_stages


@pytest.mark.parametrize("name", ["resnet50_v2", "resnet101_v2"])
def test_first_blocks_keep_the_dilation_of_the_stage_before(name: str) -> None:
    stages = build_deep_stem_stages(BLOCKS[name])
    plans = [
        [(block.conv2.dilation[0], block.conv2.stride[0]) for block in stage]
        for stage in stages[1:]
    ]
    assert plans[1] == [(1, 2), (1, 1), (1, 1), (1, 1)]
    assert plans[2] == [(1, 1)] + [(2, 1)] * (BLOCKS[name][2] - 1)
    assert plans[3] == [(2, 1), (4, 1), (4, 1)]


def test_channels_and_strides() -> None:
    maps = torch.zeros(1, 3, 64, 32)
    shapes = []
    for stage in build_deep_stem_stages((1, 1, 1, 1)):
        maps = stage.eval()(maps)
        shapes.append(tuple(maps.shape[1:]))
    assert shapes == [(128, 16, 8), (256, 16, 8), (512, 8, 4), (1024, 8, 4), (2048, 8, 4)]


def test_a_dilated_block_keeps_its_grid_and_its_input() -> None:
    block = Bottleneck(8, 2, stride=1, dilation=2, project=False).eval()
    maps = torch.randn(1, 8, 5, 7, generator=torch.Generator().manual_seed(0))
    before = maps.clone()
    assert block(maps).shape == maps.shape
    assert torch.equal(maps, before)
