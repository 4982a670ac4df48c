"""A ridge classifier fitted on the annotated reference: a pseudo-mask in closed form.

The published pseudo-mask compares every target position with the reference object by cosine. This
one solves for the linear classifier that tells the marked pixels from the rest, and applies it to
the target. It is differentiable, so the features learn to be separable from one example, and with
fixed filters among the features it still works on pictures unlike any training image.

Unmarked pixels are unknown, not background: they enter with a small weight, and each of a few
refits leaves out those that the fit before takes for the object.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple, ParamSpec, TypeVar

import torch
from torch import Tensor, nn

SCORE_LIMIT = 3.0
"""Normalised scores are clipped here: -1 is the mean background, +1 the mean object."""

REFITS = 3
"""Further ones change little (tried up to five)."""

FEW_CELLS = 20.0
"""Marked cells from which on an object is taken to be shown well rather than by a click."""


P = ParamSpec("P")
R = TypeVar("R")


def in_full_precision(method: Callable[P, R]) -> Callable[P, R]:
    """Keep mixed precision out: in bf16 the moments would be wrong by as much as the ridge adds."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        given = next(a for a in args if isinstance(a, Tensor | tuple))
        tensor = given if isinstance(given, Tensor) else given[0]
        with torch.autocast(tensor.device.type, enabled=False):
            return method(*args, **kwargs)

    return call


class NormalEquations(NamedTuple):
    """What one annotated reference adds to the fit; equations of several references add up.

    Attributes
    ----------
    gram : shape (B, D, D)
        Weighted second moments of the features.
    target : shape (B, D)
        Weighted sums of the features, object positive, background negative.
    positive_mean, background_mean : shape (B, D)
        Mean feature of the object and of what counts as background.
    has_positive, has_background : shape (B,)
        1 where the reference says anything about the object / the background.
    cells : shape (B,)
        Marked cells of the object: the fewer, the less the fit is trusted.
    """

    gram: Tensor
    target: Tensor
    positive_mean: Tensor
    background_mean: Tensor
    has_positive: Tensor
    has_background: Tensor
    cells: Tensor

    def __add__(self, other: NormalEquations) -> NormalEquations:  # type: ignore[override]
        return NormalEquations(*(a + b for a, b in zip(self, other, strict=True)))


class ClosedFormPrior(nn.Module):
    """Fit on references, score targets.

    Parameters
    ----------
    channels : int
        Number D - 1 of feature channels; a constant one is appended.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        # The starting values are the best of a small grid on untrained features: a click wants a
        # hundred times the ridge of a full mask, and a lower threshold.
        self.log_ridge = nn.Parameter(torch.tensor(-4.5))
        self.log_ridge_per_cell = nn.Parameter(torch.tensor(1.2))
        self.log_weak = nn.Parameter(torch.tensor(-0.5))  # ring outside a box
        self.log_unknown = nn.Parameter(torch.tensor(-1.0))  # unmarked pixels
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.gain = nn.Parameter(torch.tensor(2.0))
        self.shift = nn.Parameter(torch.tensor(-0.05))
        self.shift_of_few = nn.Parameter(torch.tensor(0.5))

    @in_full_precision
    def fit(self, features: Tensor, marks: Tensor, is_box: Tensor) -> NormalEquations:
        """Fit one reference per batch item, several times over (module docstring).

        Parameters
        ----------
        features : shape (B, D - 1, h, w)
            Classifier features of the reference images.
        marks : shape (B, 3, h, w), float in [0, 1]
            Share of each cell that is object, certain background, weak background.
        is_box : shape (B,), bool
            The object fills most of the marked area, not all of it.

        Returns
        -------
        equations : NormalEquations
            To be added over the references of a class and passed to :meth:`score`.
        """
        x = self._rows(features)  # (B, hw, D)
        positive, certain, weak = marks.float().flatten(2).unbind(1)  # each (B, hw)
        unknown = (1 - positive - certain - weak).clamp(0, 1)
        keep, left = torch.ones_like(positive), unknown
        with torch.no_grad():
            for _ in range(REFITS):
                equations = self._equations(x, positive * keep, certain, weak, left)
                looks_like_object = torch.sigmoid(4 * self._scored(equations, x))
                keep = torch.where(is_box[:, None], 0.1 + 0.9 * looks_like_object, 1.0)
                left = unknown * (1.02 - looks_like_object)
        return self._equations(x, positive * keep, certain, weak, left)

    @in_full_precision
    def score(self, features: Tensor, equations: NormalEquations) -> Tensor:
        """Score every pixel of the targets.

        Parameters
        ----------
        features : shape (B, D - 1, h, w)
            Classifier features of the targets.
        equations : NormalEquations
            The sum over the references of each target's class.

        Returns
        -------
        score : shape (B, 1, h, w)
            -1 at the mean background of the references, +1 at their mean object, clipped to
            +-``SCORE_LIMIT``.
        """
        score = self._scored(equations, self._rows(features))
        return score.reshape(features.shape[0], 1, *features.shape[-2:])

    @in_full_precision
    def margin(self, equations: NormalEquations) -> Tensor:
        """Return how far the fit tells object and background apart, (B,): 0 not at all, 2 fully."""
        high, low = self._levels(equations, self._solve(equations))
        return high - low

    def logits(self, score: Tensor, equations: NormalEquations) -> Tensor:
        """Turn scores into mask logits; the fewer cells were marked, the lower the threshold."""
        few = 1 / (1 + equations.cells / FEW_CELLS)
        shift = self.shift + self.shift_of_few * few
        return self.gain * (score + shift[:, None, None, None])

    def _rows(self, features: Tensor) -> Tensor:
        features = features.float() * self.log_scale.exp()[:, None, None]
        rows = features.flatten(2).transpose(1, 2)  # (B, hw, D - 1)
        return torch.cat([rows, torch.ones_like(rows[..., :1])], 2)

    def _equations(
        self, x: Tensor, positive: Tensor, certain: Tensor, weak: Tensor, unknown: Tensor
    ) -> NormalEquations:
        """Weigh object and background so that each has mass 1, however few pixels it has."""
        p, has_positive = _unit_mass(positive)
        parts = [_unit_mass(m) for m in (certain, weak, unknown)]
        importance = torch.stack(
            [torch.ones_like(self.log_weak), self.log_weak.exp(), self.log_unknown.exp()]
        )
        share = torch.stack([has for _, has in parts], 1) * importance  # (B, 3)
        share = share / share.sum(1, keepdim=True).clamp_min(1e-6)
        n = sum(m * share[:, k : k + 1] for k, (m, _) in enumerate(parts))
        # A reference that only says "not this" must not turn its unmarked pixels into background.
        only_negative = (has_positive == 0)[:, None]
        n = torch.where(only_negative, parts[0][0], n)
        has_background = torch.stack([has for _, has in parts], 1).amax(1)
        positive_mean = torch.einsum("bp,bpd->bd", p, x)
        background_mean = torch.einsum("bp,bpd->bd", n, x)
        weighted = x * (p + n)[..., None]
        return NormalEquations(
            gram=torch.einsum("bpd,bpe->bde", weighted, x),
            target=positive_mean - background_mean,
            positive_mean=positive_mean,
            background_mean=background_mean,
            has_positive=has_positive,
            has_background=has_background,
            cells=positive.sum(1),
        )

    def _solve(self, equations: NormalEquations) -> Tensor:
        size = equations.gram.shape[-1]
        mass = (equations.has_positive + equations.has_background).clamp_min(1)[:, None, None]
        per_cell = self.log_ridge_per_cell.exp() / equations.cells.clamp_min(0.5)
        ridge = (self.log_ridge.exp() + per_cell)[:, None, None]
        system = equations.gram / mass + ridge * torch.eye(size, device=equations.gram.device)
        right = (equations.target / mass[:, 0])[..., None]
        solution: Tensor = torch.linalg.solve(system, right)[..., 0]
        return solution

    def _scored(self, equations: NormalEquations, x: Tensor) -> Tensor:
        """Score rows (B, hw, D), so that background and object have means -1 and +1."""
        weights = self._solve(equations)
        high, low = self._levels(equations, weights)
        middle, half = (high + low) / 2, ((high - low) / 2).clamp_min(1e-4)
        raw = torch.einsum("bpd,bd->bp", x, weights)
        score = (raw - middle[:, None]) / half[:, None]
        return score.clamp(-SCORE_LIMIT, SCORE_LIMIT)

    @staticmethod
    def _levels(equations: NormalEquations, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the classifier says of the mean object and the mean background, each (B,)."""
        high = (equations.positive_mean * weights).sum(1)
        low = (equations.background_mean * weights).sum(1)
        positives = equations.has_positive.clamp_min(1)
        return high / positives, low / equations.has_background.clamp_min(1)


def _unit_mass(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Scale each row to sum 1; also return whether it had any mass."""
    total = weights.sum(1, keepdim=True)
    has = (total > 1e-4).float()
    return weights / total.clamp_min(1e-4) * has, has[:, 0]
