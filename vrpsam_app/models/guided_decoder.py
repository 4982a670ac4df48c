"""SAM's decoder guided by what is looked for: PerSAM's two changes, the weights as they are.

*Target-guided attention*: where the tokens look at the image, a map of similarity to the target is
added to the attention. *Target-semantic prompting*: the target's mean feature is added to every
token before each block and before the last attention.

Zhang et al., Personalize Segment Anything Model with One Shot, ICLR 2024, arXiv:2305.03048. The
figures in print come from their code, which takes a softmax twice around the map and lets the mean
feature into the tokens' positions as well; so it is here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.sam_decoder import DecodedMasks, Transformer, decode_batch


@dataclass(frozen=True, slots=True, eq=False)
class Guidance:
    """What a decoder is guided by.

    Attributes
    ----------
    attention_cue : shape (h, w), float in [0, 1]
        How alike each cell of the image embedding is to the target.
    target_embedding : shape (C,), float
        Mean feature of the target, not normalised.
    """

    attention_cue: Tensor
    target_embedding: Tensor


def decode_guided(
    sam: FrozenSAM,
    image_embeddings: Tensor,
    sparse: Tensor,
    dense: Tensor,
    guidance: Guidance | None = None,
) -> DecodedMasks:
    """Decode many sets of prompts on one image, all under the same guidance.

    Parameters
    ----------
    sam : FrozenSAM
    image_embeddings : shape (1, C, h, w), float
    sparse : shape (B, N, C), float
    dense : shape (B, C, h, w), float
    guidance : Guidance, optional
        None is the decoder as it was published with SAM.

    Returns
    -------
    decoded : DecodedMasks
    """
    grid_hw = (image_embeddings.shape[-2], image_embeddings.shape[-1])
    transformer = None if guidance is None else _guided(sam.mask_decoder, guidance)
    return decode_batch(
        sam.mask_decoder,
        image_embeddings,
        sam.image_pe(grid_hw),
        sparse,
        dense,
        transformer=transformer,
    )


def _guided(mask_decoder: Any, guidance: Guidance) -> Transformer:
    """Return the decoder's transformer under guidance."""
    own = mask_decoder.transformer
    cue = guidance.attention_cue.flatten()  # (h * w,)
    target = guidance.target_embedding

    def transform(image: Tensor, image_pe: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        keys = image.flatten(2).transpose(1, 2)  # (B, h * w, C)
        key_pe = image_pe.flatten(2).transpose(1, 2)
        query_pe = queries = tokens + target
        for number, block in enumerate(own.layers):
            if number:
                queries = queries + target
            queries, keys = _guided_block(block, queries, keys, query_pe, key_pe, cue)
        looked_for = queries + query_pe + target
        attended = own.final_attn_token_to_image(q=looked_for, k=keys + key_pe, v=keys)
        return own.norm_final_attn(queries + attended), keys

    return transform


def _guided_block(
    block: Any, queries: Tensor, keys: Tensor, query_pe: Tensor, key_pe: Tensor, cue: Tensor
) -> tuple[Tensor, Tensor]:
    """Run one two-way block, its attention from tokens to image guided."""
    if block.skip_first_layer_pe:
        queries = block.self_attn(q=queries, k=queries, v=queries)
    else:
        placed = queries + query_pe
        queries = queries + block.self_attn(q=placed, k=placed, v=queries)
    queries = block.norm1(queries)
    placed_keys = keys + key_pe
    attended = _guided_attention(
        block.cross_attn_token_to_image, queries + query_pe, placed_keys, keys, cue
    )
    queries = block.norm2(queries + attended)
    queries = block.norm3(queries + block.mlp(queries))
    answered = block.cross_attn_image_to_token(q=placed_keys, k=queries + query_pe, v=queries)
    return queries, block.norm4(keys + answered)


def _guided_attention(attention: Any, q: Tensor, k: Tensor, v: Tensor, cue: Tensor) -> Tensor:
    """Attend with the cue added to the weights, which are then normalised a second time."""
    heads = attention.num_heads
    q, k, v = (
        projection(x).unflatten(2, (heads, -1)).transpose(1, 2)  # (B, heads, N, C / heads)
        for projection, x in (
            (attention.q_proj, q),
            (attention.k_proj, k),
            (attention.v_proj, v),
        )
    )
    weights = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]), dim=-1)
    weights = torch.softmax(weights + cue, dim=-1)
    attended: Tensor = attention.out_proj((weights @ v).transpose(1, 2).flatten(2))
    return attended
