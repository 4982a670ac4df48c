"""One training run from its options: data, model, trainer, and the model folder at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from vrpsam_app.devices import choose_device
from vrpsam_app.errors import ConfigError
from vrpsam_app.models.build import build_model
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.paper_vrp_sam import PaperVRPSAM
from vrpsam_app.training.embedded_training import train_embedded
from vrpsam_app.training.paper_training import check_paper_run, train_paper
from vrpsam_app.training.training_run import TrainingRun

__all__ = ["TrainingRun", "train"]


def train(run: TrainingRun, report: Callable[[str], None] | None = None) -> Path:
    """Train, or go on training, and write the model.

    Parameters
    ----------
    run : TrainingRun
    report : callable, optional
        Receives progress lines; printed by default.

    Returns
    -------
    folder : Path
        Of the model written last.

    Raises
    ------
    ConfigError
        If data cannot be used, or options do not go together.
    DeviceError, WeightsError
        If the device, the frozen weights or the model to start from are not there.
    """
    report = report or (lambda line: print(line, flush=True))
    if run.threads:
        torch.set_num_threads(run.threads)
    device = choose_device(run.device)
    if run.config.vrp_encoder.semantic_encoder != "shared":
        check_paper_run(run)  # before a large model is built
    torch.manual_seed(run.seed)
    model = build_model(run.config)
    if isinstance(model, EmbeddedVRPSAM):
        return train_embedded(run, model, device, report)
    if isinstance(model, PaperVRPSAM):
        return train_paper(run, model, device, report)
    raise ConfigError(f"Nobody wrote down how a {type(model).__name__} is trained.")
