"""Where the answer is cut: a small network looks at the contours that each level would draw.

A click says what is looked for and not how far it goes, so that the logits of one answer may be
right in their order and wrong in their level. At the right level contours run along edges of the
picture, few pixels lie near them, and what they part differs. This is described for a row of
levels, and a small network chooses among them; the answer's logits are lowered by what it chose.

A reference that is marked throughout says more. The model answers it as if it were a target, and a
second network of this kind also sees what each level would have made of it: the same facts, how
they differ from those of the target, and the IoU with the marks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vrpsam_app.models.closed_form_prior import in_full_precision

LEVELS = 21
FARTHEST = 5.0
"""Levels lie evenly between minus and plus this, on the scale of logits."""

BAND = 0.4
"""A pixel lies near a contour if its logit differs from the level by about this."""

STEEPNESS = 6.0
"""Of the step from below to above a level; a hard one would have no order among equal answers."""

FACTS = 11
OWN_FACTS = FACTS + 1
"""Facts of a reference's answer about itself, with the IoU that each level gives."""

TOLD_FACTS = 2 * FACTS + OWN_FACTS
HIDDEN = 16

UNUSUAL = 5.0
"""Facts count as no farther than so many deviations from what they usually are."""


class CutHead(nn.Module):
    """Choose the level at which logits are cut.

    It starts by leaving them as they are.

    Parameters
    ----------
    facts : int
        Numbers that describe a level.
    """

    levels: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, facts: int = FACTS) -> None:
        super().__init__()
        self.register_buffer("levels", torch.linspace(-FARTHEST, FARTHEST, LEVELS), False)
        self.register_buffer("mean", torch.zeros(facts))
        self.register_buffer("deviation", torch.ones(facts))
        self.near = nn.Conv1d(facts, HIDDEN, 5, padding=2)
        self.far = nn.Conv1d(2 * HIDDEN, HIDDEN, 5, padding=2)
        self.out = nn.Conv1d(HIDDEN, 1, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, facts: Tensor) -> Tensor:
        """Choose levels.

        Parameters
        ----------
        facts : shape (B, LEVELS, FACTS) or (B, LEVELS, TOLD_FACTS)
            Of :meth:`describe`, or of :func:`with_own`.

        Returns
        -------
        cut : shape (B,)
            To be taken from the logits.
        """
        x = (facts - self.mean) / self.deviation
        x = x.clamp(-UNUSUAL, UNUSUAL).transpose(1, 2)  # (B, facts, LEVELS)
        x = F.relu(self.near(x))
        # Each level is compared with what all of them are like.
        x = F.relu(self.far(torch.cat([x, x.mean(2, keepdim=True).expand_as(x)], 1)))
        cut: Tensor = self.out(x)[:, 0].softmax(1) @ self.levels
        return cut

    @torch.no_grad()
    @in_full_precision
    def describe(self, logits: Tensor, picture: Tensor) -> Tensor:
        """Describe what each level would cut out.

        Parameters
        ----------
        logits : shape (B, 1, h, w)
        picture : shape (B, 3, h, w), float in [0, 1]
            The target on the same grid.

        Returns
        -------
        facts : shape (B, LEVELS, FACTS)
        """
        grey = picture.float().mean(1, keepdim=True)
        contrast = grey.flatten(1).std(1).clamp_min(0.02)[:, None]
        edge = _slope(grey).flatten(1) / contrast  # (B, hw)
        slope, x = _slope(logits.float()).flatten(1), logits.float().flatten(1)
        distance = x[:, None] - self.levels[:, None]  # (B, LEVELS, hw)
        near = torch.exp(-((distance / BAND) ** 2))
        ones = torch.ones_like(x)
        # By the coarea formula the slope turns area near a level into length of its contour.
        mass, length, steep, along_edge = torch.einsum(
            "blp,kbp->kbl", near, torch.stack([ones, slope, slope * slope, slope * edge])
        )
        above, inside = torch.einsum(
            "blp,kbp->kbl", (STEEPNESS * distance).sigmoid_(), torch.stack([ones, x])
        )
        pixels = x.shape[1]
        share, length = above / pixels, length / pixels
        outside = x.sum(1, keepdim=True) - inside
        mean_in = inside / above.clamp_min(1e-5 * pixels)
        mean_out = outside / (pixels - above).clamp_min(1e-5 * pixels)
        apart = share * (1 - share) * (mean_in - mean_out) ** 2 / _variance(x)
        edge_on_contour = along_edge / pixels / length.clamp_min(1e-4 / pixels)
        return torch.stack(
            [
                (self.levels / FARTHEST).expand(len(x), -1),
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
        levels = torch.linspace(-FARTHEST, FARTHEST, LEVELS, device=logits.device)
    inside = (logits.flatten(1)[:, None] > levels[:, None]).float()  # (B, LEVELS, hw)
    weight = torch.ones_like(truth) if known is None else known
    weight = weight.flatten(1)
    wanted = truth.flatten(1) * weight
    hit, covered = torch.einsum("blp,kbp->kbl", inside, torch.stack([wanted, weight]))
    return hit / (wanted.sum(1, keepdim=True) + covered - hit).clamp_min(1e-6)


def _variance(x: Tensor) -> Tensor:
    return x.var(1, keepdim=True).clamp_min(1e-2)


def _slope(maps: Tensor) -> Tensor:
    """Length of the gradient by central differences, 0 at the border, (B, 1, h, w)."""
    rows = F.pad((maps[..., 2:, :] - maps[..., :-2, :]) / 2, (0, 0, 1, 1))
    cols = F.pad((maps[..., 2:] - maps[..., :-2]) / 2, (1, 1, 0, 0))
    return (rows * rows + cols * cols + 1e-12).sqrt()
