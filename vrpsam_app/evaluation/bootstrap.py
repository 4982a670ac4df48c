"""How sure a mean is: intervals by drawing the episodes again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vrpsam_app.errors import ConfigError

DRAWS = 10_000
"""How often the episodes are drawn again."""

LEVEL = 0.95

_BLOCK = 1_000  # draws at once, which bounds the memory


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and where it lies with 95 % confidence.

    Attributes
    ----------
    mean, low, high : float
    count : number of episodes it rests on
    """

    mean: float
    low: float
    high: float
    count: int

    @property
    def excludes_zero(self) -> bool:
        """True if the mean is surely above or surely below 0."""
        return self.low > 0 or self.high < 0


def bootstrap(values: Sequence[float], *, seed: int = 0) -> Interval:
    """Return the mean and its percentile bootstrap interval.

    Parameters
    ----------
    values : one figure per episode
    seed : the same seed gives the same interval

    Raises
    ------
    ConfigError
        If there is no value, or one is not finite.
    """
    sample = np.asarray(values, np.float64)
    if not sample.size or not np.isfinite(sample).all():
        raise ConfigError(
            f"Bootstrap of {sample.size} values, {np.count_nonzero(~np.isfinite(sample))} of them "
            "not finite: expected at least one figure, all finite. Leave out what was not measured."
        )
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(0, sample.size, (_BLOCK, sample.size)) for _ in range(DRAWS // _BLOCK))
    means = np.concatenate([sample[picks].mean(1) for picks in drawn])
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Interval(float(sample.mean()), float(low), float(high), sample.size)


def paired_bootstrap(ours: Sequence[float], theirs: Sequence[float], *, seed: int = 0) -> Interval:
    """Return by how much `ours` is larger on the same episodes, with its interval.

    The differences are drawn, not the figures: what makes an episode hard for both cancels out.

    Raises
    ------
    ConfigError
        If the figures are not of the same episodes, there are none, or one is not finite.
    """
    if len(ours) != len(theirs):
        raise ConfigError(
            f"There are {len(ours)} and {len(theirs)} figures: expected both methods on each "
            "episode."
        )
    return bootstrap([a - b for a, b in zip(ours, theirs, strict=True)], seed=seed)
