"""What is minimised: mask, prior, predicted IoU and presence of every episode in a batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.embeddings import DecoderOutput, PromptTensors
from vrpsam_app.models.resize import pool_mask
from vrpsam_app.training.episode_batch import EpisodeBatch, EpisodeSet
from vrpsam_app.training.losses import mask_loss, soft_iou


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """Weights of the terms; 0 switches one off."""

    bce: float = 1.0
    dice: float = 1.0
    prior: float = 0.5
    score: float = 1.0
    presence: float = 0.2
    absent: float = 0.5


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
    model: EmbeddedVRPSAM, batch: EpisodeBatch
) -> Iterator[tuple[EpisodeSet, DecoderOutput]]:
    """Encode the images once and decode every set of episodes."""
    embedding = model.encode_images(batch.images.float() / 255)
    for episodes in batch.sets:
        references = [
            model.encode_reference(
                embedding.take(episodes.reference_index[:, shot]),
                episodes.marks[:, shot],
                episodes.is_box[:, shot],
            )
            for shot in range(episodes.shots)
        ]
        prompts = PromptTensors(points_xy=episodes.points_xy, point_labels=episodes.point_labels)
        yield episodes, model.decode(embedding.take(episodes.target_index), references, prompts)


def evaluate_batch(
    model: EmbeddedVRPSAM, batch: EpisodeBatch, weights: LossWeights | None = None
) -> Outcome:
    """Compute the loss of a batch."""
    weights = weights or LossWeights()
    losses, present_ious, prior_ious, score_errors, presence_errors = [], [], [], [], []
    for episodes, output in run_batch(model, batch):
        logits = output.mask_logits.float()
        truth = pool_mask(episodes.truth, (logits.shape[-2], logits.shape[-1]))
        prior = output.pseudo_mask.float()
        prior_truth = pool_mask(truth, (prior.shape[-2], prior.shape[-1]))
        importance = torch.where(episodes.present > 0, 1.0, weights.absent)
        masks = mask_loss(logits, truth, bce_weight=weights.bce, dice_weight=weights.dice)
        priors = mask_loss(
            torch.logit(prior.clamp(1e-4, 1 - 1e-4)),
            prior_truth,
            bce_weight=weights.bce,
            dice_weight=weights.dice,
        )
        quality = soft_iou(logits, truth)
        score = (output.score.float() - quality) ** 2 * episodes.present
        presence = F.binary_cross_entropy(
            output.presence.float().clamp(1e-5, 1 - 1e-5), episodes.present, reduction="none"
        )
        losses.append(
            (masks + weights.prior * priors) * importance
            + weights.score * score
            + weights.presence * presence
        )
        here = episodes.present > 0
        present_ious.append(quality[here])
        prior_ious.append(soft_iou(prior - 0.5, prior_truth)[here])
        score_errors.append(score.detach()[here].sqrt())
        presence_errors.append(((output.presence > 0.5) != here).float())
    figures = {
        "iou": _mean(present_ious),
        "prior_iou": _mean(prior_ious),
        "score_error": _mean(score_errors),
        "presence_error": _mean(presence_errors),
    }
    return Outcome(torch.cat(losses).mean(), figures)


def _mean(parts: list[Tensor]) -> float:
    values = torch.cat(parts)
    return float(values.mean()) if len(values) else float("nan")
