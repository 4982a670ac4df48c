from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.doubt import doubt_figures, rank_correlation


@pytest.mark.parametrize("seed", range(6))
def test_rank_correlation_is_scipys(seed: int):
    rng = np.random.default_rng(seed)
    scores = rng.random(30)
    ious = np.round(scores + rng.normal(0, 0.3, 30), 1)  # with equal values
    assert rank_correlation(scores, ious) == pytest.approx(stats.spearmanr(scores, ious).statistic)


@pytest.mark.parametrize(
    ("scores", "ious", "expected"),
    [
        ([1, 2, 3], [0.1, 0.2, 0.9], 1),
        ([1, 2, 3], [0.9, 0.2, 0.1], -1),
        ([1, 2, 3, 4], [0.1, 0.3, 0.2, 0.4], 0.8),
        ([1, 1, 1], [0.1, 0.2, 0.3], None),
        ([1, 2], [0.5, 0.5], None),
        ([1], [0.5], None),
    ],
)
def test_rank_correlation_by_hand(scores, ious, expected):
    found = rank_correlation(scores, ious)
    assert found == (None if expected is None else pytest.approx(expected))


def test_failures_among_the_doubtful_by_hand():
    # Ten answers, the two most doubtful are looked at; one of them failed, of three in all.
    scores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    ious = [0.2, 0.7, 0.4, 0.9, 0.9, 0.9, 0.9, 0.9, 0.49, 0.5]
    figures = doubt_figures(scores, ious)
    assert figures.failure_rate == 0.3
    assert figures.failure_rate_of_doubtful == 0.5


def test_the_fifth_is_rounded_up():
    assert doubt_figures([0.1, 0.2, 0.3], [0.9, 0.1, 0.1]).failure_rate_of_doubtful == 0
    six = doubt_figures([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.9, 0.1, 0.9, 0.9, 0.9, 0.9])
    assert six.failure_rate_of_doubtful == 0.5


def test_equal_scores_count_by_their_mean_whatever_their_order():
    ious = [0.1] * 2 + [0.9] * 8
    flat = doubt_figures([0.5] * 10, ious)
    assert flat.failure_rate_of_doubtful == pytest.approx(0.2)
    assert flat == doubt_figures([0.5] * 10, ious[::-1])
    # One is surely among the two; the other is one of four equals, of which one failed.
    edge = doubt_figures([0.1, 0.2, 0.2, 0.2, 0.2] + [0.9] * 5, [0.1, 0.1] + [0.9] * 8)
    assert edge.failure_rate_of_doubtful == pytest.approx((1 + 1 / 4) / 2)


@pytest.mark.parametrize(("scores", "ious"), [([], []), ([0.1], []), ([0.1], [0.2, 0.3])])
def test_both_sides_are_needed(scores, ious):
    with pytest.raises(ConfigError, match="expected both of each"):
        doubt_figures(scores, ious)
