"""How far a mean can be trusted: bootstrap intervals of means and of paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

DRAWS = 2000
"""Resamples; the ends of an interval then move by about a hundredth of its width."""

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the ends of its 95 % bootstrap interval.

    Attributes
    ----------
    mean, low, high : float
        Not a number where there was nothing to average.
    count : number of values, of all groups together
    """

    mean: float
    low: float
    high: float
    count: int

    @property
    def excludes_zero(self) -> bool:
        """True if the whole interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


def mean_interval(values: ArrayLike, *, seed: int = 0) -> Interval:
    """Return the mean of some values and its interval.

    Parameters
    ----------
    values : shape (N,)
    seed : of the resampling

    Returns
    -------
    interval : Interval
        Both ends are the mean where there is one value.
    """
    return grouped_mean_interval([values], seed=seed)


def grouped_mean_interval(groups: Sequence[ArrayLike], *, seed: int = 0) -> Interval:
    """Return the mean of the groups' means; values are drawn anew within each group.

    Data sets are such groups: each counts the same, however many episodes it has.

    Parameters
    ----------
    groups : each of shape (N,); empty ones are left out
    seed : of the resampling
    """
    kept = [a for a in (np.asarray(g, np.float64).ravel() for g in groups) if a.size]
    if not kept:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    rng = np.random.default_rng(seed)
    means: NDArray[np.float64] = np.mean([_resampled_means(rng, a) for a in kept], axis=0)
    edge = (1 - LEVEL) / 2
    low, high = np.quantile(means, (edge, 1 - edge))
    middle = float(np.mean([a.mean() for a in kept]))
    return Interval(middle, float(low), float(high), sum(a.size for a in kept))


def _resampled_means(rng: np.random.Generator, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means of samples drawn with replacement, shape (DRAWS,)."""
    picks = rng.integers(0, values.size, (DRAWS, values.size))
    means: NDArray[np.float64] = values[picks].mean(axis=1)
    return means
