"""The training loop: resumable at any step, its figures in a CSV, its models in a folder.

One step draws a batch of episodes, computes the objective and moves the weights by AdamW under a
cosine schedule. Batch number k of seed s is the same on every machine and after every resume.
"""

from __future__ import annotations

import csv
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from vrpsam_app.config import ModelConfig
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.training.checkpoints import (
    MovingAverage,
    load_state,
    save_model,
    save_state,
    with_training,
)
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.objective import LossWeights, evaluate_batch

T = TypeVar("T")

BatchSource = Callable[[int], Iterator[EpisodeBatch]]
"""Given the first step, yields the batches of that step and all later ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """How long, how fast, how exactly.

    Attributes
    ----------
    steps : int
        Length of the cosine schedule.
    learning_rate, weight_decay, warmup : float, float, int
        AdamW; linear warm-up over so many steps.
    precision : {"fp32", "bf16"}
        bf16 where processor or GPU has it; weights stay fp32.
    decay : float
        Of the moving average that is saved as the model.
    save_every, log_every : int
        Steps.
    """

    steps: int
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup: int = 200
    clip: float = 1.0
    precision: str = "fp32"
    decay: float = 0.999
    save_every: int = 200
    log_every: int = 20
    seed: int = 0
    loss: LossWeights = dataclasses.field(default_factory=LossWeights)


class Trainer:
    """Train a model in a folder that can be left and taken up again.

    Parameters
    ----------
    model : EmbeddedVRPSAM
        Its parameters with ``requires_grad`` are trained.
    folder : Path
        ``state.pt`` (to resume), ``log.csv``, and the model itself.
    """

    def __init__(
        self,
        model: EmbeddedVRPSAM,
        options: TrainingOptions,
        folder: Path,
        *,
        device: torch.device,
    ) -> None:
        self.model = model.to(device)
        # Convolutions on a CPU are many times faster with the channels last.
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.options = options
        self.folder = folder
        self.device = device
        decayed, plain = _parameter_groups(model)
        # Without it sums of gradients depend on how threads were scheduled, and no run repeats.
        torch.use_deterministic_algorithms(True, warn_only=True)
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": options.weight_decay},
                {"params": plain, "weight_decay": 0.0},
            ],
            lr=options.learning_rate,
        )
        self.average = MovingAverage(model, options.decay)
        self.step = 0
        self.seconds = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        if (state := load_state(folder / "state.pt")) is not None:
            self._restore(state)

    def run(
        self,
        batches: BatchSource,
        *,
        until: Callable[[], bool] = lambda: False,
        report: Callable[[str], None] = print,
        validate: Callable[[EmbeddedVRPSAM], dict[str, float]] | None = None,
        validate_every: int = 1000,
    ) -> None:
        """Train to the end of the schedule, or until `until` says so.

        Parameters
        ----------
        batches : BatchSource
        until : callable
            Asked after each step; True stops with the state saved.
        report : callable
            Receives progress lines.
        validate : callable, optional
            Receives the averaged model, returns figures for the log.
        """
        options = self.options
        self.model.train()
        recent: list[dict[str, float]] = []
        started, before = time.monotonic(), self.seconds
        for batch in batches(self.step):
            if self.step >= options.steps or until():
                break
            recent.append(self._train_step(batch.to(self.device)))
            self.step += 1
            self.seconds = before + time.monotonic() - started
            if self.step % options.log_every == 0:
                row = {k: float(np.nanmean([r[k] for r in recent])) for k in recent[0]}
                self._log("log.csv", row)
                report(self._progress(row))
                recent = []
            if validate and self.step % validate_every == 0:
                figures = self.averaged(validate)
                self._log("validation.csv", figures)
                report("validation " + " ".join(f"{k} {v:.3f}" for k, v in figures.items()))
            if self.step % options.save_every == 0:
                self.save_state()
        self.save_state()

    def averaged(self, measure: Callable[[EmbeddedVRPSAM], T]) -> T:
        """Measure the model with its averaged weights, the ones that are saved."""
        own = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.average.weights)
        self.model.eval()
        try:
            return measure(self.model)
        finally:
            self.model.load_state_dict(own)
            self.model.train()

    def save_state(self) -> None:
        """Write all that a resume needs."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "average": self.average.weights,
            "optimizer": self.optimizer.state_dict(),
        }
        save_state(self.folder / "state.pt", state)

    def save_model(self, config: ModelConfig, folder: Path, **facts: object) -> Path:
        """Write the averaged weights as a model folder that every surface opens."""
        settings = dataclasses.asdict(self.options)
        full = with_training(config, **{"steps": self.step, "options": settings, **facts})
        return save_model(folder, full, self.average.weights)

    def _train_step(self, batch: EpisodeBatch) -> dict[str, float]:
        rate = self.options.learning_rate * self._schedule()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.options.precision == "bf16"
        ):
            outcome = evaluate_batch(self.model, batch, self.options.loss)
        self.optimizer.zero_grad(set_to_none=True)
        outcome.loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        if torch.isfinite(norm):
            self.optimizer.step()
            self.average.update(self.model, self.step)
        return {"loss": float(outcome.loss.detach()), **outcome.figures, "gradient": float(norm)}

    def _schedule(self) -> float:
        warm = min(1.0, (self.step + 1) / max(self.options.warmup, 1))
        return warm * max(0.01, 0.5 * (1 + math.cos(math.pi * self.step / self.options.steps)))

    def _progress(self, row: dict[str, float]) -> str:
        left = self.seconds / max(self.step, 1) * (self.options.steps - self.step) / 60
        figures = " ".join(f"{k} {v:.3f}" for k, v in row.items())
        return f"step {self.step}/{self.options.steps} {figures}, {left:.0f} min left"

    def _log(self, name: str, figures: dict[str, float]) -> None:
        row = {"step": self.step, "seconds": round(self.seconds, 1), **figures}
        path = self.folder / name
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)

    def _restore(self, state: dict[str, Any]) -> None:
        self.step = int(state["step"])
        self.seconds = float(state["seconds"])
        self.model.load_state_dict(state["model"])
        self.average.weights = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])


def _parameter_groups(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Split into matrices, which decay, and vectors and scalars, which do not."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [p for p in trained if p.dim() > 1], [p for p in trained if p.dim() <= 1]
