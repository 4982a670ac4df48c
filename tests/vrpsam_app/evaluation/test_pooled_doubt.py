from __future__ import annotations

import pytest

from tests.vrpsam_app.evaluation.test_summary import result
from vrpsam_app.evaluation.pooled_doubt import ALL_SETS, pooled_doubt
from vrpsam_app.evaluation.summary import Summary
from vrpsam_app.evaluation.summary_tables import doubt_table


def test_scores_that_know_the_bad_answers_catch_them():
    answers = [result(index=i, intersection=90 - i, score=0.9 - 0.01 * i) for i in range(8)]
    answers += [result(index=8 + i, intersection=10 + i, score=0.1 + 0.01 * i) for i in range(2)]
    (found,) = pooled_doubt(answers)
    assert (found.dataset, found.answers, found.bad) == ("cells", 10, 0.2)
    assert found.correlation == pytest.approx(1)
    assert found.caught == pytest.approx(1)


def test_scores_that_take_the_bad_for_the_best_catch_none():
    answers = [result(index=i, intersection=90 - i, score=0.5 + 0.01 * i) for i in range(8)]
    answers += [result(index=8 + i, intersection=10 + i, score=0.9) for i in range(2)]
    (found,) = pooled_doubt(answers)
    assert found.correlation < 0
    assert found.caught == 0


def test_sets_stand_alone_and_together_by_their_scores():
    answers = [
        result(index=i, intersection=40 + i, dataset=name, score=score)
        for name, score in (("cells", 0.3), ("coins", 0.6))
        for i in range(5)
    ]
    found = pooled_doubt(answers)
    assert [(d.dataset, d.answers) for d in found] == [("cells", 5), ("coins", 5), (ALL_SETS, 10)]
    assert [d.correlation for d in found[:2]] == [None, None]
    assert found[2].correlation is not None


def test_absent_targets_and_failures_do_not_count():
    shown = result(index=0, intersection=80)
    others = [result(index=1, negative=True), result(index=2, failed=True)]
    assert pooled_doubt([shown, *others])[0].answers == 1
    assert pooled_doubt(others) == ()
    assert doubt_table(Summary.of(others)) is None


def test_the_table_has_a_row_for_each_set_and_one_for_all():
    answers = [
        result(index=i, intersection=10 * i, dataset=name)
        for name in ("cells", "coins")
        for i in range(10)
    ]
    table = doubt_table(Summary.of(answers))
    assert table is not None
    assert [row[0].text for row in table.rows] == ["cells", "coins", "all together"]
    assert [entry.text for entry in table.rows[2]][3:] == ["1.000", "50 %", "40 %"]
