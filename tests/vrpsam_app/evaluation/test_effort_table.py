from __future__ import annotations

from vrpsam_app.evaluation.effort import EffortResult
from vrpsam_app.evaluation.effort_table import effort_table


def course(approach: str, marks: int, *, dataset: str = "cells", error: str = "") -> EffortResult:
    return EffortResult(
        "k", approach, dataset, "cell", "p", marks, marks, 0.0, 0.9, marks < 12, error
    )


def test_marks_are_averaged_by_way_and_set():
    table = effort_table(
        [
            course("ours", 0),
            course("ours", 3),
            course("theirs", 12),
            course("theirs", 5),
            course("ours", 7, error="broken"),
            course("ours", 4, dataset="wood"),
        ]
    )
    assert list(table.head) == ["data", "ours", "theirs"]
    cells, wood = table.rows
    assert [e.text for e in cells] == ["cells", "1.5", "8.5"]
    assert cells[1].tone == "best"
    assert cells[2].small.endswith("1/2 reached")
    assert [e.text for e in wood] == ["wood", "4.0", "\N{EN DASH}"]
