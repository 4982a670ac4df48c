"""A mask and its evidence in a few numbers, for the head that judges masks."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vrpsam_app.models.closed_form_prior import NormalEquations
from vrpsam_app.models.resize import pool_mask

QUALITY_FACTS = 20
"""Numbers about a mask that the quality head reads."""


class DenseEvidence(NamedTuple):
    """What dense features say of targets.

    Attributes
    ----------
    features : shape (B, D, h, w)
    equations : NormalEquations
        Of the references.
    score : shape (B, 1, h, w)
    margin : shape (B,)
        How far the fit tells object and background apart in the references.
    """

    features: Tensor
    equations: NormalEquations
    score: Tensor
    margin: Tensor


class Drawing(NamedTuple):
    """What the network answers, with the evidence that it had.

    Attributes
    ----------
    logits : shape (B, 1, h2, w2)
    coarse : shape (B, 1, h2, w2)
        The part of it that the closed-form prior and local texture gave.
    prior_logits, score, cosine : shape (B, 1, h, w)
        Of the closed-form prior, and similarity to the object; the latter on a coarser grid.
    margin, cells : shape (B,)
        Of the closed-form fit.
    dense : DenseEvidence
    """

    logits: Tensor
    coarse: Tensor
    prior_logits: Tensor
    score: Tensor
    cosine: Tensor
    margin: Tensor
    cells: Tensor
    dense: DenseEvidence


@torch.no_grad()
def quality_facts(logits: Tensor, drawing: Drawing, told: Tensor) -> Tensor:
    """Describe a mask and its evidence, (B, QUALITY_FACTS).

    Without gradients: a mask is not to be changed for the sake of being judged well.

    Parameters
    ----------
    logits : shape (B, 1, h2, w2)
        The answer, with fits and cut.
    drawing : Drawing
        The network's part of it.
    told : shape (B, 2)
        Whether the references mark everything of their kind, and the best IoU that any level of
        the answer about the reference itself would have; both 0 where an object is marked.
    """
    _, coarse, _, score, cosine, margin, cells, dense = drawing
    probability, prior = logits.float().sigmoid(), coarse.float().sigmoid()
    flat, inside = probability.flatten(1), probability.flatten(1) > 0.5
    both = torch.minimum(flat, prior.flatten(1)).sum(1)
    either = torch.maximum(flat, prior.flatten(1)).sum(1)
    similar, scored, named = cosine.float(), score.float(), dense.score.float()
    inside_coarse = pool_mask(probability, (similar.shape[-2], similar.shape[-1]))
    inside_fine = pool_mask(probability, (scored.shape[-2], scored.shape[-1]))
    kindred, apart = _kindred(dense, inside_fine)
    facts = torch.stack(
        [
            (flat * inside).sum(1) / inside.sum(1).clamp_min(1),
            both / either.clamp_min(1e-3),
            inside.float().mean(1).sqrt(),
            ((flat > 0.2) & (flat < 0.8)).float().mean(1).sqrt(),
            scored.flatten(1).amax(1),
            torch.quantile(scored.flatten(1), 0.98, dim=1),
            _mean_under(scored, inside_fine),
            similar.flatten(1).amax(1),
            _mean_under(similar, inside_coarse),
            _mean_under(similar, 1 - inside_coarse),
            margin.float(),
            cells.float().clamp_min(0.5).log() / 4,
            torch.quantile(named.flatten(1), 0.98, dim=1),
            _mean_under(named, inside_fine),
            _mean_under(named, 1 - inside_fine),
            dense.margin.float(),
            kindred,
            apart,
        ],
        1,
    )
    return torch.cat([facts, told.float()], 1)


def _kindred(dense: DenseEvidence, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Compare what was found with the references' object by mean dense features.

    Returns
    -------
    kindred, apart : shape (B,)
        Cosine, and distance in deviations of a feature.
    """
    shown = dense.equations.positive_mean[:, :-1].float()  # without the constant
    shown = shown / dense.equations.has_positive.clamp_min(1)[:, None]
    total = inside.sum((2, 3)).clamp_min(1e-3)
    found = (dense.features.float() * inside).sum((2, 3)) / total  # (B, D)
    return F.cosine_similarity(found, shown, dim=1), (found - shown).square().mean(1).sqrt()


def _mean_under(maps: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of maps (B, 1, h, w), (B,); 0 where nothing weighs."""
    total = weights.sum((1, 2, 3))
    mean: Tensor = (maps * weights).sum((1, 2, 3)) / total.clamp_min(1e-3)
    return mean
