"""Names of SAM's tensors in other files, as segment-anything's, and back.

========================  =========================================================
layout                    found in
========================  =========================================================
segment-anything's        the original ``.pth``, MedSAM, micro-sam (``sam.`` before)
transformers'             ``facebook/sam-vit-*``, whatever ``save_pretrained`` wrote
MobileSAM's               ``mobile_sam.pt``: its encoder is named otherwise than timm's
========================  =========================================================

Names are translated by whole patterns, never by one replacement after the other: ``layers.0`` of
one layout is ``layers.1`` of the next.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from vrpsam_app.errors import WeightsMismatchError

# transformers, segment-anything; what follows stays.
_PREFIXES = (
    ("vision_encoder.patch_embed.projection.", "image_encoder.patch_embed.proj."),
    ("vision_encoder.pos_embed", "image_encoder.pos_embed"),
    ("vision_encoder.neck.conv1.", "image_encoder.neck.0."),
    ("vision_encoder.neck.layer_norm1.", "image_encoder.neck.1."),
    ("vision_encoder.neck.conv2.", "image_encoder.neck.2."),
    ("vision_encoder.neck.layer_norm2.", "image_encoder.neck.3."),
    (
        "shared_image_embedding.positional_embedding",
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
    ),
    ("prompt_encoder.point_embed.", "prompt_encoder.point_embeddings."),
    ("prompt_encoder.mask_embed.conv1.", "prompt_encoder.mask_downscaling.0."),
    ("prompt_encoder.mask_embed.layer_norm1.", "prompt_encoder.mask_downscaling.1."),
    ("prompt_encoder.mask_embed.conv2.", "prompt_encoder.mask_downscaling.3."),
    ("prompt_encoder.mask_embed.layer_norm2.", "prompt_encoder.mask_downscaling.4."),
    ("prompt_encoder.mask_embed.conv3.", "prompt_encoder.mask_downscaling.6."),
    ("mask_decoder.upscale_conv1.", "mask_decoder.output_upscaling.0."),
    ("mask_decoder.upscale_layer_norm.", "mask_decoder.output_upscaling.1."),
    ("mask_decoder.upscale_conv2.", "mask_decoder.output_upscaling.3."),
)
# The same matrix under a second name; save_pretrained leaves one of the two out, either one.
_TIED = "prompt_encoder.shared_embedding.positional_embedding"

_THEIR_BLOCK = re.compile(r"vision_encoder\.layers\.(\d+)\.(?:layer_norm([12])|(attn|mlp))\.(.+)")
_OUR_BLOCK = re.compile(r"image_encoder\.blocks\.(\d+)\.(?:norm([12])|(attn|mlp))\.(.+)")
_THEIR_NORM = re.compile(
    r"mask_decoder\.transformer\.(layers\.\d+\.)?layer_norm(\d|_final_attn)\.(.+)"
)
_OUR_NORM = re.compile(r"mask_decoder\.transformer\.(layers\.\d+\.)?norm(\d|_final_attn)\.(.+)")
_HEAD = r"mask_decoder\.(iou_prediction_head|output_hypernetworks_mlps\.\d+)\."
_THEIR_HEAD = re.compile(_HEAD + r"(proj_in|proj_out|layers\.(\d+))\.(.+)")
_OUR_HEAD = re.compile(_HEAD + r"layers\.(\d+)\.(.+)")

# Of MobileSAM's encoder, which was made by hand before timm had it.
_TINY_STAGE = re.compile(r"image_encoder\.layers\.(\d+)\.(blocks|downsample)\.(.+)")
_TINY_STEM = {"seq.0.": "conv1.", "seq.2.": "conv2."}
_TINY_UNUSED = ("image_encoder.norm_head.", "image_encoder.head.")


def is_sam(weights: Mapping[str, Tensor]) -> bool:
    """Whether weights are a SAM's, whichever layout they come in."""
    plain = {key.removeprefix("sam.") for key in weights}
    return {"mask_decoder.iou_token.weight", "mask_decoder.mask_tokens.weight"} <= plain


def to_segment_anything(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a SAM's weights under segment-anything's names, whichever layout they come in.

    Parameters
    ----------
    weights : dict
        Names that are none of a SAM's are kept, for the strict loading to name.

    Raises
    ------
    WeightsMismatchError
        If the two names of one matrix hold different numbers.
    """
    plain = {key.removeprefix("sam."): value for key, value in weights.items()}
    if "image_encoder.patch_embed.seq.0.c.weight" in plain:
        return {
            _from_tiny(key): value
            for key, value in plain.items()
            if not key.startswith(_TINY_UNUSED) and not key.endswith(".attention_bias_idxs")
        }
    if not any(key.startswith(("vision_encoder.", "shared_image_embedding.")) for key in plain):
        return plain
    renamed: dict[str, Tensor] = {}
    for key, value in plain.items():
        ours = _from_transformers(key, plain)
        if ours in renamed and not torch.equal(renamed[ours], value):
            raise WeightsMismatchError(
                f"{key} and its second name hold different numbers: expected the same matrix "
                "twice, or once. Save the model again."
            )
        renamed[ours] = value
    return renamed


def to_transformers(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights with segment-anything's names under transformers'; the inverse.

    The matrix that has two names there is given once, as ``save_pretrained`` does.
    """
    last = _last_layers(weights)
    return {_to_transformers(key, last): value for key, value in weights.items()}


def _from_transformers(key: str, among: Mapping[str, Tensor]) -> str:
    if key == _TIED:
        return _PREFIXES[6][1]
    for theirs, ours in _PREFIXES:
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    if match := _THEIR_BLOCK.fullmatch(key):
        number, norm, part, rest = match.groups()
        return f"image_encoder.blocks.{number}.{part or f'norm{norm}'}.{rest}"
    if match := _THEIR_NORM.fullmatch(key):
        layer, which, rest = match.groups()
        return f"mask_decoder.transformer.{layer or ''}norm{which}.{rest}"
    if match := _THEIR_HEAD.fullmatch(key):
        head, place, number, rest = match.groups()
        if place == "proj_in":
            index = 0
        elif place == "proj_out":
            between = f"mask_decoder.{head}.layers."
            index = 1 + sum(k.startswith(between) and k.endswith(".weight") for k in among)
        else:
            index = int(number) + 1
        return f"mask_decoder.{head}.layers.{index}.{rest}"
    return key


def _to_transformers(key: str, last: Mapping[str, int]) -> str:
    for theirs, ours in _PREFIXES:
        if key.startswith(ours):
            return theirs + key.removeprefix(ours)
    if match := _OUR_BLOCK.fullmatch(key):
        number, norm, part, rest = match.groups()
        return f"vision_encoder.layers.{number}.{part or f'layer_norm{norm}'}.{rest}"
    if match := _OUR_NORM.fullmatch(key):
        layer, which, rest = match.groups()
        return f"mask_decoder.transformer.{layer or ''}layer_norm{which}.{rest}"
    if match := _OUR_HEAD.fullmatch(key):
        head, number, rest = match.groups()
        index = int(number)
        place = (
            "proj_in"
            if index == 0
            else "proj_out"
            if index == last[head]
            else f"layers.{index - 1}"
        )
        return f"mask_decoder.{head}.{place}.{rest}"
    return key


def _last_layers(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """Return the number of each head's last layer."""
    last: dict[str, int] = {}
    for key in weights:
        if match := _OUR_HEAD.fullmatch(key):
            last[match[1]] = max(last.get(match[1], 0), int(match[2]))
    return last


def _from_tiny(key: str) -> str:
    """Translate a name of MobileSAM's encoder to timm's, the decoder's stay."""
    start = "image_encoder.patch_embed."
    if key.startswith(start):
        for theirs, timm in _TINY_STEM.items():
            if key.startswith(start + theirs):
                key = start + timm + key.removeprefix(start + theirs)
    elif match := _TINY_STAGE.fullmatch(key):
        number, part, rest = match.groups()
        # timm puts the step to a stage at its beginning, MobileSAM at the end of the one before.
        stage = int(number) + (part == "downsample")
        key = f"image_encoder.stages.{stage}.{part}.{rest}"
    else:
        return key
    return re.sub(r"\.c\.(weight|bias)$", r".conv.\1", key)
