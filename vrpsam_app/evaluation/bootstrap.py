"""How far a mean can be trusted: bootstrap intervals of means and of paired differences."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
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
    distinct : number of different questions that they answer
    """

    mean: float
    low: float
    high: float
    count: int
    distinct: int

    @property
    def excludes_zero(self) -> bool:
        """True if the whole interval lies on one side of zero; of one question it tells nothing."""
        return self.distinct > 1 and (self.low > 0 or self.high < 0)


def mean_interval(
    values: ArrayLike, *, questions: Sequence[Hashable] | None = None, seed: int = 0
) -> Interval:
    """Return the mean of some values and its interval.

    Parameters
    ----------
    values : shape (N,)
    questions : what each value answers, N of them; the answers to one question are drawn together,
        as asking it again tells nothing new. By default no two are the same.
    seed : of the resampling

    Returns
    -------
    interval : Interval
        Both ends are the mean where there is one question.
    """
    return grouped_mean_interval(
        [values], questions=None if questions is None else [questions], seed=seed
    )


def grouped_mean_interval(
    groups: Sequence[ArrayLike],
    *,
    questions: Sequence[Sequence[Hashable]] | None = None,
    seed: int = 0,
) -> Interval:
    """Return the mean of the groups' means; values are drawn anew within each group.

    Data sets are such groups: each counts the same, however many episodes it has.

    Parameters
    ----------
    groups : each of shape (N,); empty ones are left out
    questions : what the values of each group answer, as for :func:`mean_interval`
    seed : of the resampling
    """
    arrays = [np.asarray(g, np.float64).ravel() for g in groups]
    asked = [range(a.size) for a in arrays] if questions is None else questions
    kept = [(a, _numbered(q)) for a, q in zip(arrays, asked, strict=True) if a.size]
    if not kept:
        return Interval(float("nan"), float("nan"), float("nan"), 0, 0)
    rng = np.random.default_rng(seed)
    means: NDArray[np.float64] = np.mean([_resampled_means(rng, a, q) for a, q in kept], axis=0)
    edge = (1 - LEVEL) / 2
    low, high = np.quantile(means, (edge, 1 - edge))
    middle = float(np.mean([a.mean() for a, _ in kept]))
    count = sum(a.size for a, _ in kept)
    distinct = sum(int(q.max()) + 1 for _, q in kept)
    return Interval(middle, float(low), float(high), count, distinct)


def _numbered(questions: Sequence[Hashable]) -> NDArray[np.intp]:
    """Return the number of each question, equal ones having the same, in the order they come."""
    numbers = {question: n for n, question in enumerate(dict.fromkeys(questions))}
    return np.array([numbers[question] for question in questions], np.intp)


def _resampled_means(
    rng: np.random.Generator, values: NDArray[np.float64], questions: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the means of samples of whole questions drawn with replacement, shape (DRAWS,)."""
    sums, counts = np.bincount(questions, values), np.bincount(questions)
    picks = rng.integers(0, counts.size, (DRAWS, counts.size))
    means: NDArray[np.float64] = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
    return means
