"""A classifier with curved borders, fitted in closed form where a reference is marked throughout.

Where everything of a kind is marked, the rest is known background, and a fit can be tried on parts
of the reference that it was not fitted on. That allows what one stroke does not: random Fourier
features (Rahimi and Recht, 2007), which draw curved borders between materials, a ridge and a
threshold that are chosen by what is found in those parts, and an honest guess of how well the fit
works. The reference is divided into blocks, which take turns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from vrpsam_app.models.closed_form_prior import SCORE_LIMIT, in_full_precision

FOLDS = 4
BLOCKS = 8
"""Blocks along each side of a reference; neighbours belong to different folds."""

FOURIER_CHANNELS = 256
RIDGES = (0.01, 0.1)
"""On features of unit variance and classes of unit mass; the one that finds more is taken."""

THRESHOLDS = (-1.0, 1.4, 25)
"""First, last and number of the thresholds that are tried."""

MOST_IN_ONE_FOLD = 0.75
"""With more of the object than this in one fold, little is left to find it by without that."""

ROWS_AT_ONCE = 8192

FEW = 0.02
"""A cell of which less than this share is object does not count as one of the object's."""


class Samples(NamedTuple):
    """Cells of annotated references, the same number from each fold.

    Attributes
    ----------
    features : shape (B, FOLDS, K, D)
    shares : shape (B, FOLDS, K, 2)
        Area, in cells, of object and of background that each stands for.
    """

    features: Tensor
    shares: Tensor


class CurvedFit(NamedTuple):
    """A fitted classifier.

    Attributes
    ----------
    mean, deviation : shape (B, D)
        Of the references' features.
    weights : shape (B, D + FOURIER_CHANNELS + 1)
    middle, half : shape (B,)
        Of what it says of the mean object and the mean background.
    threshold : shape (B,)
        From which score on it finds most of the object, on parts it was not fitted on.
    quality : shape (B,)
        IoU there; 0 where the object lies in one part.
    """

    mean: Tensor
    deviation: Tensor
    weights: Tensor
    middle: Tensor
    half: Tensor
    threshold: Tensor
    quality: Tensor


class CurvedPrior(nn.Module):
    """Sample references, fit on samples, score targets.

    Parameters
    ----------
    channels : int
        Number D of feature channels.
    width : float
        Standard deviation of the projections of features of unit variance.
    samples : int
        Cells that are taken from each reference at most.
    """

    directions: Tensor
    phases: Tensor

    def __init__(self, channels: int, *, width: float, samples: int) -> None:
        super().__init__()
        self.samples = samples
        # The legacy generator, because its numbers never change.
        chance = np.random.RandomState(0)
        directions = chance.normal(0, width / math.sqrt(channels), (channels, FOURIER_CHANNELS))
        phases = chance.uniform(0, 2 * math.pi, FOURIER_CHANNELS)
        for name, values in (("directions", directions), ("phases", phases)):
            tensor = torch.from_numpy(values.astype(np.float32))
            self.register_buffer(name, tensor, persistent=False)

    @torch.no_grad()
    @in_full_precision
    def sample(self, features: Tensor, marks: Tensor) -> Samples:
        """Take cells of object and of certain background from every fold.

        Parameters
        ----------
        features : shape (B, D, h, w)
        marks : shape (B, 3, h, w), float in [0, 1]
            Share of each cell that is object, certain background, weak background.
        """
        h, w = features.shape[-2:]
        rows = features.float().flatten(2).transpose(1, 2)  # (B, hw, D)
        shares = marks[:, :2].float().flatten(2).transpose(1, 2)  # (B, hw, 2)
        is_object = shares[..., 0] > FEW
        is_ground = (shares[..., 1] > FEW) & ~is_object
        fold = _folds(h, w, features.device)
        each = min(self.samples // (2 * FOLDS), h * w // FOLDS)
        # A fixed fraction of each cell's number stands for chance, so that equal pictures give
        # equal samples, spread all over.
        spread = (torch.arange(h * w, device=features.device) * 0.6180339887) % 1.0
        taken, areas = [], []
        for k in range(FOLDS):
            for wanted in (is_object, is_ground):
                candidates = wanted & (fold == k)
                order = (candidates * (1 + spread)).topk(each, dim=1).indices  # (B, each)
                found = torch.gather(candidates, 1, order)[..., None]
                taken.append(torch.gather(rows, 1, _repeated(order, rows.shape[2])))
                # Each stands for as many cells of its sort as were left out.
                stands_for = candidates.sum(1) / found.sum((1, 2)).clamp_min(1)
                area = torch.gather(shares, 1, _repeated(order, 2)) * found
                areas.append(area * stands_for[:, None, None])
        shape = (len(rows), FOLDS, 2 * each)
        return Samples(
            torch.stack(taken, 1).reshape(*shape, -1), torch.stack(areas, 1).reshape(*shape, 2)
        )

    @torch.no_grad()
    @in_full_precision
    def fit(self, samples: Samples) -> CurvedFit:
        """Fit with each ridge, keep the one that finds more on parts it was not fitted on."""
        mean, deviation = _statistics(samples)
        plain, fourier = self._expanded(
            samples.features, mean[:, None, None], deviation[:, None, None]
        )
        rows = torch.cat([plain, fourier, torch.ones_like(plain[..., :1])], -1)
        shares = samples.shares
        # Moments of each fold and of each of the two classes.
        weighted = rows[..., None, :] * shares[..., None]  # (B, FOLDS, K, 2, F)
        sums, areas = weighted.sum(2), shares.sum(2)  # (B, FOLDS, 2, F) and (B, FOLDS, 2)
        grams = torch.einsum("bkncf,bkng->bkcfg", weighted, rows)
        whole = [v.sum(1, keepdim=True) for v in (grams, sums, areas)]
        # First fitted on everything, then without each of the folds: (B, 1 + FOLDS, ...).
        without = [
            torch.cat([everything, everything - folds], 1)
            for everything, folds in zip(whole, (grams, sums, areas), strict=True)
        ]
        weights, middle, half = _solved(*without)  # (B, RIDGES, 1 + FOLDS, F), (B, RIDGES, ...)
        raw = torch.einsum("bknf,brkf->brkn", rows, weights[:, :, 1:])
        scores = _normalised(raw, middle[:, :, 1:, None], half[:, :, 1:, None])
        threshold, quality = _best_threshold(scores, shares)  # (B, RIDGES)
        best = quality.argmax(1)
        item = torch.arange(len(best), device=best.device)
        inside = areas[..., 0] / areas[..., 0].sum(1, keepdim=True).clamp_min(1e-6)
        usable = (inside.amax(1) <= MOST_IN_ONE_FOLD) & (areas[..., 1].sum(1) > 0)
        return CurvedFit(
            mean,
            deviation,
            weights[item, best, 0],
            middle[item, best, 0],
            half[item, best, 0],
            threshold[item, best],
            quality[item, best] * usable,
        )

    def fit_some(self, samples: Sequence[Samples], which: Tensor) -> CurvedFit:
        """Fit references together, batch items `which` only; others get a quality of 0."""
        b, channels = len(samples[0].shares), samples[0].features.shape[-1]
        sizes = (channels, channels, channels + FOURIER_CHANNELS + 1, 0, 0, 0, 0)
        empty = [samples[0].shares.new_zeros((b, n) if n else (b,)) for n in sizes]
        empty[1] += 1
        empty[4] += 1
        if len(which):
            some = [Samples(*(values[which] for values in each)) for each in samples]
            fitted = self.fit(joined(some))
            for values, found in zip(empty, fitted, strict=True):
                values[which] = found
        return CurvedFit(*empty)

    @torch.no_grad()
    @in_full_precision
    def score(self, features: Tensor, fit: CurvedFit) -> Tensor:
        """Score targets (B, D, h, w), (B, 1, h, w): above 0 what the fit takes for the object."""
        h, w = features.shape[-2:]
        rows = features.float().flatten(2).transpose(1, 2)  # (B, hw, D)
        straight, curved, constant = fit.weights[..., None].split(
            [rows.shape[-1], FOURIER_CHANNELS, 1], dim=1
        )
        raw = []
        # In parts that a processor keeps at hand: Fourier features are ten times the picture.
        for part in rows.split(ROWS_AT_ONCE, dim=1):
            plain, fourier = self._expanded(part, fit.mean[:, None], fit.deviation[:, None])
            raw.append(plain @ straight + fourier @ curved + constant)
        score = _normalised(torch.cat(raw, 1)[..., 0], fit.middle[:, None], fit.half[:, None])
        return (score - fit.threshold[:, None]).reshape(-1, 1, h, w)

    def _expanded(self, rows: Tensor, mean: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
        """Standardise rows (..., D), and draw Fourier features of them (..., FOURIER_CHANNELS)."""
        plain = ((rows - mean) / deviation).clamp(-6, 6)
        return plain, (plain @ self.directions + self.phases).cos_().mul_(math.sqrt(2))


def joined(samples: Sequence[Samples]) -> Samples:
    """Put samples of several references behind each other, fold by fold, as many as of one.

    Each reference counts alike, for the object and for the background: a stroke that corrects an
    answer, or says "not this", is meant as much as a whole picture.
    """
    every = len(samples)
    areas = torch.stack([s.shares.sum((1, 2)) for s in samples])  # (R, B, 2)
    weight = areas.amax(0) / areas.clamp_min(1e-6)  # what has no area stays without
    features = [s.features[:, :, ::every] for s in samples]
    shares = [
        s.shares[:, :, ::every] * w[:, None, None] for s, w in zip(samples, weight, strict=True)
    ]
    return Samples(torch.cat(features, 2), torch.cat(shares, 2))


def _folds(h: int, w: int, device: torch.device) -> Tensor:
    """Return the number of each cell's fold, (hw,)."""
    rows, cols = (torch.arange(n, device=device) * BLOCKS // n % 2 for n in (h, w))
    return (2 * rows[:, None] + cols).flatten()


def _repeated(order: Tensor, times: int) -> Tensor:
    return order[..., None].expand(-1, -1, times)


def _statistics(samples: Samples) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the features over the references' area, (B, D) each."""
    weights = samples.shares.sum(-1, keepdim=True)
    weights = weights / weights.sum((1, 2), keepdim=True).clamp_min(1e-6)
    mean = (samples.features * weights).sum((1, 2))
    variance = ((samples.features - mean[:, None, None]) ** 2 * weights).sum((1, 2))
    return mean, variance.sqrt() + 1e-3


def _solved(gram: Tensor, sums: Tensor, areas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Solve for classifiers of two classes of unit mass, with every ridge.

    Parameters
    ----------
    gram : shape (B, S, 2, F, F)
    sums : shape (B, S, 2, F)
    areas : shape (B, S, 2)

    Returns
    -------
    weights : shape (B, RIDGES, S, F)
    middle, half : shape (B, RIDGES, S)
    """
    areas = areas.clamp_min(1e-3)
    means = sums / areas[..., None]
    second = (gram / areas[..., None, None]).sum(2) / 2  # (B, S, F, F)
    one = torch.eye(second.shape[-1], device=second.device)
    system = torch.stack([second + ridge * one for ridge in RIDGES], 1)
    right = ((means[:, :, 0] - means[:, :, 1]) / 2)[:, None, ..., None]
    right = right.expand(-1, len(RIDGES), -1, -1, -1)
    if torch.compiler.is_exporting():
        weights = torch.linalg.solve(system, right)[..., 0]
    else:
        # Not LU: in batches of matrices this large, MKL's is wrong or fails with several threads
        # (PyTorch 2.13 on x86).
        weights = torch.cholesky_solve(right, torch.linalg.cholesky(system))[..., 0]
    high, low = torch.einsum("brsf,bscf->cbrs", weights, means)
    return weights, (high + low) / 2, ((high - low) / 2).clamp_min(1e-4)


def _normalised(raw: Tensor, middle: Tensor, half: Tensor) -> Tensor:
    return ((raw - middle) / half).clamp(-SCORE_LIMIT, SCORE_LIMIT)


def _best_threshold(scores: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Return the threshold with the highest IoU, and that IoU, (B, RIDGES) each.

    Parameters
    ----------
    scores : shape (B, RIDGES, FOLDS, K)
    shares : shape (B, FOLDS, K, 2)
    """
    tried = torch.linspace(*THRESHOLDS, device=scores.device)
    found = (scores.flatten(2)[:, :, None] > tried[:, None]).float()  # (B, RIDGES, T, FOLDS K)
    hit, wrong = torch.einsum("brtn,bnc->cbrt", found, shares.flatten(1, 2))
    ious = hit / (shares[..., 0].sum((1, 2))[:, None, None] + wrong).clamp_min(1e-6)
    best = ious.amax(2)
    return tried[ious.argmax(2)], best
