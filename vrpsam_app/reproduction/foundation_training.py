"""Training a part that is frozen afterwards: small, resumable, the same every time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vrpsam_app.training.checkpoints import load_state, save_state
from vrpsam_app.training.run_log import TRAINING, RunLog

WARM_UP = 50
SAVE_EVERY = 100
LOG_EVERY = 20
WEIGHT_DECAY = 0.01
LARGEST_GRADIENT = 1.0

Losses = dict[str, Tensor]
"""``loss``, which is minimised, and whatever else is worth a column of the log."""


def train_foundation(
    part: nn.Module,
    file: Path,
    losses: Callable[[np.random.Generator], Losses],
    *,
    steps: int,
    learning_rate: float,
    seed: int,
    report: Callable[[str], None],
) -> Path:
    """Train a part, or go on training it, and write its weights.

    Parameters
    ----------
    part : nn.Module
        On the device where it is trained; all its parameters learn.
    file : Path
        ``<name>.safetensors``, which is written at the end; state and log lie beside it in
        ``<name>/``. Where the file is there already nothing is done.
    losses : callable
        Draws a batch and computes what is minimised; all its chance comes from the generator, so
        that step k is the same whether or not the run was interrupted.
    steps : int
        Length of the cosine.
    learning_rate : float
    seed : int
    report : callable
        Receives progress lines.

    Returns
    -------
    file : Path
    """
    from safetensors.torch import save_file

    if file.is_file():
        return file
    folder = file.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    torch.use_deterministic_algorithms(True, warn_only=True)
    optimizer = torch.optim.AdamW(part.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY)
    step, seconds = 0, 0.0
    log = RunLog(folder)
    if (state := load_state(folder / "state.pt")) is not None:
        part.load_state_dict(state["part"])
        optimizer.load_state_dict(state["optimizer"])
        step, seconds = int(state["step"]), float(state["seconds"])
        log.rewind(step)
    part.train()
    started = time.monotonic() - seconds
    recent: list[dict[str, float]] = []
    while step < steps:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * schedule(step, steps)
        figures = losses(np.random.default_rng([seed, step]))
        optimizer.zero_grad(set_to_none=True)
        figures["loss"].backward()
        nn.utils.clip_grad_norm_(part.parameters(), LARGEST_GRADIENT)
        optimizer.step()
        step += 1
        seconds = time.monotonic() - started
        recent.append({name: float(value.detach()) for name, value in figures.items()})
        if step % LOG_EVERY == 0 or step == steps:
            means = {name: float(np.mean([r[name] for r in recent])) for name in recent[0]}
            log.append(TRAINING, {"step": step, "seconds": round(seconds, 1), **means})
            words = " ".join(f"{name} {value:.3f}" for name, value in means.items())
            left = seconds / step * (steps - step) / 60
            report(f"{file.stem}: step {step}/{steps} {words}, {left:.1f} min left")
            recent = []
        if step % SAVE_EVERY == 0:
            save_state(
                folder / "state.pt",
                {
                    "part": part.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "step": step,
                    "seconds": seconds,
                },
            )
    partial = file.with_suffix(".part")
    save_file({k: v.detach().cpu().contiguous() for k, v in part.state_dict().items()}, partial)
    partial.replace(file)
    return file


def schedule(step: int, steps: int) -> float:
    """Return the share of the learning rate at a step: a short warm-up, then half a cosine."""
    warm = min(1.0, (step + 1) / min(WARM_UP, max(1, steps // 4)))
    return warm * max(0.01, 0.5 * (1 + math.cos(math.pi * step / steps)))
