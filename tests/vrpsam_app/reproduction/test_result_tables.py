"""Ours beside the paper's, cell by cell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vrpsam_app.reproduction.experiments import Run
from vrpsam_app.reproduction.measured import Measured
from vrpsam_app.reproduction.paper_tables import EXPERIMENTS, experiment
from vrpsam_app.reproduction.result_tables import (
    own_table,
    quoted_table,
    status,
    summary_lines,
)


def measured(run: Run, value: float, scale="small") -> Measured:
    return Measured(
        key=str(run),
        scale=scale,
        variant=run.variant,
        trial=run.trial,
        fold=run.fold,
        value=value,
        error=1.0,
    )


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_own_cell_has_a_line(name: str) -> None:
    one = experiment(name)
    table = own_table(one, [])
    own = [cell for cell in one.cells if cell.is_ours]
    assert len(table.rows) == len(own)
    assert {len(row) for row in table.rows} == {len(table.head)}
    assert table.to_markdown().count("\n| ") == len(own) + 2


def test_figures_stand_in_their_cells() -> None:
    one = experiment("table5")
    runs = one.cells[0].runs()
    table = own_table(one, [measured(runs[0], 30.0), measured(runs[1], 40.0)])
    first, second = table.rows[:2]
    assert [e.text for e in first[:4]] == ["VRP-SAM", "BCE", "mean IoU", "70.1"]
    assert (first[4].text, first[4].small) == ("35.0", "\N{PLUS-MINUS SIGN} 1.4 (folds 0, 1)")
    assert first[5].text == second[4].text == "\N{EN DASH}"
    assert first[6].text == "`reproduce table5`"
    assert first[7].text == "run at small scale; needs PASCAL"
    assert second[7].text == "not run yet at small scale; needs PASCAL"


def test_status_says_what_was_run_where() -> None:
    one = experiment("table3")
    dinov2 = one.cells[-1]
    assert status(dinov2, []) == "nothing stands for DINOv2 at small scale; needs COCO, DINOv2"
    there = [measured(run, 60.0, "paper") for run in dinov2.runs()]
    assert status(dinov2, there).endswith("; run on COCO")
    counted = next(c for c in experiment("table2").cells if c.measure == "parameters" and c.is_ours)
    assert status(counted, []) == "not counted yet"
    assert status(next(c for c in one.cells if not c.is_ours), []) == "published"


def test_other_methods_are_quoted_apart() -> None:
    quoted = quoted_table(experiment("table1"))
    assert quoted is not None
    assert [row[0].text for row in quoted.rows] == ["Painter", "SegGPT", "Matcher"]
    assert [e.text for e in quoted.rows[1][2:]] == ["56.3", "57.4", "58.9", "51.7", "56.1"]
    assert quoted_table(experiment("table5")) is None


def test_a_figure_that_no_source_has_is_a_dash_with_a_word() -> None:
    scribble = own_table(experiment("table4"), []).rows[0]
    assert scribble[3].text == "\N{EN DASH}"
    assert scribble[3].small == "(the text says 2.8 above FPTrans)"


def test_lines_for_a_terminal() -> None:
    one = experiment("table1")
    cell = next(c for c in one.cells if c.row == ("VRP-SAM", "point"))
    assert summary_lines(one, [], "small") == []
    result = replace(measured(cell.runs()[0], 12.34), error=0.5)
    lines = summary_lines(one, [result], "small")
    assert lines[0] == "VRP-SAM, point, F-0: published 30.1, ours 12.3 \N{PLUS-MINUS SIGN} 1.0"
    assert len(lines) == 2  # the fold and, so far, the mean
