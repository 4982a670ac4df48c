"""Whether a method's score knows which of its answers are bad."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from vrpsam_app.errors import ConfigError

BAD_IOU = 0.5
"""An answer below this IoU is bad."""

DOUBTFUL_SHARE = 0.2
"""The share of answers with the lowest scores, at which a person would look first."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a person gains who looks at the most doubtful answers first.

    Attributes
    ----------
    correlation : Spearman's rank correlation of score and IoU, in [-1, 1]
        NaN where either is the same for all answers.
    bad_share : share of bad answers among the most doubtful fifth
        NaN where there is no answer.
    """

    correlation: float
    bad_share: float


def doubt(scores: Sequence[float], ious: Sequence[float]) -> Doubt:
    """Compare what a method thinks of its answers with what they are worth.

    Parameters
    ----------
    scores : predicted IoU of each answer
    ious : true IoU of each answer

    Returns
    -------
    doubt : Doubt
        Answers of equal score at the edge of the doubtful fifth count by their mean, so that the
        order of the answers does not matter.

    Raises
    ------
    ConfigError
        If the lengths differ.
    """
    if len(scores) != len(ious):
        raise ConfigError(
            f"There are {len(scores)} scores and {len(ious)} figures of IoU: expected both of each "
            "answer."
        )
    said, true = np.asarray(scores, np.float64), np.asarray(ious, np.float64)
    return Doubt(_rank_correlation(said, true), _bad_share(said, true < BAD_IOU))


def _rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Correlate ranks; equal values share their mean rank."""
    if not first.size:
        return math.nan
    ranks = np.stack([stats.rankdata(first), stats.rankdata(second)])
    ranks -= ranks.mean(1, keepdims=True)
    spread = math.sqrt(float((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float(ranks[0] @ ranks[1]) / spread if spread else math.nan


def _bad_share(scores: NDArray[np.float64], bad: NDArray[np.bool_]) -> float:
    if not scores.size:
        return math.nan
    count = math.ceil(DOUBTFUL_SHARE * scores.size)
    edge = np.sort(scores)[count - 1]
    below, at_edge = scores < edge, scores == edge
    from_edge = count - np.count_nonzero(below)
    return float(bad[below].sum() + from_edge * bad[at_edge].mean()) / count
