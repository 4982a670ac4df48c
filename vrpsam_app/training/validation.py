"""A quick look at how a model does while it trains: fixed episodes, always the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from vrpsam_app.data.annotation_simulation import GESTURES
from vrpsam_app.models.resize import resize_bilinear
from vrpsam_app.models.vrp_sam import VRPSAM
from vrpsam_app.training.batch_source import SYNTHETIC_SEEDS, GroupSource
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.episode_sampler import EpisodeMix, sample_batch
from vrpsam_app.training.losses import soft_iou
from vrpsam_app.training.objective import ImageEncoder, on_grid, run_batch, truth_on
from vrpsam_app.training.pair_batches import PairPlan

GROUPS = 8
"""Groups per source; with five gestures and two episodes each some 80 masks."""


def fixed_batches(
    sources: Sequence[tuple[str, GroupSource]], *, size: int = 192
) -> dict[str, EpisodeBatch]:
    """Draw the episodes once: name of source and gesture -> batch, always the same ones.

    Sources of one name are told apart by numbers.
    """
    batches = {}
    counts: Counter[str] = Counter()
    for given, source in sources:
        counts[given] += 1
        name = given if counts[given] == 1 else f"{given} ({counts[given]})"
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
def mean_ious(
    model: VRPSAM[Any, Any],
    batches: dict[str, EpisodeBatch],
    encode: ImageEncoder | None = None,
) -> dict[str, float]:
    """Return mean IoU of mask and of prior per batch."""
    device = next(model.parameters()).device
    figures = {}
    for name, batch in batches.items():
        masks, priors = [], []
        for episodes, output in run_batch(model, batch.to(device), encode):
            logits, pseudo = output.mask_logits, output.pseudo_mask
            truth, known = truth_on(episodes, logits)
            masks.append(soft_iou(logits, truth, known))
            truth, known = on_grid(episodes.truth, episodes.known, pseudo)
            priors.append(soft_iou(pseudo - 0.5, truth, known))
        figures[name] = float(torch.cat(masks).mean())
        figures[f"{name}/prior"] = float(torch.cat(priors).mean())
    return figures


@torch.inference_mode()
def class_ious(
    model: VRPSAM[Any, Any],
    plan: PairPlan,
    batches: int,
    encode: ImageEncoder | None = None,
) -> dict[str, float]:
    """Measure as the paper does: IoU of each class over all its pairs, at the pictures' size.

    Pictures are read anew each time, as they take more memory than a validation is worth.

    Returns
    -------
    figures : ``miou``, the mean over classes, and ``iou``, the mean over pairs
    """
    device = next(model.parameters()).device
    overlaps: dict[str, float] = {}
    unions: dict[str, float] = {}
    ious = []
    for number in range(batches):
        batch, classes = plan.classified(number)
        for episodes, output in run_batch(model, batch.to(device), encode):
            size = (episodes.truth.shape[-2], episodes.truth.shape[-1])
            align = model.config.align_corners
            logits = resize_bilinear(output.mask_logits.float(), size, align_corners=align)
            found, true = logits > 0, episodes.truth > 0.5
            if episodes.known is not None:
                found, true = found & (episodes.known > 0), true & (episodes.known > 0)
            overlap = (found & true).sum((1, 2, 3)).tolist()
            union = (found | true).sum((1, 2, 3)).tolist()
            for name, shared, either in zip(classes, overlap, union, strict=True):
                overlaps[name] = overlaps.get(name, 0.0) + shared
                unions[name] = unions.get(name, 0.0) + either
                ious.append(shared / max(either, 1))
    return {
        "miou": float(np.mean([overlaps[n] / max(unions[n], 1.0) for n in overlaps])),
        "iou": float(np.mean(ious)),
    }
