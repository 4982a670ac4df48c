"""Files a training run writes: its own state, and model folders that every surface opens."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from hub_weights.checksums import write_sums
from vrpsam_app.config import ModelConfig
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.models.frozen_module import learned_state
from vrpsam_app.output_paths import prepare_folder

STATE_NAME = "state.pt"


@contextmanager
def writing(path: Path, partial: Path | None = None) -> Iterator[None]:
    """Turn what goes wrong while a file is written into an OutputError.

    Parameters
    ----------
    path : Path
        What the message names.
    partial : Path, optional
        Removed then.

    Raises
    ------
    OutputError
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        if partial is not None:
            with suppress(OSError):
                partial.unlink()
        raise OutputError(
            f"{path} cannot be written ({getattr(error, 'strerror', None) or error}). Check the "
            "folder's rights and the free space."
        ) from error


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a training state so that a kill at any moment leaves the old or the new one.

    Raises
    ------
    OutputError
        If it cannot be written; the old one then stays.
    """
    partial = path.with_suffix(".part")
    with writing(path, partial):
        with partial.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)


def load_state(path: Path) -> dict[str, Any] | None:
    """Read a training state back, or None if there is none yet.

    Raises
    ------
    ConfigError
        If the file is no such state, or not all of one.
    """
    if not path.exists():
        return None
    with taking_up(path):
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


@contextmanager
def taking_up(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a saved state is read or taken up into a ConfigError.

    Raises
    ------
    ConfigError
    """
    try:
        yield
    except (OSError, EOFError, UnpicklingError, RuntimeError, KeyError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"{path} is not the state of this run, or is damaged ({reason}): remove it to begin "
            "anew what it keeps."
        ) from error


def save_model(
    folder: Path,
    config: ModelConfig,
    weights: Mapping[str, Tensor],
    *,
    dtype: torch.dtype = torch.float16,
) -> Path:
    """Write ``model.safetensors``, ``config.json`` and their checksums into `folder`.

    The weights appear last under their final name, so a half-written folder is never a model.

    Parameters
    ----------
    dtype : torch.dtype
        Precision of the file; fp16 halves it and changes no mask visibly (tested).

    Raises
    ------
    OutputError
        If the folder cannot be made or written to.
    """
    from safetensors.torch import save_file

    partial = prepare_folder(folder) / "model.safetensors.part"
    with writing(folder, partial):
        save_file(
            {k: v.detach().to("cpu", dtype).contiguous() for k, v in weights.items()},
            partial,
            metadata={"format": "pt", "model": config.name},
        )
        partial.chmod(0o644)  # safetensors writes for the owner alone
        config.save(folder)
        partial.replace(folder / "model.safetensors")
        write_sums(folder, ("config.json", "model.safetensors"))
    return folder


class MovingAverage:
    """Exponential moving average of what a model learns: what is shipped.

    Parameters
    ----------
    model : nn.Module
        Gives names and first values; frozen parts are left out.
    decay : float
        Share of the old value kept per step, ramped up over the first steps; with 0 the average is
        the model itself.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.weights = {k: v.detach().clone().float() for k, v in learned_state(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model's weights after step number `step`."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in learned_state(model).items():
            self.weights[name].lerp_(value.detach().float(), 1 - decay)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Take up weights that were saved; they come to the device that the model is on."""
        for name, value in self.weights.items():
            value.copy_(weights[name])


def with_training(config: ModelConfig, **facts: Any) -> ModelConfig:
    """Return the configuration with what it was trained with filled in."""
    return dataclasses.replace(config, training={**config.training, **facts})
