"""SAM's vision transformer as segment-anything made it, computed in less time and memory.

segment-anything forms the attention matrix of all positions for all heads at once, about one
gigabyte a block in ViT-L and ViT-H, several times over for the relative positions. Here its
submodules are called one after the other, and attention takes a few rows of queries of a few heads
or windows at a time. The numbers are the same up to rounding.

On a processor, where nothing is to be learned, scores are made, normalised and used up in one
buffer that fits its cache, and layers are computed for a band of positions at a time; elsewhere
torch's own fused attention takes the relative positions as its mask.

Kirillov et al., Segment Anything, arXiv:2304.02643; Li et al., Exploring Plain Vision Transformer
Backbones for Object Detection, arXiv:2203.16527, for windows and decomposed relative positions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

SCORES_IN_CACHE = 2**21
"""Scores handled at once on a processor, 8 MB in fp32: as many as its last cache holds."""
SCORES_ON_DEVICE = 2**27
"""Elements of the mask that a graphics card is given at once, 256 MB in bf16."""
HIDDEN_IN_CACHE = 2**22
"""Hidden values of the feed-forward layers handled at once on a processor."""


def encode_vit(encoder: nn.Module, images: Tensor) -> Tensor:
    """Encode images as ``encoder(images)`` does.

    Parameters
    ----------
    encoder : segment_anything.modeling.ImageEncoderViT
    images : shape (B, 3, S, S), float
        Normalised; S is the encoder's ``img_size``.

    Returns
    -------
    embeddings : shape (B, C, S / stride, S / stride)

    Raises
    ------
    ValueError
        If the images are of another size.
    """
    vit: Any = encoder
    if images.shape[-2:] != (vit.img_size, vit.img_size):
        raise ValueError(
            f"The images have {images.shape[-2]} x {images.shape[-1]} pixels: expected "
            f"{vit.img_size} x {vit.img_size}, for which the transformer's positions are. Resize "
            "them."
        )
    in_place = _may_overwrite(images)
    maps: Tensor = vit.patch_embed(images)  # (B, h, w, C)
    if vit.pos_embed is not None:
        maps = maps + vit.pos_embed
    maps = maps.contiguous()  # what follows writes into it
    for block in vit.blocks:
        attended = _attended(block.attn, block.norm1(maps), block.window_size, in_place)
        if in_place:
            maps += attended
            _add_feed_forward(block, maps)
        else:
            maps = maps + attended
            maps = maps + block.mlp(block.norm2(maps))
    embeddings: Tensor = vit.neck(maps.permute(0, 3, 1, 2))
    return embeddings


def _may_overwrite(images: Tensor) -> bool:
    """Tell whether this is plain work on a processor: no gradients, no graph being recorded."""
    recorded = torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export()
    return images.device.type == "cpu" and not torch.is_grad_enabled() and not recorded


def _add_feed_forward(block: Any, maps: Tensor) -> None:
    """Add a block's feed-forward layers to maps (B, h, w, C), a band of positions at a time."""
    rows = maps.view(-1, maps.shape[-1])
    band = max(1, HIDDEN_IN_CACHE // block.mlp.lin1.out_features)
    for part in rows.split(band):
        part += block.mlp(block.norm2(part))


def _attended(attention: Any, maps: Tensor, window: int, in_place: bool) -> Tensor:
    """Let positions attend to all, or to those of their window if `window` is not 0.

    Parameters
    ----------
    attention : segment_anything.modeling.image_encoder.Attention
    maps : shape (B, h, w, C), normalised

    Returns
    -------
    attended : shape (B, h, w, C)
    """
    count, height, width, channels = maps.shape
    side_h, side_w = (window, window) if window else (height, width)
    down, across = -(-height // side_h), -(-width // side_w)  # windows
    projected = attention.qkv(maps)
    pad = (0, 0, 0, across * side_w - width, 0, down * side_h - height)
    if any(pad):
        # The package pads with zeros before this layer, of which its bias remains.
        bias = 0 if attention.qkv.bias is None else attention.qkv.bias.to(projected.dtype)
        padded = projected.new_empty((count, down * side_h, across * side_w, 3 * channels))
        padded[:, :height, :width] = projected
        padded[:, height:] = bias
        padded[:, :height, width:] = bias
        projected = padded
    heads = attention.num_heads
    apart = projected.view(count, down, side_h, across, side_w, 3, heads, channels // heads)
    # Each (B * windows * heads, positions of a window, C / heads).
    queries, keys, values = apart.permute(5, 0, 1, 3, 6, 2, 4, 7).flatten(5, 6).flatten(1, 4)
    attend = _attend_in_cache if in_place else _attend_masked
    found = attend(attention, queries, keys, values, (side_h, side_w))
    together = found.view(count, down, across, heads, side_h, side_w, channels // heads)
    together = together.permute(0, 1, 4, 2, 5, 3, 6).flatten(1, 2).flatten(2, 3).flatten(3, 4)
    attended: Tensor = attention.proj(together[:, :height, :width])
    return attended


def _attend_in_cache(
    attention: Any, queries: Tensor, keys: Tensor, values: Tensor, hw: tuple[int, int]
) -> Tensor:
    """Attend within each item (M, h * w, C) by one buffer of scores, overwritten again and again.

    Notes
    -----
    The fused attention of a processor is as fast in fp32 but takes twice as long in bf16, where it
    widens its mask.
    """
    items, positions, _ = queries.shape
    tables = _tables(attention, hw, queries.dtype)
    together = max(1, min(items, SCORES_IN_CACHE // positions**2))
    rows = hw[0] if together > 1 else max(1, min(hw[0], SCORES_IN_CACHE // (hw[1] * positions)))
    scores = queries.new_empty(together * rows * hw[1] * positions)
    found = torch.empty_like(queries)
    for first in range(0, items, together):
        part = slice(first, first + together)
        turned = keys[part].transpose(1, 2)
        for top in range(0, hw[0], rows):
            band = slice(top * hw[1], (top + rows) * hw[1])
            asked = queries[part, band]
            held = scores[: asked.shape[0] * asked.shape[1] * positions]
            by_row, by_column = _relative_scores(asked, tables, top, hw)
            held_by = held.view(*by_row.shape[:3], *hw)
            torch.add(by_row[..., :, None], by_column[..., None, :], out=held_by)
            held = held.view(*asked.shape[:2], positions)
            held.baddbmm_(asked, turned, alpha=attention.scale)
            torch.softmax(held, dim=-1, out=held)
            found[part, band] = held @ values[part]
    return found


def _attend_masked(
    attention: Any, queries: Tensor, keys: Tensor, values: Tensor, hw: tuple[int, int]
) -> Tensor:
    """Attend within each item (M, h * w, C) by torch's fused attention, in bands of rows."""
    items, positions, _ = queries.shape
    tables = _tables(attention, hw, queries.dtype)
    at_once = SCORES_IN_CACHE if queries.device.type == "cpu" else SCORES_ON_DEVICE
    rows = max(1, min(hw[0], at_once // (items * hw[1] * positions)))
    bands = []
    for top in range(0, hw[0], rows):
        asked = queries[:, top * hw[1] : (top + rows) * hw[1]]
        by_row, by_column = _relative_scores(asked, tables, top, hw)
        mask = (by_row[..., :, None] + by_column[..., None, :]).flatten(3).flatten(1, 2)
        bands.append(
            functional.scaled_dot_product_attention(
                asked[None], keys[None], values[None], attn_mask=mask[None], scale=attention.scale
            )[0]
        )
    return torch.cat(bands, dim=1)


def _tables(
    attention: Any, hw: tuple[int, int], dtype: torch.dtype
) -> tuple[Tensor, Tensor] | None:
    """Return the vectors of each two rows, (h, h, C), and columns, (w, w, C); None for none."""
    if not attention.use_rel_pos:
        return None
    return (
        _offsets(attention.rel_pos_h.to(dtype), hw[0]),
        _offsets(attention.rel_pos_w.to(dtype), hw[1]),
    )


def _offsets(table: Tensor, size: int) -> Tensor:
    """Look up the entry of each offset query - key, (2 * size - 1, C) to (size, size, C)."""
    index = torch.arange(size, device=table.device)
    return table[index[:, None] - index[None, :] + size - 1]


def _relative_scores(
    asked: Tensor, tables: tuple[Tensor, Tensor] | None, top: int, hw: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Score the offsets from a band of queries (M, rows * w, C) to each row and each column.

    Returns
    -------
    by_row, by_column : shape (M, rows, w, h) and (M, rows, w, w)
    """
    grid = asked.unflatten(1, (-1, hw[1]))  # (M, rows, w, C)
    if tables is None:
        nothing = grid.new_zeros(()).expand(*grid.shape[:3], hw[0] + hw[1])
        return nothing[..., : hw[0]], nothing[..., hw[0] :]
    by_row, by_column = tables
    return (
        torch.einsum("mrwc,rkc->mrwk", grid, by_row[top : top + grid.shape[1]]),
        torch.einsum("mrwc,wkc->mrwk", grid, by_column),
    )
