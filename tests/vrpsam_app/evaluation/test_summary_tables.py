from __future__ import annotations

import math

from vrpsam_app.evaluation.bootstrap import Interval
from vrpsam_app.evaluation.summary import Cell, Column, Difference, Summary
from vrpsam_app.evaluation.summary_tables import (
    DASH,
    MINUS,
    accuracy_tables,
    class_table,
    column_title,
    cost_table,
    quality_table,
    shift_table,
)

NAN = math.nan
CLICK = Column("click", 1)


def cell(
    method: str, iou: float, *, column: Column = CLICK, dataset: str = "cells", **more
) -> Cell:
    values = {
        "episodes": 20,
        "absent": 0,
        "failed": 0,
        "class_iou": 0.5,
        "fb_iou": 0.6,
        "boundary_iou": 0.4,
        "object_f1": NAN,
        "count_error": NAN,
        "absent_found": NAN,
        "gate_loss": 0.0,
        "doubt_correlation": 0.3,
        "bad": 0.5,
        "bad_doubtful": 0.5,
        "seconds_fresh": 0.2,
        "seconds_again": NAN,
        "peak_bytes": 3 * 2**20,
        "against_peer": None,
        "against_prior": None,
        **more,
    }
    interval = Interval(iou, iou - 0.1, iou + 0.1, 20, 20)
    values = {"iou": interval, "shared_iou": interval, **values}
    return Cell(dataset=dataset, method=method, column=column, **values)


def summary(*cells: Cell) -> Summary:
    return Summary(tuple(cells), (), ())


def test_titles_say_what_is_asked():
    assert column_title(Column("box", 1)) == "One object by box, 1 reference"
    assert column_title(Column("mask", 5, "ink")) == "All objects by mask, 5 references, ink"


def test_the_best_is_bold_and_gains_are_coloured_where_they_are_sure():
    gain = Difference("tuned_threshold", Interval(0.2, 0.1, 0.3, 20, 20))
    loss = Difference("training_free_prior", Interval(-0.05, -0.2, 0.1, 20, 20))
    (table,) = accuracy_tables(
        summary(
            cell("vrp_sam", 0.7, against_peer=gain, against_prior=loss),
            cell("tuned_threshold", 0.5),
        )
    )
    assert list(table.head)[1:3] == ["vrp_sam", "tuned_threshold"]
    (row,) = table.rows
    assert [(e.text, e.tone) for e in row[1:]] == [
        ("0.700", "best"),
        ("0.500", ""),
        ("+0.200", "good"),
        (f"{MINUS}0.050", ""),
    ]
    assert row[1].small == f"0.60{DASH}0.80"
    assert row[3].small == "+0.10 to +0.30"


def test_the_best_is_best_on_what_all_answered():
    lucky = Interval(0.8, 0.7, 0.9, 2, 2)
    (table,) = accuracy_tables(
        summary(
            cell("vrp_sam", 0.9, episodes=2, shared_iou=lucky),
            cell("forest", 0.86, shared_iou=Interval(0.82, 0.7, 0.9, 2, 2)),
        )
    )
    (row,) = table.rows
    assert row[0].small == "n=2"
    assert [(e.text, e.tone) for e in row[1:3]] == [("0.800", ""), ("0.820", "best")]


def test_repeated_questions_are_counted():
    (table,) = accuracy_tables(
        summary(cell("vrp_sam", 0.7, shared_iou=Interval(0.7, 0.6, 0.8, 20, 6)))
    )
    assert table.rows[0][0].small == "n=20, 6 distinct"


def test_a_method_that_was_not_asked_leaves_a_gap():
    (table,) = accuracy_tables(
        summary(cell("vrp_sam", 0.7), cell("forest", 0.6), cell("vrp_sam", 0.2, dataset="wood"))
    )
    assert [e.text for e in table.rows[1]] == ["wood", "0.200", DASH, DASH, DASH]


def test_each_way_of_asking_has_a_table():
    columns = [Column("click", 1), Column("mask", 1), Column("click", 1, "ink")]
    tables = accuracy_tables(summary(*(cell("vrp_sam", 0.5, column=c) for c in columns)))
    assert [t.title for t in tables] == [column_title(c) for c in columns[:2]]


def test_kept_shares_are_of_the_unchanged_pictures():
    assert shift_table(summary(cell("vrp_sam", 0.5))) is None
    table = shift_table(
        summary(
            cell("vrp_sam", 0.8),
            cell("vrp_sam", 0.6, column=Column("click", 1, "ink")),
            cell("vrp_sam", 0.4, column=Column("click", 1, "inverted")),
        )
    )
    assert list(table.head)[2:] == ["unchanged", "ink", "inverted"]
    assert [(e.text, e.small) for e in table.rows[0][2:]] == [
        ("0.800", ""),
        ("0.600", "75 %"),
        ("0.400", "50 %"),
    ]


def test_what_is_in_print_stands_beside_ours():
    mask = Column("mask", 1)
    table = class_table(
        summary(
            cell("vrp_sam", 0.5, column=mask, dataset="pascal-5i val 1"),
            cell("vrp_sam", 0.5, column=mask, dataset="pascal-5i val 2"),
            cell("vrp_sam", 0.5, column=Column("mask", 5), dataset="pascal-5i val 1"),
            cell("vrp_sam", 0.5, column=mask),
        ),
        paper=True,
    )
    at = list(table.head).index("published")
    assert {(r[0].text, r[1].text[-12:]): (r[at].text, r[at].small) for r in table.rows} == {
        ("pascal-5i val 1", " 1 reference"): ("78.3", ""),
        ("pascal-5i val 2", " 1 reference"): ("71.9", "mean of folds"),
        ("pascal-5i val 1", "5 references"): (DASH, ""),
        ("cells", " 1 reference"): (DASH, ""),
    }
    assert [e.text for e in table.rows[0][3:5]] == ["50.0", "60.0"]


def test_other_marks_than_the_papers_are_not_held_against_it():
    fold = cell("vrp_sam", 0.5, column=Column("mask", 1), dataset="pascal-5i val 1")
    assert "published" not in class_table(summary(fold), paper=False).head


def test_quality_and_cost():
    figures = summary(cell("vrp_sam", 0.5, object_f1=0.25, absent_found=0.1, absent=10))
    (row,) = quality_table(figures).rows
    assert [e.text for e in row[3:8]] == ["0.500", "0.400", "0.250", DASH, "10 %"]
    (cost,) = cost_table(figures).rows
    assert [e.text for e in cost] == ["cells", "vrp_sam", "0.20", DASH, "3"]
