"""Weights in other layouts to ours: published VRP-SAM checkpoints, SAMs, old pickles."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hub_weights import REGISTRY
from hub_weights.checksums import sha256_of
from vrpsam_app.config import (
    SAM_CONFIGS,
    FoundationFile,
    ModelConfig,
    SAMConfig,
    SemanticEncoderName,
    paper_config,
)
from vrpsam_app.errors import ConfigError, OutputError, WeightsMismatchError

if TYPE_CHECKING:
    from torch import Tensor

SamLayout = Literal["segment_anything", "transformers"]

_QUERIES = "transformer_decoder.supp_q_feat.weight"
_SAM_OF_NAME = {name: name.removeprefix("sam_") for name in REGISTRY if name.startswith("sam_")}
_SAFE_NAME = re.compile(r"[\w.-]+")


def is_published_checkpoint(weights: Mapping[str, Tensor]) -> bool:
    """Whether weights are of the authors' training code."""
    return _QUERIES in weights


def convert_checkpoint(
    file: Path,
    folder: Path,
    *,
    sam: str = "sam_vit_h",
    name: str | None = None,
    marks: str = "unknown",
    license: str = "unknown",
    weights: Mapping[str, Tensor] | None = None,
) -> Path:
    """Make a model folder of a checkpoint that the published VRP-SAM code has saved.

    The folder holds the VRP encoder with its backbone, in the checkpoint's precision; SAM, which
    the checkpoint does not hold either, is named by its checksum and found when the model is
    loaded.

    Parameters
    ----------
    file : Path
        With or without ``module.`` before its keys.
    folder : Path
        Must not exist.
    sam : str
        What it was trained on: a name of the registry, or a file of SAM's weights. The published
        code knows ViT-H alone.
    name : str, optional
        Of the model; by default the folder's.
    marks : str
        How references were marked in training: point, scribble, box or mask.
    license : str
        SPDX identifier.
    weights : optional
        What :func:`~vrpsam_app.models.foundation.read_weights` gave for the file.

    Raises
    ------
    WeightsMismatchError
        If it is no such checkpoint, or tensors are missing, unexpected or of another shape.
    WeightsError
        If it cannot be read.
    OutputError
        If the folder exists.
    """
    from vrpsam_app.models.filling import fill
    from vrpsam_app.models.foundation import PARTS, read_weights
    from vrpsam_app.models.official_keys import official_key
    from vrpsam_app.models.vrp_encoder import VRPEncoder
    from vrpsam_app.training.checkpoints import save_model

    if folder.exists():
        raise OutputError(f"{folder} exists already: choose another folder, or remove it first.")
    given = read_weights(file) if weights is None else weights
    if not is_published_checkpoint(given):
        raise WeightsMismatchError(
            f"{file} is no checkpoint of the published VRP-SAM code: {_QUERIES} is missing."
        )
    config = _checkpoint_config(given, sam, name or folder.name)
    try:
        ours = {official_key(key): value for key, value in given.items()}
    except KeyError as error:
        raise WeightsMismatchError(f"{file}: {error.args[0]}") from error
    fill(VRPEncoder(config.vrp_encoder), ours, str(file))
    config = dataclasses.replace(
        config,
        license=license,
        training={
            "made_by": "the published VRP-SAM code",
            "checkpoint": file.name,
            "checkpoint_sha256": sha256_of(file),
            "marks": marks,
        },
    )
    prefix = PARTS["backbone"].partition("semantic_encoder.")[0]
    dtypes = {value.dtype for value in ours.values() if value.is_floating_point()}
    return save_model(
        folder,
        config,
        {prefix + key: value for key, value in ours.items()},
        dtype=max(dtypes, key=lambda dtype: dtype.itemsize),
    )


def convert_sam(
    file: Path,
    out: Path,
    *,
    layout: SamLayout = "segment_anything",
    weights: Mapping[str, Tensor] | None = None,
) -> Path:
    """Write a SAM as safetensors, under segment-anything's names or transformers'.

    Parameters
    ----------
    file : Path
        Of any layout that :mod:`~vrpsam_app.models.sam_keys` knows.
    out : Path
        A file ending in ``.safetensors``; for transformers a folder, which gets ``config.json`` too
        and opens with ``SamModel.from_pretrained``.
    layout : str
    weights : optional
        What :func:`~vrpsam_app.models.foundation.read_weights` gave for the file.

    Raises
    ------
    WeightsError, WeightsMismatchError
        If the file cannot be read, or is no SAM's; only vision transformers go to transformers.
    OutputError
        If `out` exists or cannot be written.
    """
    from vrpsam_app.models.foundation import read_weights, sam_config_of
    from vrpsam_app.models.sam_keys import to_segment_anything, to_transformers

    ours = to_segment_anything(read_weights(file) if weights is None else weights)
    config = sam_config_of(file, ours)
    if layout == "segment_anything":
        return _write(out, ours)
    if config.image_encoder != "vit":
        raise WeightsMismatchError(
            f"{file} holds {config.name}, which transformers' SamModel does not know: expected a "
            "SAM with a vision transformer."
        )
    if out.exists():
        raise OutputError(f"{out} exists already: choose another folder, or remove it first.")
    out.mkdir(parents=True)
    facts = json.dumps(transformers_config(config), indent=2)
    (out / "config.json").write_text(facts + "\n", encoding="utf-8")
    _write(out / "model.safetensors", to_transformers(ours))
    return out


def convert_pickle(file: Path, out: Path, *, weights: Mapping[str, Tensor] | None = None) -> Path:
    """Write a state dict as safetensors, its names unchanged; nothing in the file is run.

    Raises
    ------
    WeightsError
        If it cannot be read, or holds more than weights.
    OutputError
        If `out` exists or cannot be written.
    """
    from vrpsam_app.models.foundation import read_weights

    return _write(out, read_weights(file) if weights is None else weights)


def transformers_config(config: SAMConfig) -> dict[str, Any]:
    """Return the ``config.json`` with which transformers builds the same SAM."""
    sizes = {"image_size": config.image_size, "patch_size": config.embedding_stride}
    return {
        "architectures": ["SamModel"],
        "model_type": "sam",
        "vision_config": {
            **sizes,
            "hidden_size": config.width,
            "output_channels": config.prompt_dim,
            "num_hidden_layers": config.depth,
            "num_attention_heads": config.heads,
            "window_size": config.window_size,
            "global_attn_indexes": list(config.global_attention_blocks),
            "mlp_ratio": config.mlp_ratio,
            "mlp_dim": int(config.width * config.mlp_ratio),
            "num_pos_feats": config.prompt_dim // 2,
        },
        "prompt_encoder_config": {
            **sizes,
            "hidden_size": config.prompt_dim,
            "mask_input_channels": config.mask_channels,
        },
        "mask_decoder_config": {
            "hidden_size": config.prompt_dim,
            "num_hidden_layers": config.decoder_depth,
            "num_attention_heads": config.decoder_heads,
            "mlp_dim": config.decoder_mlp_dim,
            "iou_head_depth": config.iou_head_depth,
            "iou_head_hidden_dim": config.iou_head_hidden,
        },
    }


def _checkpoint_config(weights: Mapping[str, Tensor], sam: str, name: str) -> ModelConfig:
    if not _SAFE_NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no name for a model: expected letters, digits, dots, dashes, underscores."
        )
    sam_config, sam_file = _sam_of(sam)
    config = paper_config(_encoder_of(weights), sam_config)
    encoder = dataclasses.replace(
        config.vrp_encoder,
        num_queries=weights[_QUERIES].shape[0],
        hidden_dim=weights[_QUERIES].shape[1],
    )
    return dataclasses.replace(config, name=name, vrp_encoder=encoder, foundation={"sam": sam_file})


def _sam_of(name_or_file: str) -> tuple[SAMConfig, FoundationFile]:
    """Return sizes and checksum of a SAM; one that the registry knows need not be here."""
    from vrpsam_app.models.foundation import describe, sam_config_of, weight_file

    if name_or_file in _SAM_OF_NAME:
        known = next(f for f in REGISTRY[name_or_file].files if f.sha256 is not None)
        named = FoundationFile(file=Path(known.file).name, sha256=str(known.sha256))
        return SAM_CONFIGS[_SAM_OF_NAME[name_or_file]], named
    file = weight_file(Path(name_or_file))
    return sam_config_of(file), describe(file)


def _encoder_of(weights: Mapping[str, Tensor]) -> SemanticEncoderName:
    """Tell which backbone a published checkpoint was trained on; it is in there."""
    if "layer3.22.conv1.weight" in weights:
        return "resnet101_v2"
    return "resnet50_v2" if "layer1.0.conv1.weight" in weights else "vgg16_bn"


def _write(out: Path, weights: Mapping[str, Tensor]) -> Path:
    """Write safetensors whole or not at all."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    if out.exists():
        raise OutputError(f"{out} exists already: choose another file, or remove it first.")
    if out.suffix != ".safetensors":
        raise OutputError(f"{out} does not end in .safetensors: give it that ending.")
    partial = out.with_suffix(".part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        plain = {key: value.contiguous().clone() for key, value in weights.items()}
        save_file(plain, partial, metadata={"format": "pt"})
        partial.chmod(0o644)  # safetensors writes for the owner alone
        partial.replace(out)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"{out} cannot be written ({error}). Check the folder's rights and the free space."
        ) from error
    return out
