"""Global attention of SAM's vision transformer, a few rows of queries at a time.

segment-anything forms the attention matrix of all 4096 positions for all heads at once, about one
gigabyte a block in ViT-L and ViT-H, several times over for the relative positions. Taking the
queries in bands of rows gives the same numbers with a fraction of the memory.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# Rows of the 64 x 64 grid handled at once: 512 queries.
ROWS_AT_ONCE = 8


class ChunkedAttention(nn.Module):
    """Multi-head self-attention with decomposed relative positions, for a fixed grid.

    Parameters
    ----------
    dim, heads : int
        Channels, and attention heads that share them.
    grid_hw : (h, w)

    Notes
    -----
    Parameters have the names of segment-anything's ``Attention``, so that its weights load.
    """

    def __init__(self, dim: int, heads: int, grid_hw: tuple[int, int]) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * grid_hw[0] - 1, dim // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * grid_hw[1] - 1, dim // heads))

    def forward(self, maps: Tensor) -> Tensor:
        """Let each position attend to all.

        Parameters
        ----------
        maps : shape (B, h, w, C), float

        Returns
        -------
        attended : shape (B, h, w, C)
        """
        b, h, w, channels = maps.shape
        qkv = self.qkv(maps).reshape(b, h * w, 3, self.heads, -1)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, h * w, C / heads)
        grid_queries = queries.unflatten(2, (h, w))
        by_row = _relative(self.rel_pos_h, h)  # (h of the query, h of the key, C / heads)
        by_column = _relative(self.rel_pos_w, w)
        bands = []
        for top in range(0, h, ROWS_AT_ONCE):
            band = grid_queries[:, :, top : top + ROWS_AT_ONCE]
            row_bias = torch.einsum("bnrwc,rkc->bnrwk", band, by_row[top : top + ROWS_AT_ONCE])
            column_bias = torch.einsum("bnrwc,wkc->bnrwk", band, by_column)
            bias = row_bias[..., :, None] + column_bias[..., None, :]
            bands.append(
                functional.scaled_dot_product_attention(
                    band.flatten(2, 3), keys, values, attn_mask=bias.flatten(4).flatten(2, 3)
                )
            )
        attended = torch.cat(bands, dim=2).transpose(1, 2).reshape(b, h, w, channels)
        projected: Tensor = self.proj(attended)
        return projected


def _relative(table: Tensor, size: int) -> Tensor:
    """Look up the entry of each offset query - key, (2 * size - 1, C) to (size, size, C)."""
    index = torch.arange(size, device=table.device)
    return table[index[:, None] - index[None, :] + size - 1]
