"""A quick look at how a model does while it trains: fixed episodes, one figure per gesture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from vrpsam_app.data.annotation_simulation import GESTURES
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.resize import pool_mask
from vrpsam_app.training.batch_source import SYNTHETIC_SEEDS, GroupSource
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.episode_sampler import EpisodeMix, sample_batch
from vrpsam_app.training.losses import soft_iou
from vrpsam_app.training.objective import run_batch

GROUPS = 8
"""Groups per source; with five gestures and two episodes each some 80 masks."""


def fixed_batches(
    sources: Sequence[tuple[str, GroupSource]], *, size: int = 192
) -> dict[str, EpisodeBatch]:
    """Draw the episodes once: name of source and gesture -> batch, always the same ones."""
    batches = {}
    for name, source in sources:
        for gesture in GESTURES:
            rng = np.random.default_rng(SYNTHETIC_SEEDS + 1)
            groups = [source.sample(rng, size, 2) for _ in range(GROUPS)]
            mix = EpisodeMix(
                gestures=((gesture, 1.0),),
                episodes=2,
                two_shots=0,
                negatives=0,
                clicks=0,
                background=0,
                same_image=0,
                absent=0,
            )
            batch = sample_batch(groups, rng, mix)
            if batch.sets:
                batches[f"{name}/{gesture}"] = batch
    return batches


@torch.inference_mode()
def mean_ious(model: EmbeddedVRPSAM, batches: dict[str, EpisodeBatch]) -> dict[str, float]:
    """Return mean IoU of mask and of prior per batch."""
    device = next(model.parameters()).device
    figures = {}
    for name, batch in batches.items():
        masks, priors = [], []
        for episodes, output in run_batch(model, batch.to(device)):
            logits, pseudo = output.mask_logits, output.pseudo_mask
            truth = pool_mask(episodes.truth, (logits.shape[-2], logits.shape[-1]))
            masks.append(soft_iou(logits, truth))
            small = pool_mask(episodes.truth, (pseudo.shape[-2], pseudo.shape[-1]))
            priors.append(soft_iou(pseudo - 0.5, small))
        figures[name] = float(torch.cat(masks).mean())
        figures[f"{name}/prior"] = float(torch.cat(priors).mean())
    return figures
