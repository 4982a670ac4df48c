"""Run segment-anything's mask decoder on a batch of images, one set of prompts each.

The decoder's own ``forward`` pairs every image with every set of prompts, because it was written
for many clicks on one picture. Here its submodules are called one after the other without that
repetition, which also gives access to the tokens and to the maps between the two upsampling steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Transformer = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""From image (B, C, h, w), its positions (1, C, h, w) and tokens (B, N, C) to tokens and image."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedMasks:
    """What the mask decoder says.

    Attributes
    ----------
    mask_logits : shape (B, M, 4h, 4w), float
        Mask 0 is the one meant for clear prompts, the other three answer ambiguous ones.
    scores : shape (B, M), float
        Predicted intersection over union of each mask.
    iou_token : shape (B, C), float
    mask_tokens : shape (B, M, C), float
        The output tokens behind scores and masks.
    """

    mask_logits: Tensor
    scores: Tensor
    iou_token: Tensor
    mask_tokens: Tensor


def decode_batch(
    mask_decoder: nn.Module,
    image_embeddings: Tensor,
    image_pe: Tensor,
    sparse: Tensor,
    dense: Tensor,
    *,
    upscale_skips: tuple[Tensor, Tensor] | None = None,
    transformer: Transformer | None = None,
) -> DecodedMasks:
    """Decode one set of prompts for each image, or many sets for one image.

    Parameters
    ----------
    mask_decoder : segment_anything.modeling.MaskDecoder
    image_embeddings : shape (B, C, h, w) or (1, C, h, w), float
        With a single image every set of prompts is decoded on it; its embedding is then shared
        until the first attention that writes into it, not copied.
    image_pe : shape (1, C, h, w), float
        Positional encoding of the grid.
    sparse : shape (B, N, C), float
        Prompt tokens: visual prompts, points and boxes; N may be 0.
    dense : shape (B, C, h, w) or (1, C, h, w), float
        Mask prompt, or the decoder's "no mask" everywhere.
    upscale_skips : two Tensors, shapes (B, C / 4, 2h, 2w) and (B, C / 8, 4h, 4w), optional
        Early image features, added after the first and the second transposed convolution. None
        is the decoder as published.
    transformer : optional
        In the place of the decoder's own, see :mod:`vrpsam_app.models.guided_decoder`.

    Returns
    -------
    decoded : DecodedMasks
        All M masks; pick mask 0, or the best scored.
    """
    decoder: Any = mask_decoder
    output_tokens = torch.cat((decoder.iou_token.weight, decoder.mask_tokens.weight))
    tokens = torch.cat((output_tokens[None].expand(sparse.shape[0], -1, -1), sparse), dim=1)
    h, w = image_embeddings.shape[-2:]

    transform = decoder.transformer if transformer is None else transformer
    tokens, source = transform(image_embeddings + dense, image_pe, tokens)
    iou_token = tokens[:, 0]
    mask_tokens = tokens[:, 1 : 1 + decoder.num_mask_tokens]
    source = source.transpose(1, 2).unflatten(2, (h, w))  # (B, C, h, w)

    upscaled = _upscale(decoder.output_upscaling, source, upscale_skips)
    weights = torch.stack(
        [mlp(mask_tokens[:, i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)], dim=1
    )
    mask_logits = (weights @ upscaled.flatten(2)).unflatten(2, upscaled.shape[-2:])
    return DecodedMasks(
        mask_logits=mask_logits,
        scores=decoder.iou_prediction_head(iou_token),
        iou_token=iou_token,
        mask_tokens=mask_tokens,
    )


def _upscale(
    upscaling: nn.Sequential, source: Tensor, skips: tuple[Tensor, Tensor] | None
) -> Tensor:
    """Upsample the image side four times, (B, C, h, w) to (B, C / 8, 4h, 4w)."""
    first, norm, first_act, second, second_act = upscaling
    if skips is None:
        upscaled: Tensor = upscaling(source)
    else:
        upscaled = first_act(norm(first(source) + skips[0]))
        upscaled = second_act(second(upscaled) + skips[1])
    return upscaled
