"""From a folder of weights to a model ready to predict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from hub_weights import ChecksumMismatchError as FolderChecksumMismatchError
from hub_weights import HubWeightsError, ModelFolder, find_model
from vrpsam_app.config import ModelConfig
from vrpsam_app.errors import ChecksumMismatchError, WeightsError, WeightsMismatchError
from vrpsam_app.models.build import build_model
from vrpsam_app.models.vrp_sam import VRPSAM


def load_model(name_or_folder: str | Path) -> tuple[VRPSAM[Any, Any], ModelFolder]:
    """Find, verify, build and fill a model, in evaluation mode.

    Raises
    ------
    WeightsError
        If there is no such model or its files cannot be read.
    ChecksumMismatchError
        If the weights are not the recorded bytes.
    WeightsMismatchError
        If the file's tensors are not the ones the configuration asks for.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        folder = find_model(name_or_folder)
    except FolderChecksumMismatchError as error:
        raise ChecksumMismatchError(str(error)) from error
    except HubWeightsError as error:
        raise WeightsError(str(error)) from error
    model = build_model(ModelConfig.load(folder.path))
    try:
        weights = load_file(folder.weights)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{folder.weights} cannot be read as safetensors ({error}). Fetch it again."
        ) from error
    fill(model, {k: v.float() for k, v in weights.items()}, str(folder.weights))
    return model.eval().requires_grad_(False), folder


def fill(model: nn.Module, weights: dict[str, torch.Tensor], source: str) -> None:
    """Load weights strictly, naming every tensor that is missing, unexpected or misshapen.

    Raises
    ------
    WeightsMismatchError
    """
    own = model.state_dict()
    missing = sorted(set(own) - set(weights))
    unexpected = sorted(set(weights) - set(own))
    misshapen = sorted(k for k in set(own) & set(weights) if own[k].shape != weights[k].shape)
    if missing or unexpected or misshapen:
        raise WeightsMismatchError(
            f"{source} does not fit its configuration. Missing: {_named(missing)}. Unexpected: "
            f"{_named(unexpected)}. Other shape: {_named(misshapen)}. Use the config.json that "
            "was saved with these weights."
        )
    model.load_state_dict(weights)


def _named(keys: list[str]) -> str:
    return ", ".join(keys) or "none"
