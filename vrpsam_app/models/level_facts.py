"""What each level of an answer would cut out, in a few numbers.

At the right level contours run along edges of the picture, few pixels lie near them, and what they
part differs. And another kind of thing begins there: at a level too high the pixels at the contours
still are like those inside, at one too low already like those outside, and between two levels that
lie on either side of the object's edge their kind changes most.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vrpsam_app.models.closed_form_prior import in_full_precision
from vrpsam_app.models.dense_encoder import in_directions

LEVELS = 21
FARTHEST = 5.0
"""Levels lie evenly between minus and plus this, on the scale of logits."""

BAND = 0.4
"""A pixel lies near a contour if its logit differs from the level by about this."""

STEEPNESS = 6.0
"""Of the step from below to above a level; a hard one would have no order among equal answers."""

FACTS = 13
OWN_FACTS = FACTS + 1
"""Facts of a reference's answer about itself, with the IoU that each level gives."""

TOLD_FACTS = 2 * FACTS + OWN_FACTS

FEWEST = 1e-5
"""Share of the pixels that a mean is taken over at the least."""


@torch.no_grad()
@in_full_precision
def level_facts(logits: Tensor, picture: Tensor, features: Tensor) -> Tensor:
    """Describe what each level would cut out.

    Parameters
    ----------
    logits : shape (B, 1, h, w)
    picture : shape (B, 3, h, w), float in [0, 1]
        The target on the same grid.
    features : shape (B, D, h, w)
        What is known of its pixels, for how much they resemble each other.

    Returns
    -------
    facts : shape (B, LEVELS, FACTS)
    """
    distance = logits.float().flatten(1)[:, None] - levels_of(logits)[:, None]  # (B, LEVELS, hw)
    near = torch.exp(-((distance / BAND) ** 2))
    inside = (STEEPNESS * distance).sigmoid_()
    contours = _contours(logits.float(), picture.float(), near, inside)
    return torch.cat([contours, _kinds(features.float(), near, inside)], 2)


def levels_of(logits: Tensor) -> Tensor:
    """Return the levels, (LEVELS,)."""
    return torch.linspace(-FARTHEST, FARTHEST, LEVELS, device=logits.device)


def with_own(facts: Tensor, own: Tensor) -> Tensor:
    """Join a target's facts with those of references, (B, LEVELS, TOLD_FACTS).

    Parameters
    ----------
    facts : shape (B, LEVELS, FACTS)
    own : shape (B, LEVELS, OWN_FACTS)
    """
    theirs, values = own.split([FACTS, 1], 2)
    return torch.cat([facts, theirs, facts - theirs, values], 2)


def level_values(
    logits: Tensor, truth: Tensor, known: Tensor | None = None, levels: Tensor | None = None
) -> Tensor:
    """Return the IoU of what each level cuts out, (B, LEVELS).

    Parameters
    ----------
    logits, truth, known : shape (B, 1, h, w)
    levels : shape (LEVELS,)
        By default those of a head.
    """
    if levels is None:
        levels = levels_of(logits)
    inside = (logits.flatten(1)[:, None] > levels[:, None]).float()  # (B, LEVELS, hw)
    weight = torch.ones_like(truth) if known is None else known
    weight = weight.flatten(1)
    wanted = truth.flatten(1) * weight
    hit, covered = torch.einsum("blp,kbp->kbl", inside, torch.stack([wanted, weight]))
    return hit / (wanted.sum(1, keepdim=True) + covered - hit).clamp_min(1e-6)


def _contours(logits: Tensor, picture: Tensor, near: Tensor, inside: Tensor) -> Tensor:
    """Describe the contours, and how far apart the logits are that they part."""
    grey = picture.mean(1, keepdim=True)
    contrast = grey.flatten(1).std(1).clamp_min(0.02)[:, None]
    edge = _slope(grey).flatten(1) / contrast  # (B, hw)
    slope, x = _slope(logits).flatten(1), logits.flatten(1)
    ones = torch.ones_like(x)
    # By the coarea formula the slope turns area near a level into length of its contour.
    mass, length, steep, along_edge = torch.einsum(
        "blp,kbp->kbl", near, torch.stack([ones, slope, slope * slope, slope * edge])
    )
    above, total = torch.einsum("blp,kbp->kbl", inside, torch.stack([ones, x]))
    pixels = x.shape[1]
    share, length = above / pixels, length / pixels
    mean_in = total / above.clamp_min(FEWEST * pixels)
    mean_out = (x.sum(1, keepdim=True) - total) / (pixels - above).clamp_min(FEWEST * pixels)
    apart = share * (1 - share) * (mean_in - mean_out) ** 2 / _variance(x)
    edge_on_contour = along_edge / pixels / length.clamp_min(1e-4 / pixels)
    return torch.stack(
        [
            (levels_of(logits) / FARTHEST).expand(len(x), -1),
            (share + 1e-4).log() / 4,
            (mass / pixels + 1e-4).log() / 4,
            steep / pixels / length.clamp_min(1e-4 / pixels),
            edge_on_contour,
            edge_on_contour / (edge.mean(1, keepdim=True) + 0.02) / 3,
            (length + 1e-5).log() / 4,
            (length / (share.sqrt() + 1e-3)).clamp_max(2),
            mean_in / FARTHEST,
            mean_out / FARTHEST,
            apart,
        ],
        2,
    )


def _kinds(features: Tensor, near: Tensor, inside: Tensor) -> Tensor:
    """Describe of which kind the pixels at the contours are, and how fast that changes."""
    pixels = near.shape[2]
    known = in_directions(features).flatten(2)  # (B, D, hw)
    spread = known.var(2).sum(1).clamp_min(1e-4)[:, None]
    fewest = FEWEST * pixels
    above = inside.sum(2)
    total_near, total_in = (torch.einsum("blp,bdp->bld", share, known) for share in (near, inside))
    total_out = known.sum(2)[:, None] - total_in
    at = total_near / near.sum(2).clamp_min(fewest)[..., None]
    within = total_in / above.clamp_min(fewest)[..., None]
    without = total_out / (pixels - above).clamp_min(fewest)[..., None]
    apart = within - without
    place = ((at - without) * apart).sum(2) / apart.square().sum(2).clamp_min(1e-3)
    change = ((at[:, 2:] - at[:, :-2]).square().sum(2) / spread).clamp_max(9).sqrt()
    return torch.stack([place.clamp(-1, 2), F.pad(change, (1, 1))], 2)


def _variance(x: Tensor) -> Tensor:
    return x.var(1, keepdim=True).clamp_min(1e-2)


def _slope(maps: Tensor) -> Tensor:
    """Length of the gradient by central differences, 0 at the border, (B, 1, h, w)."""
    rows = F.pad((maps[..., 2:, :] - maps[..., :-2, :]) / 2, (0, 0, 1, 1))
    cols = F.pad((maps[..., 2:] - maps[..., :-2]) / 2, (1, 1, 0, 0))
    return (rows * rows + cols * cols + 1e-12).sqrt()
