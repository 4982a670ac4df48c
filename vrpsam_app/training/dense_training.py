"""The first stage of a run: the dense encoder learns from names and from fits.

Two things are asked of its features. A straight line through them has to say of each pixel which of
the kinds it is that the labels of its picture name. And the closed-form fit on a reference's marks
has to find the same class in another picture, as it will be asked to.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vrpsam_app.models.closed_form_prior import ClosedFormPrior
from vrpsam_app.models.dense_encoder import DENSE, DenseEncoder
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.filter_bank import FilterBank
from vrpsam_app.models.resize import pool_mask
from vrpsam_app.training.batch_source import BatchPlan, stream_batches
from vrpsam_app.training.checkpoints import MovingAverage, load_state, save_state, taking_up
from vrpsam_app.training.dense_batches import DenseBatch, DensePlan
from vrpsam_app.training.dense_kinds import DenseKinds
from vrpsam_app.training.losses import dice_loss, mask_loss
from vrpsam_app.training.objective import on_grid

RATE, WARMUP, DECAY, CLIP = 2e-3, 200, 0.999, 2.0
RATE_AGAIN = 1.2e-3
"""Of an encoder that was taught before."""

SHOWN = 8
"""Batches from which such an encoder gets its statistics back."""
FIT_WEIGHT = 1.5
"""Of what the fit misses, beside 1 for what is named wrongly."""

SETTLED = 0.8
"""Share of the steps after which batch statistics stand still, as they will in use."""

SAVE_EVERY, SAY_EVERY = 100, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseSchedule:
    """How long, how fast and from what the encoder learns.

    Attributes
    ----------
    steps : int
        0 leaves it as it is.
    rate, warmup : float, int
        Height of the learning rate, and steps over which it rises to it.
    naming : float
        Weight of what is named wrongly; with 0 it learns from fits alone.
    again : bool
        Whether it goes on from what it knows.
    precision : {"fp32", "bf16"}
    """

    steps: int
    rate: float = RATE
    warmup: int = WARMUP
    naming: float = 1.0
    again: bool = False
    precision: str = "fp32"

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step."""
        warm = min(1.0, (step + 1) / self.warmup)
        left = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return self.rate * warm * (0.01 + 0.99 * left)


class DenseLearner(nn.Module):
    """The encoder with what its features are judged by.

    Parameters
    ----------
    width : int
        Of the encoder.
    kinds : int
    """

    def __init__(self, width: int, kinds: int) -> None:
        super().__init__()
        self.bank = FilterBank()
        self.encoder = DenseEncoder(width, learning=True)
        self.heads = nn.Conv2d(DENSE, kinds, 1)
        self.prior = ClosedFormPrior(DENSE)
        self.prior.log_scale.requires_grad_(False)

    def losses(self, batch: DenseBatch) -> tuple[Tensor, Tensor]:
        """Return what is named wrongly, and what fits miss."""
        images = batch.episodes.images.float() / 255
        features = self.encoder(images, self.bank(F.avg_pool2d(images, 2)))
        return (
            naming_loss(self.heads(features).float(), batch),
            self._fit_loss(F.avg_pool2d(features.float(), 2), batch),
        )

    @torch.no_grad()
    def take_up(self, model: EmbeddedVRPSAM, batches: list[DenseBatch]) -> None:
        """Go on with what a model has been taught; what names are read from is learned anew."""

        def show(encoder: DenseEncoder) -> None:
            for batch in batches:
                images = batch.episodes.images.float() / 255
                encoder(images, self.bank(F.avg_pool2d(images, 2)))

        self.encoder.load_state_dict(model.dense_encoder.unfolded(show).state_dict())
        self.prior.load_state_dict(model.dense_prior.state_dict())

    def settle(self) -> None:
        """Let batch statistics stand still."""
        for part in self.encoder.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()

    def _fit_loss(self, features: Tensor, batch: DenseBatch) -> Tensor:
        losses = []
        hw = (features.shape[-2], features.shape[-1])
        for episodes in batch.episodes.sets:
            marks = pool_mask(episodes.marks[:, 0], hw)
            reference = features[episodes.reference_index[:, 0]]
            equations = self.prior.fit(reference, marks, episodes.is_box[:, 0])
            score = self.prior.score(features[episodes.target_index], equations)
            logits = self.prior.logits(score, equations)
            truth, known = on_grid(episodes.truth, episodes.known, logits)
            losses.append(mask_loss(logits, truth, known=known))
        return torch.cat(losses).mean()


def naming_loss(logits: Tensor, batch: DenseBatch) -> Tensor:
    """Judge what is said of each kind that a picture's labels tell of; every picture counts alike.

    Parameters
    ----------
    logits : shape (N, K, h, w)
    """
    image, kind = batch.taught.nonzero(as_tuple=True)
    said, truth = logits[image, kind, None], batch.shares[image, kind, None]
    known = batch.known[image]
    doubled = 2 * mask_loss(said, truth, dice_weight=0, known=known)
    shown = ((truth * known).sum((1, 2, 3)) > 1).float()
    overlap = dice_loss(said.sigmoid() * known, truth * known) * shown
    weight = 1 / batch.taught.sum(1)[image]
    return ((doubled + overlap) * weight).sum() / weight.sum()


def train_dense(
    model: EmbeddedVRPSAM,
    plan: BatchPlan,
    folder: Path,
    schedule: DenseSchedule,
    *,
    workers: int,
    device: torch.device,
    report: Callable[[str], None],
    until: Callable[[], bool] = lambda: False,
) -> int:
    """Teach a model's dense encoder, or go on where that was stopped.

    Parameters
    ----------
    model : EmbeddedVRPSAM
        Gets the encoder, with its statistics inside its weights, and the fit on its features.
    plan : BatchPlan
        Its sources and seed are what is drawn from.
    folder : Path
        Keeps the state.
    until : callable
        Asked after each step; True stops with the state saved.

    Returns
    -------
    step : int
        Where it stands: at the last one unless it was stopped.

    Raises
    ------
    ConfigError
        If the state in the folder is damaged, or of another encoder.
    """
    steps, path = schedule.steps, folder / "dense.pt"
    if not steps and not path.exists():
        return 0
    kinds = DenseKinds.of([source for source, _ in plan.sources])
    dense_plan = DensePlan.like(plan, kinds)
    torch.manual_seed(plan.seed)
    learner = DenseLearner(model.dense_encoder.width, len(kinds))
    state = load_state(path)
    if schedule.again and state is None:
        learner.take_up(model, [dense_plan.batch(number) for number in range(SHOWN)])
    learner.to(device)
    learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learned = [p for p in learner.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=schedule.rate, weight_decay=0.02)
    average = MovingAverage(learner, DECAY)
    with taking_up(path):
        step = _restore(state, learner, optimizer, average)
    report(f"dense encoder: {len(kinds)} kinds, from step {step} of {steps}")
    stream = stream_batches(dense_plan, step, workers=workers)
    started, first = time.monotonic(), step
    recent: list[tuple[float, float]] = []
    while step < steps:
        batch = next(stream).to(device)
        learner.train()
        if step >= SETTLED * steps:
            learner.settle()
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate_at(step)
        with torch.autocast(device.type, torch.bfloat16, enabled=schedule.precision == "bf16"):
            named, fitted = learner.losses(batch)
        optimizer.zero_grad(set_to_none=True)
        (schedule.naming * named + FIT_WEIGHT * fitted).backward()
        nn.utils.clip_grad_norm_(learned, CLIP)
        optimizer.step()
        average.update(learner, step)
        step += 1
        recent.append((float(named.detach()), float(fitted.detach())))
        if step % SAY_EVERY == 0:
            name, fit = (sum(column) / len(recent) for column in zip(*recent, strict=True))
            each = (time.monotonic() - started) / (step - first)
            figures = f"naming {name:.3f} fit {fit:.3f}" if schedule.naming else f"fit {fit:.3f}"
            report(f"dense {step}/{steps} {figures} {each:.2f} s a step")
            recent = []
        stopped = until()
        if stopped or step % SAVE_EVERY == 0 or step == steps:
            state = {"step": step, "learner": learner.state_dict(), "average": average.weights}
            save_state(path, {**state, "optimizer": optimizer.state_dict()})
        if stopped:
            break
    learner.load_state_dict(average.weights)
    model.dense_encoder.load_state_dict(learner.encoder.folded().state_dict())
    model.dense_prior.load_state_dict(learner.prior.state_dict())
    return step


def _restore(
    state: dict[str, Any] | None,
    learner: DenseLearner,
    optimizer: torch.optim.Optimizer,
    average: MovingAverage,
) -> int:
    """Take up a state, if there is one; return the step it stands at."""
    if state is None:
        return 0
    learner.load_state_dict(state["learner"])
    optimizer.load_state_dict(state["optimizer"])
    average.load(state["average"])
    return int(state["step"])
