from __future__ import annotations

import math

import numpy as np
import pytest

from vrpsam_app.evaluation.bootstrap import grouped_mean_interval, mean_interval


def test_interval_of_a_normal_sample_has_the_width_of_theory():
    values = np.random.default_rng(3).normal(5.0, 2.0, 400)
    interval = mean_interval(values)
    error = values.std() / math.sqrt(len(values))
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert interval.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert interval.count == 400


def test_equal_values_give_equal_intervals():
    values = [0.1, 0.7, 0.4]
    assert mean_interval(values) == mean_interval(values)
    assert mean_interval(values).low < mean_interval(values).mean < mean_interval(values).high


def test_one_value_is_its_own_interval():
    interval = mean_interval([0.25])
    assert (interval.mean, interval.low, interval.high) == (0.25, 0.25, 0.25)


def test_nothing_has_no_mean():
    interval = grouped_mean_interval([[], []])
    assert interval.count == 0
    assert math.isnan(interval.mean)
    assert not interval.excludes_zero


def test_groups_count_the_same_however_large():
    interval = grouped_mean_interval([[0.0] * 100, [1.0], []])
    assert (interval.mean, interval.low, interval.high) == (0.5, 0.5, 0.5)
    assert interval.count == 101


@pytest.mark.parametrize(
    ("values", "outside"), [([0.2, 0.3, 0.4], True), ([-0.2, 0.3], False), ([-1.0, -2.0], True)]
)
def test_zero_outside(values: list[float], outside: bool):
    assert mean_interval(values).excludes_zero is outside


def test_asking_again_makes_nothing_surer():
    values = [0.1, 0.7, 0.4, 0.9]
    repeated = mean_interval(values * 50, questions=list("abcd") * 50)
    once = mean_interval(values)
    assert repeated.mean == pytest.approx(once.mean)
    assert (repeated.low, repeated.high) == (pytest.approx(once.low), pytest.approx(once.high))
    assert (repeated.count, repeated.distinct) == (200, 4)
    # Uneven repeats weigh as often as they were asked.
    assert mean_interval([0.0, 0.0, 0.9], questions="aab").mean == pytest.approx(0.3)


def test_questions_that_all_differ_change_nothing():
    groups = [[0.1, 0.7, 0.4], [], [0.2, 0.3]]
    told = grouped_mean_interval(groups, questions=["abc", "", "ab"])
    assert told == grouped_mean_interval(groups)
    assert told.distinct == 5


@pytest.mark.parametrize(("values", "questions"), [([0.01], None), ([0.01] * 9, "a" * 9)])
def test_one_question_excludes_nothing(values: list[float], questions: str | None):
    assert not mean_interval(values, questions=questions).excludes_zero
