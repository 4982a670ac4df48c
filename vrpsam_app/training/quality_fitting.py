"""Teach a finished model to judge its own answers; the last stage of a run.

Masks do not change any more. So the head sees the errors of the finished model and not those of its
youth, and it can be shown as many absent objects as it needs without making the model timid. What
it reads is a row of facts about an answer: they are kept, with what the answer was worth, and the
head is fitted on them within seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.quality_head import QualityHead
from vrpsam_app.training.batch_source import stream_batches
from vrpsam_app.training.cut_fitting import SIZES
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.finished_run import FinishedRun
from vrpsam_app.training.losses import soft_iou
from vrpsam_app.training.objective import run_batch, truth_on

FOUND = 0.1
"""A mask with a lower IoU does not show the object, whether or not the target does."""

COST = 0.0025
"""Mean IoU that answers may lose by being taken for absent; each lost one loses all of its.

Pictures unlike those it was learned on lose many times as much.
"""

WORTH_OF_ABSENT = 0.5
"""Of an episode whose target lacks the object, beside 1 for one that shows it."""

PRESENCE_WEIGHT = 0.075
"""Of the presence's cross-entropy, beside 1 for the squared error of the score."""

STEPS, BATCH, RATE = 1500, 256, 4e-3


@dataclass(frozen=True, eq=False)
class JudgedAnswers:
    """Answers as the head sees them, and what they were worth.

    Attributes
    ----------
    facts : shape (N, QUALITY_FACTS)
    iou : shape (N,)
        0 where the target lacks the object.
    present : shape (N,)
    """

    facts: Tensor
    iou: Tensor
    present: Tensor

    def __len__(self) -> int:
        return len(self.iou)


@dataclass(frozen=True, slots=True)
class FittedQuality:
    """What the head does on answers it was not fitted on.

    Attributes
    ----------
    error : float
        Mean distance of score and IoU.
    threshold : float
        Presence from which on an object counts as there.
    refused : float
        Share of the targets without the object that get no mask.
    """

    error: float
    threshold: float
    refused: float


def train_quality_head(run: FinishedRun, *, episodes: int) -> float | None:
    """Fit the quality head of a finished run; more targets lack the object than the run had.

    Parameters
    ----------
    run : FinishedRun
    episodes : int
        0 leaves the head as it is.

    Returns
    -------
    threshold : float, or None where the head was left as it is
        Presence from which on an object counts as there.
    """
    model = run.model()
    if not episodes:
        return None
    head = model.quality_head.requires_grad_(False)

    def learn() -> dict[str, Any]:
        mix = dataclasses.replace(
            run.plan.mix, absent=0.25, foreign=0.2, clicks=0.0, same_image=0.0, background=0.05
        )
        stream = stream_batches(run.asking(mix, SIZES, 1), workers=run.workers)
        answers = collect_answers(model, stream, episodes, report=run.report)
        fitted = fit_quality_head(head, answers, steps=STEPS)
        run.report(
            f"quality: score {fitted.error:.3f} from the IoU, {fitted.refused:.0%} of absent "
            "objects refused, on episodes left out"
        )
        return {"head": head.state_dict(), "threshold": fitted.threshold}

    kept = run.once("quality_head.pt", episodes, learn)
    run.adopt("quality_head", kept["head"])
    return float(kept["threshold"])


@torch.no_grad()
def collect_answers(
    model: EmbeddedVRPSAM,
    batches: Iterable[EpisodeBatch],
    count: int,
    *,
    report: Callable[[str], None] = print,
) -> JudgedAnswers:
    """Let a model answer `count` episodes or more, and keep what its head is told of them."""
    device = next(model.parameters()).device
    told: list[Tensor] = []

    def listen(head: Any, given: tuple[Tensor, ...]) -> None:
        told.append(given[0].float().cpu())

    ious: list[Tensor] = []
    present: list[Tensor] = []
    said = done = 0
    listening = model.quality_head.register_forward_pre_hook(listen)
    try:
        for batch in batches:
            for episodes, output in run_batch(model, batch.to(device)):
                truth, known = truth_on(episodes, output.mask_logits)
                ious.append((soft_iou(output.mask_logits, truth, known) * episodes.present).cpu())
                present.append(episodes.present.cpu())
            done += len(batch)
            if done // 500 > said:
                said = done // 500
                report(f"quality: {done} of {count} episodes answered")
            if done >= count:
                break
    finally:
        listening.remove()
    return JudgedAnswers(torch.cat(told), torch.cat(ious), torch.cat(present))


def fit_quality_head(
    head: QualityHead, answers: JudgedAnswers, *, steps: int, seed: int = 0
) -> FittedQuality:
    """Fit the head on nine tenths of the answers, and try it on the others."""
    held = max(1, len(answers) // 10)
    learned = len(answers) - held
    device = head.mean.device
    head.mean.copy_(answers.facts[:learned].mean(0))
    head.deviation.copy_(answers.facts[:learned].std(0).clamp_min(1e-3))
    chance = torch.Generator().manual_seed(seed)
    head.requires_grad_(True)
    optimizer = torch.optim.AdamW(head.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    with torch.enable_grad():
        for _ in range(steps):
            some = torch.randint(0, learned, (BATCH,), generator=chance)
            facts, iou, present = (
                v[some].to(device) for v in (answers.facts, answers.iou, answers.present)
            )
            score, presence = head(facts).unbind(1)
            worth = torch.where(present > 0, 1.0, WORTH_OF_ABSENT)
            wrong = ((score.sigmoid() - iou) ** 2 * worth).mean()
            shown = (iou > FOUND).float()
            unsure = F.binary_cross_entropy_with_logits(presence, shown)
            loss = wrong + PRESENCE_WEIGHT * unsure
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    head.requires_grad_(False)
    score, presence = head(answers.facts.to(device)).sigmoid().cpu().unbind(1)
    here = answers.present > 0
    # A tenth of the answers would leave a gap where the threshold has to lie.
    threshold = presence_threshold(presence[here], answers.iou[here])
    left = torch.arange(len(answers)) >= learned
    return FittedQuality(
        error=float((score - answers.iou)[left & here].abs().mean()),
        threshold=threshold,
        refused=float((presence < threshold)[left & ~here].float().mean()),
    )


def presence_threshold(presence: Tensor, iou: Tensor, *, cost: float = COST) -> float:
    """Return the highest threshold at which present objects lose no more than `cost` of mean IoU.

    Never more than 0.5, so that a model that is sure of everything is taken at its word.

    Parameters
    ----------
    presence, iou : shape (N,)
        Of answers about targets that show the object.
    """
    order = presence.argsort()
    lost = iou[order].cumsum(0) / max(len(iou), 1)
    kept = presence[order][lost > cost]
    return min(0.5, float(kept[0])) if len(kept) else 0.5
