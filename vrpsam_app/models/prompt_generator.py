"""Prompt generator: learned queries ask the reference, then the target, for the object.

=====================  ============  =====================================================
step                   shape out     what
=====================  ============  =====================================================
``first_tokens``       (B, N, C)     learned queries, or prototypes of the reference
``reference_half``     (B, N, C)     cross-attention to the reference, self-attention
``target_half``        (B, N, C)     cross-attention to the target, self-attention
=====================  ============  =====================================================

Each attention is followed by the residual sum and a layer norm; there is no feed-forward block.
Keys carry a sine positional encoding, queries and values none (paper [1]_, section 4.2, and its
published code). The first half does not depend on the target: it is computed once a reference.

Queries that start from a prototype (Table 6 of the paper, which says no more than that) start all
alike, and nothing here tells them apart: they stay as many copies of one, or two, prompts.

References
----------
.. [1] Sun et al., VRP-SAM: SAM with Visual Reference Prompt, CVPR 2024, arXiv:2402.17726.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vrpsam_app.config import QueryInit


def sine_position_encoding(hw: tuple[int, int], channels: int, like: Tensor) -> Tensor:
    """Encode grid positions by sines and cosines, rows in the first half of the channels.

    Parameters
    ----------
    hw : (h, w)
        Grid size; it need not be square.
    channels : int
        A multiple of four.
    like : Tensor
        Gives device and dtype of the result.

    Returns
    -------
    encoding : shape (h * w, channels)
        Positions run row by row. Row i of h is encoded as 2 pi (i + 1) / (h + 1e-6), as in DETR's
        normalised encoding with temperature 10000.
    """
    per_axis = channels // 2
    index = torch.arange(per_axis, dtype=torch.float32, device=like.device)
    wavelength = 10000.0 ** (2 * torch.div(index, 2, rounding_mode="floor") / per_axis)

    def encode(count: int) -> Tensor:
        steps = torch.arange(1, count + 1, dtype=torch.float32, device=like.device)
        angles = (steps / (count + 1e-6) * 2 * math.pi)[:, None] / wavelength
        return torch.stack((angles[:, 0::2].sin(), angles[:, 1::2].cos()), dim=2).flatten(1)

    rows, columns = encode(hw[0]), encode(hw[1])
    grid = torch.cat(
        (
            rows[:, None, :].expand(hw[0], hw[1], per_axis),
            columns[None, :, :].expand(hw[0], hw[1], per_axis),
        ),
        dim=2,
    )
    return grid.flatten(0, 1).to(like.dtype)


class AttentionLayer(nn.Module):
    """Attention, residual sum, layer norm.

    Parameters
    ----------
    dim, heads : int
        Channels, and attention heads that share them.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Let tokens (B, N, C) attend to keys and values (B, L, C); return (B, N, C)."""
        attended, _ = self.attention(tokens, keys, values, need_weights=False)
        updated: Tensor = self.norm(tokens + attended)
        return updated


class PromptGenerator(nn.Module):
    """Turn augmented maps of reference and target into visual prompts.

    Parameters
    ----------
    dim : int
        Channels of maps and prompts; a multiple of four and of `heads`.
    num_queries : int
        Prompts made from one reference.
    heads : int
    query_init : {"random", "foreground", "background", "half"}
        What the queries start from. ``random``: learned vectors, at random in the beginning, as
        published; otherwise the prototype of the object, that of everything else, or each for half
        of the queries.
    """

    def __init__(
        self,
        dim: int = 256,
        num_queries: int = 50,
        heads: int = 4,
        *,
        query_init: QueryInit = "random",
    ) -> None:
        super().__init__()
        self.num_queries = num_queries
        self.query_init = query_init
        if query_init == "random":
            self.prompt_queries = nn.Embedding(num_queries, dim)
        self.reference_cross = AttentionLayer(dim, heads)
        self.reference_self = AttentionLayer(dim, heads)
        self.target_cross = AttentionLayer(dim, heads)
        self.target_self = AttentionLayer(dim, heads)
        # The published start: matrices from Xavier's uniform distribution.
        for layer in (
            self.reference_cross,
            self.reference_self,
            self.target_cross,
            self.target_self,
        ):
            for parameter in layer.parameters():
                if parameter.dim() > 1:
                    nn.init.xavier_uniform_(parameter)

    def first_tokens(self, foreground: Tensor, background: Tensor) -> Tensor:
        """Return what the queries start from.

        Parameters
        ----------
        foreground, background : shape (B, C), float
            Mean features of the object and of all that is not marked as the object.

        Returns
        -------
        tokens : shape (B, N, C)
        """
        count = self.num_queries
        if self.query_init == "random":
            return self.prompt_queries.weight[None].expand(foreground.shape[0], -1, -1)
        first = {"foreground": count, "background": 0, "half": (count + 1) // 2}[self.query_init]
        return torch.cat(
            (
                foreground[:, None].expand(-1, first, -1),
                background[:, None].expand(-1, count - first, -1),
            ),
            dim=1,
        )

    def reference_half(self, features: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Ask the reference: what is meant.

        Parameters
        ----------
        features : shape (B, C, h, w), float
            Augmented reference map.
        tokens : shape (B, N, C), float, optional
            What :meth:`first_tokens` gave; learned queries need not be given.

        Returns
        -------
        tokens : shape (B, N, C)
        """
        if tokens is None:
            tokens = self.prompt_queries.weight[None].expand(features.shape[0], -1, -1)
        tokens = tokens.to(features.dtype)
        return self._ask(tokens, features, self.reference_cross, self.reference_self)

    def target_half(self, tokens: Tensor, features: Tensor) -> Tensor:
        """Ask the target: where it is.

        Parameters
        ----------
        tokens : shape (B, N, C) or (1, N, C), float
            What :meth:`reference_half` gave.
        features : shape (B, C, h, w), float
            Augmented target map.

        Returns
        -------
        visual_prompts : shape (B, N, C)
        """
        tokens = tokens.expand(features.shape[0], -1, -1)
        return self._ask(tokens, features, self.target_cross, self.target_self)

    def forward(self, reference: Tensor, target: Tensor) -> Tensor:
        """Make prompts (B, N, C) from augmented maps (B, C, h, w) of reference and target."""
        return self.target_half(self.reference_half(reference), target)

    @staticmethod
    def _ask(
        tokens: Tensor, features: Tensor, cross: AttentionLayer, self_attention: AttentionLayer
    ) -> Tensor:
        values = features.flatten(2).transpose(1, 2)  # (B, h * w, C)
        hw = (features.shape[2], features.shape[3])
        keys = values + sine_position_encoding(hw, features.shape[1], values)
        tokens = cross(tokens, keys, values)
        updated: Tensor = self_attention(tokens, tokens, tokens)
        return updated
