"""Which SAM weights belong to, read from the shapes of its tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from vrpsam_app.config import SAM_CONFIGS, SAM_MOBILE, SAM_VIT_B, SAMConfig
from vrpsam_app.errors import WeightsMismatchError

_TINY_VIT_SIGN = "image_encoder.stages.0.blocks.0.conv1.conv.weight"


def sam_config_from(
    weights: Mapping[str, Tensor], source: str | Path, decoder_heads: int | None = None
) -> SAMConfig:
    """Describe the SAM that weights belong to; one of the presets if it is one.

    Parameters
    ----------
    weights : dict
        Under segment-anything's names; see :func:`~vrpsam_app.models.sam_keys.to_segment_anything`.
    source : str or Path
        Where they come from, for the message.
    decoder_heads : int, optional
        Attention heads of the mask decoder, which no shape tells. None takes those of the preset
        with these shapes, or else those of every published SAM, 8.

    Raises
    ------
    WeightsMismatchError
        If they are none of a SAM made of segment-anything's classes.
    """
    if _TINY_VIT_SIGN in weights:
        return SAM_MOBILE
    shapes = {key: tuple(value.shape) for key, value in weights.items()}
    try:
        found = _vit_config(shapes)
    except (KeyError, IndexError, ZeroDivisionError) as error:
        names = ", ".join(n for n, c in SAM_CONFIGS.items() if c.image_encoder == "vit")
        raise WeightsMismatchError(
            f"{source} is none of the SAMs {names}, nor one of other sizes: {error} is missing or "
            "of another shape. Expected weights under the names of segment-anything "
            "(image_encoder., prompt_encoder., mask_decoder.), transformers or MobileSAM."
        ) from error
    for preset in SAM_CONFIGS.values():
        heads = preset.decoder_heads if decoder_heads is None else decoder_heads
        if dataclasses.replace(found, name=preset.name, decoder_heads=heads) == preset:
            return preset
    return dataclasses.replace(found, decoder_heads=decoder_heads or found.decoder_heads)


def _vit_config(shapes: Mapping[str, tuple[int, ...]]) -> SAMConfig:
    """Read every size; raise KeyError or IndexError where a tensor is not as expected."""
    _, side, _, width = shapes["image_encoder.pos_embed"]
    patch = shapes["image_encoder.patch_embed.proj.weight"][3]
    blocks = _count(shapes, "image_encoder.blocks.")
    reach = [shapes[f"image_encoder.blocks.{i}.attn.rel_pos_h"][0] for i in range(blocks)]
    whole = tuple(i for i, length in enumerate(reach) if length == 2 * side - 1)
    windows = {(length + 1) // 2 for i, length in enumerate(reach) if i not in whole}
    heads = width // shapes["image_encoder.blocks.0.attn.rel_pos_h"][1]
    decoder = "mask_decoder.transformer.layers."
    return SAMConfig(
        name=f"vit_{width}x{blocks}",
        image_size=side * patch,
        embedding_stride=patch,
        prompt_dim=shapes["mask_decoder.iou_token.weight"][1],
        width=width,
        depth=blocks,
        heads=heads,
        global_attention_blocks=whole,
        window_size=windows.pop() if windows else SAM_VIT_B.window_size,
        mlp_ratio=shapes["image_encoder.blocks.0.mlp.lin1.weight"][0] / width,
        mask_channels=shapes["prompt_encoder.mask_downscaling.3.weight"][0],
        decoder_depth=_count(shapes, decoder),
        decoder_mlp_dim=shapes[f"{decoder}0.mlp.lin1.weight"][0],
        iou_head_depth=_count(shapes, "mask_decoder.iou_prediction_head.layers."),
        iou_head_hidden=shapes["mask_decoder.iou_prediction_head.layers.0.weight"][0],
    )


def _count(shapes: Mapping[str, tuple[int, ...]], prefix: str) -> int:
    return len({key[len(prefix) :].split(".")[0] for key in shapes if key.startswith(prefix)})
