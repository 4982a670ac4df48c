"""The training loop: resumable at any step, its figures in a CSV, its models in a folder.

One step draws one batch of episodes, or several, computes the objective and moves the weights by
AdamW under a schedule. Batch number k of seed s is the same on every machine and after every
resume, and so is what dropout leaves out in step k.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from vrpsam_app.config import ModelConfig
from vrpsam_app.models.frozen_module import learned_state
from vrpsam_app.models.vrp_sam import VRPSAM
from vrpsam_app.output_paths import prepare_folder
from vrpsam_app.training.checkpoints import (
    STATE_NAME,
    MovingAverage,
    load_state,
    save_model,
    save_state,
    taking_up,
    with_training,
)
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.objective import ImageEncoder, LossWeights, evaluate_batch
from vrpsam_app.training.run_log import TRAINING, VALIDATION, RunLog

T = TypeVar("T")

BatchSource = Callable[[int], Iterator[EpisodeBatch]]
"""Given the first batch's number, yields it and all later ones."""

Validation = Callable[[VRPSAM[Any, Any]], dict[str, float]]
"""Measures a model: figures by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """How long, how fast, how exactly.

    Attributes
    ----------
    steps : int
        Length of the schedule.
    cooldown : int, optional
        Steps at its end over which the rate falls to nothing from the constant one before: such a
        run can be made longer by going back to where its cooling began. None: a cosine.
    accumulate : int
        Batches whose gradients make one step.
    learning_rate, weight_decay, warmup, floor : float, float, int, float
        AdamW; linear warm-up over so many steps; the rate never falls below `floor` of itself.
    decay_vectors : bool
        Whether biases and norms decay as well.
    clip : float, optional
        Largest norm of a step's gradient; None leaves it as it is.
    precision : {"fp32", "bf16"}
        bf16 where processor or GPU has it; weights stay fp32.
    decay : float
        Of the moving average that is saved as the model; 0 saves the weights themselves.
    save_every, log_every : int
        Steps.
    keep : str, optional
        Figure of the validation whose highest value says which weights are saved; None saves the
        last ones.
    """

    steps: int
    cooldown: int | None = None
    accumulate: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    decay_vectors: bool = False
    warmup: int = 200
    floor: float = 0.01
    clip: float | None = 1.0
    precision: str = "fp32"
    decay: float = 0.999
    save_every: int = 200
    log_every: int = 20
    keep: str | None = None
    seed: int = 0
    loss: LossWeights = dataclasses.field(default_factory=LossWeights)


class Trainer:
    """Train a model in a folder that can be left and taken up again.

    Parameters
    ----------
    model : VRPSAM
        Its parameters with ``requires_grad`` are trained; frozen parts are neither stepped nor
        saved.
    folder : Path
        ``state.pt`` (to resume), ``log.csv``, ``validation.csv``, ``curves.png``.
    encode : ImageEncoder, optional
        Stands for the model's own ``encode_images``, for instance to keep what never changes.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to.
    """

    def __init__(
        self,
        model: VRPSAM[Any, Any],
        options: TrainingOptions,
        folder: Path,
        *,
        device: torch.device,
        encode: ImageEncoder | None = None,
    ) -> None:
        self.model = model.to(device)
        # Convolutions on a CPU are many times faster with the channels last.
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.options = options
        self.folder = folder
        self.device = device
        self.encode = encode
        decayed, plain = _parameter_groups(model, options.decay_vectors)
        # Without it sums of gradients depend on how threads were scheduled, and no run repeats.
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Filling what is overwritten anyway only costs time.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
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
        self.best: tuple[float, dict[str, Tensor]] | None = None
        prepare_folder(folder)
        path = folder / STATE_NAME
        if (state := load_state(path)) is not None:
            with taking_up(path):
                self._restore(state)
        self.log = RunLog(folder)
        self.log.rewind(self.step)

    def run(
        self,
        batches: BatchSource,
        *,
        until: Callable[[], bool] = lambda: False,
        report: Callable[[str], None] = print,
        validate: Validation | None = None,
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
        stream = batches(self.step * options.accumulate)
        while self.step < options.steps and not until():
            recent.append(self._train_step(list(islice(stream, options.accumulate))))
            self.step += 1
            self.seconds = before + time.monotonic() - started
            if self.step % options.log_every == 0:
                row = _means(recent)
                self._log(TRAINING, row)
                report(self._progress(row))
                recent = []
            if validate and self.step % validate_every == 0:
                figures = self.averaged(validate)
                self._log(VALIDATION, figures)
                self._note_best(figures)
                report("validation " + " ".join(f"{k} {v:.3f}" for k, v in figures.items()))
                self.log.draw(report)
            if self.step % options.save_every == 0:
                self.save_state()
        self.save_state()
        self.log.draw(report)

    def averaged(self, measure: Callable[[VRPSAM[Any, Any]], T]) -> T:
        """Measure the model with its averaged weights, the ones that are saved."""
        own = {k: v.clone() for k, v in learned_state(self.model).items()}
        self.model.load_state_dict(self.average.weights, strict=False)
        self.model.eval()
        try:
            return measure(self.model)
        finally:
            self.model.load_state_dict(own, strict=False)
            self.model.train()

    def save_state(self) -> None:
        """Write all that a resume needs."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "model": learned_state(self.model),
            "average": self.average.weights,
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
        }
        save_state(self.folder / STATE_NAME, state)

    def save_model(self, config: ModelConfig, folder: Path, **facts: object) -> Path:
        """Write the averaged weights, or the best, as a model folder that every surface opens."""
        settings = dataclasses.asdict(self.options)
        full = with_training(config, **{"steps": self.step, "options": settings, **facts})
        weights = self.average.weights if self.best is None else self.best[1]
        # What was learned on frozen weights is small, and kept as it is.
        dtype = torch.float32 if config.foundation else torch.float16
        return save_model(folder, full, weights, dtype=dtype)

    def _train_step(self, batches: Sequence[EpisodeBatch]) -> dict[str, float]:
        rate = self.rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        # Dropout is drawn anew from seed and step, so that a resumed run leaves out the same.
        torch.manual_seed((self.options.seed << 32) + self.step)
        self.optimizer.zero_grad(set_to_none=True)
        episodes = sum(len(batch) for batch in batches)
        loss, figures = 0.0, []
        for batch in batches:
            with torch.autocast(
                self.device.type, torch.bfloat16, enabled=self.options.precision == "bf16"
            ):
                outcome = evaluate_batch(
                    self.model, batch.to(self.device), self.options.loss, self.encode
                )
            # Every episode counts alike, in whichever batch it came.
            part = outcome.loss * (len(batch) / episodes)
            part.backward()
            loss += float(part.detach())
            figures.append(outcome.figures)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip or math.inf)
        if torch.isfinite(norm):
            self.optimizer.step()
            self.average.update(self.model, self.step)
        return {"loss": loss, **_means(figures), "gradient": float(norm)}

    def _note_best(self, figures: dict[str, float]) -> None:
        if self.options.keep is None:
            return
        figure = figures[self.options.keep]
        if self.best is None or figure > self.best[0]:
            self.best = figure, {k: v.clone() for k, v in self.average.weights.items()}

    def rate(self) -> float:
        """Return the learning rate of the next step."""
        warm = min(1.0, (self.step + 1) / max(self.options.warmup, 1))
        left = self.options.steps - self.step
        if self.options.cooldown is None:
            rate = 0.5 * (1 + math.cos(math.pi * self.step / self.options.steps))
        else:
            rate = min(1.0, left / self.options.cooldown)
        return self.options.learning_rate * warm * max(self.options.floor, rate)

    def _progress(self, row: dict[str, float]) -> str:
        left = self.seconds / max(self.step, 1) * (self.options.steps - self.step) / 60
        figures = " ".join(f"{k} {v:.3f}" for k, v in row.items())
        return f"step {self.step}/{self.options.steps} {figures}, {left:.0f} min left"

    def _log(self, name: str, figures: dict[str, float]) -> None:
        self.log.append(name, {"step": self.step, "seconds": round(self.seconds, 1), **figures})

    def _restore(self, state: dict[str, Any]) -> None:
        """Take up a state, but for what is not trained here: another stage may have changed it."""
        given = {n for n, p in self.model.named_parameters() if not p.requires_grad}
        trained = {k: v for k, v in state["model"].items() if k not in given}
        kept = {k: v for k, v in self.average.weights.items() if k in given}
        self.step = int(state["step"])
        self.seconds = float(state["seconds"])
        self.model.load_state_dict(trained, strict=False)
        self.average.load({**state["average"], **kept})
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = state.get("best")


def _means(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Average each figure over the rows that have it; one row is returned as it is."""
    if len(rows) == 1:
        return rows[0]
    there = {k: [row[k] for row in rows if math.isfinite(row[k])] for k in rows[0]}
    return {k: sum(v) / len(v) if v else math.nan for k, v in there.items()}


def _parameter_groups(
    model: nn.Module, decay_vectors: bool
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Split into what decays, matrices and if wanted all, and what does not."""
    trained = [p for p in model.parameters() if p.requires_grad]
    decayed = [p for p in trained if decay_vectors or p.dim() > 1]
    return decayed, [p for p in trained if not decay_vectors and p.dim() <= 1]
