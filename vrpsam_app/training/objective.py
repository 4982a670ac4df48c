"""What is minimised: mask, prior, predicted IoU and presence of every episode in a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from vrpsam_app.models.embeddings import DecoderOutput, PromptTensors, TensorRecord
from vrpsam_app.models.resize import pool_mask, resize_bilinear
from vrpsam_app.models.vrp_sam import VRPSAM
from vrpsam_app.training.episode_batch import EpisodeBatch, EpisodeSet
from vrpsam_app.training.losses import mask_loss, soft_iou

LossName = Literal["bce", "dice", "both"]

_TERMS: Mapping[LossName, tuple[float, float]] = MappingProxyType(
    {"bce": (1.0, 0.0), "dice": (0.0, 1.0), "both": (1.0, 1.0)}
)

ImageEncoder = Callable[[EpisodeBatch], TensorRecord]
"""Gives the embedding of a batch's images, for instance from a store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """Weights of the terms; 0 switches one off.

    With ``full_size`` the logits are brought to the size of the pictures first, as in the published
    code; otherwise the truth is pooled to the decoder's grid.
    """

    bce: float = 1.0
    dice: float = 1.0
    prior: float = 0.5
    score: float = 1.0
    presence: float = 0.2
    absent: float = 0.5
    full_size: bool = False

    def of(self, loss: LossName) -> LossWeights:
        """Keep one of the two mask losses (Table 5 of the paper), or both."""
        bce, dice = _TERMS[loss]
        return replace(self, bce=bce, dice=dice)


PUBLISHED = LossWeights(prior=0.0, score=0.0, presence=0.0, absent=1.0, full_size=True)
"""BCE and Dice at the pictures' size and nothing else, as VRP-SAM was trained."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Loss with its graph, and figures for the log.

    Attributes
    ----------
    loss : Tensor
        Mean over the episodes.
    figures : dict
        ``iou`` and ``prior_iou`` of present objects, ``score_error``, ``presence_error``.
    """

    loss: Tensor
    figures: dict[str, float]


def run_batch(
    model: VRPSAM[Any, Any], batch: EpisodeBatch, encode: ImageEncoder | None = None
) -> Iterator[tuple[EpisodeSet, DecoderOutput]]:
    """Encode the images once and decode every set of episodes."""
    embedding = encode(batch) if encode else model.encode_images(batch.images.float() / 255)
    for episodes in batch.sets:
        references = references_of(model, embedding, episodes)
        prompts = None
        if episodes.points_xy.shape[1]:
            prompts = PromptTensors(
                points_xy=episodes.points_xy, point_labels=episodes.point_labels
            )
        yield episodes, model.decode(embedding.take(episodes.target_index), references, prompts)


def evaluate_batch(
    model: VRPSAM[Any, Any],
    batch: EpisodeBatch,
    weights: LossWeights | None = None,
    encode: ImageEncoder | None = None,
) -> Outcome:
    """Compute the loss of a batch; pixels that nobody knows count nowhere."""
    weights = weights or LossWeights()
    losses, present_ious, prior_ious, score_errors, presence_errors = [], [], [], [], []
    terms = {"bce_weight": weights.bce, "dice_weight": weights.dice}
    for episodes, output in run_batch(model, batch, encode):
        logits = output.mask_logits.float()
        if weights.full_size:
            size = (episodes.truth.shape[-2], episodes.truth.shape[-1])
            logits = resize_bilinear(logits, size, align_corners=model.config.align_corners)
        truth, known = truth_on(episodes, logits)
        prior = output.pseudo_mask.float()
        prior_truth, prior_known = on_grid(truth, known, prior)
        importance = torch.where(episodes.present > 0, 1.0, weights.absent)
        masks = mask_loss(logits, truth, known=known, **terms)
        if weights.prior:
            prior_logits = torch.logit(prior.clamp(1e-4, 1 - 1e-4))
            masks = masks + weights.prior * mask_loss(
                prior_logits, prior_truth, known=prior_known, **terms
            )
        quality = soft_iou(logits, truth, known)
        score = (output.score.float() - quality) ** 2 * episodes.present
        presence = F.binary_cross_entropy(
            output.presence.float().clamp(1e-5, 1 - 1e-5), episodes.present, reduction="none"
        )
        losses.append(masks * importance + weights.score * score + weights.presence * presence)
        here = episodes.present > 0
        present_ious.append(quality[here])
        prior_ious.append(soft_iou(prior - 0.5, prior_truth, prior_known)[here])
        score_errors.append(score.detach()[here].sqrt())
        presence_errors.append(((output.presence > 0.5) != here).float())
    figures = {
        "iou": _mean(present_ious),
        "prior_iou": _mean(prior_ious),
        "score_error": _mean(score_errors),
        "presence_error": _mean(presence_errors),
    }
    return Outcome(torch.cat(losses).mean(), figures)


def references_of(
    model: VRPSAM[Any, Any], embedding: TensorRecord, episodes: EpisodeSet
) -> list[Any]:
    """Encode the references of episodes, one batch for each shot."""
    return [
        model.encode_reference(
            embedding.take(episodes.reference_index[:, shot]),
            episodes.marks[:, shot],
            episodes.is_box[:, shot],
        )
        for shot in range(episodes.shots)
    ]


def truth_on(episodes: EpisodeSet, maps: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return the truth, and what of it counts, on the grid of some maps (B, C, h, w)."""
    return on_grid(episodes.truth, episodes.known, maps)


def on_grid(truth: Tensor, known: Tensor | None, maps: Tensor) -> tuple[Tensor, Tensor | None]:
    """Pool truth and known share to the grid of some maps (B, C, h, w).

    A cell's truth is that of its known part.
    """
    hw = (maps.shape[-2], maps.shape[-1])
    if known is None:
        return pool_mask(truth, hw), None
    share = pool_mask(known, hw)
    return pool_mask(truth * known, hw) / share.clamp_min(1e-6), share


def _mean(parts: list[Tensor]) -> float:
    values = torch.cat(parts)
    return float(values.mean()) if len(values) else float("nan")
