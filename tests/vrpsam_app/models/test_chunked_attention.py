from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from vrpsam_app.models.chunked_attention import ROWS_AT_ONCE, ChunkedAttention
from vrpsam_app.models.torchvision_ops import import_torchvision


@pytest.mark.parametrize("grid_hw", [(8, 8), (ROWS_AT_ONCE + 3, 5), (3, 12)])
def test_equals_segment_anythings_attention(
    grid_hw: tuple[int, int], fill_by_key: Callable[..., None]
) -> None:
    import_torchvision()
    from segment_anything.modeling.image_encoder import Attention

    stock = Attention(16, 2, use_rel_pos=True, input_size=grid_hw)
    fill_by_key(stock)
    ours = ChunkedAttention(16, 2, grid_hw)
    ours.load_state_dict(stock.state_dict())
    maps = torch.randn(3, *grid_hw, 16, generator=torch.Generator().manual_seed(0))
    expected = stock(maps)
    assert expected.std() > 0.1
    torch.testing.assert_close(ours(maps), expected, atol=1e-5, rtol=1e-5)
