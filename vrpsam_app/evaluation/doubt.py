"""Whether a method's score knows which of its answers are bad."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from vrpsam_app.errors import ConfigError

FAILURE_IOU = 0.5
"""An answer below this IoU has failed."""

DOUBTFUL_SHARE = 0.2
"""The share of answers with the lowest scores, at which a person would look first."""


@dataclass(frozen=True, slots=True)
class DoubtFigures:
    """What a person gains who looks at the most doubtful answers first.

    Attributes
    ----------
    rank_correlation : Spearman's, of score and IoU, in [-1, 1]; None where either is constant
    failure_rate : share of failures among all answers
    failure_rate_of_doubtful : share of failures among the most doubtful 20 %
    """

    rank_correlation: float | None
    failure_rate: float
    failure_rate_of_doubtful: float


def doubt_figures(scores: Sequence[float], ious: Sequence[float]) -> DoubtFigures:
    """Compare what a method thinks of its answers with what they are worth.

    Parameters
    ----------
    scores : predicted IoU of each answer
    ious : true IoU of each answer

    Returns
    -------
    figures : DoubtFigures
        Answers of equal score at the edge of the most doubtful 20 % count by their mean, so that
        the order of the answers does not matter.

    Raises
    ------
    ConfigError
        If there is no answer, or the lengths differ.
    """
    if len(scores) != len(ious) or not len(scores):
        raise ConfigError(
            f"There are {len(scores)} scores and {len(ious)} figures of IoU: expected both of each "
            "answer, and at least one."
        )
    said = np.asarray(scores, np.float64)
    failed = np.asarray(ious, np.float64) < FAILURE_IOU
    return DoubtFigures(
        rank_correlation=rank_correlation(scores, ious),
        failure_rate=float(failed.mean()),
        failure_rate_of_doubtful=_failure_rate_of_lowest(said, failed),
    )


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation, equal values sharing their mean rank.

    None where there are fewer than two values, or either side is constant.
    """
    ranks = np.stack([stats.rankdata(first), stats.rankdata(second)])
    if ranks.shape[1] < 2:
        return None
    ranks -= ranks.mean(1, keepdims=True)
    spread = math.sqrt(float((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float(ranks[0] @ ranks[1]) / spread if spread else None


def _failure_rate_of_lowest(scores: NDArray[np.float64], failed: NDArray[np.bool_]) -> float:
    count = math.ceil(DOUBTFUL_SHARE * len(scores))
    edge = np.sort(scores)[count - 1]
    below, at_edge = scores < edge, scores == edge
    from_edge = count - np.count_nonzero(below)
    return float(failed[below].sum() + from_edge * failed[at_edge].mean()) / count
