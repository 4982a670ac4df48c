"""The detail branch: shapes, and a start that changes nothing."""

from __future__ import annotations

import torch

from vrpsam_app.models.conv_image_encoder import FINE
from vrpsam_app.models.detail_branch import EVIDENCE, DetailBranch


@torch.inference_mode()
def test_shapes_and_silent_start() -> None:
    branch = DetailBranch(mid_channels=24, prompt_dim=32)
    mid, fine, local = branch(
        torch.rand(2, 24, 10, 12), torch.rand(2, FINE, 20, 24), torch.rand(2, EVIDENCE, 10, 12)
    )
    assert mid.shape == (2, 8, 10, 12)
    assert fine.shape == (2, 4, 20, 24)
    assert local.shape == (2, 1, 10, 12)
    assert not local.any()
