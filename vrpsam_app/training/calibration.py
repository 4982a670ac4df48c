"""Choose from which presence on an object counts as there, on scenes nothing was learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from vrpsam_app.models.vrp_sam import VRPSAM
from vrpsam_app.training.batch_source import SYNTHETIC_SEEDS, GroupSource
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.episode_sampler import EpisodeMix, sample_batch
from vrpsam_app.training.losses import soft_iou
from vrpsam_app.training.objective import run_batch, truth_on

COST = 0.005
"""Mean IoU that present objects may lose by being judged absent; each lost one loses all of its."""

BATCHES = 24


def calibration_batches(source: GroupSource, *, size: int = 192) -> list[EpisodeBatch]:
    """Draw the same episodes each time, half of them (where a scene allows) without the object."""
    mix = EpisodeMix(episodes=4, two_shots=0, clicks=0, background=0, same_image=0, absent=0.5)
    rng = np.random.default_rng(SYNTHETIC_SEEDS + 2)
    drawn = (
        sample_batch([source.sample(rng, size, 3) for _ in range(2)], rng, mix)
        for _ in range(BATCHES)
    )
    return [batch for batch in drawn if batch.sets]


@torch.inference_mode()
def presence_threshold(
    model: VRPSAM[Any, Any], batches: list[EpisodeBatch], *, cost: float = COST
) -> float:
    """Return the highest threshold at which present objects lose no more than `cost` of mean IoU.

    Never more than 0.5, so that a model that is sure of everything is taken at its word.
    """
    device = next(model.parameters()).device
    presences, ious = [], []
    for batch in batches:
        for episodes, output in run_batch(model, batch.to(device)):
            here = episodes.present > 0
            logits = output.mask_logits
            truth, known = truth_on(episodes, logits)
            presences.append(output.presence[here].float().cpu())
            ious.append(soft_iou(logits, truth, known)[here].cpu())
    presence, iou = torch.cat(presences), torch.cat(ious)
    order = presence.argsort()
    lost = iou[order].cumsum(0) / max(len(iou), 1)
    kept = presence[order][lost > cost]
    return min(0.5, float(kept[0])) if len(kept) else 0.5
