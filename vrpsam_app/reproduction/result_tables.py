"""The cells of an experiment, the paper's number and ours side by side."""

from __future__ import annotations

from collections.abc import Sequence

from vrpsam_app.evaluation.report_table import Entry, ReportTable
from vrpsam_app.reproduction.experiments import ALL_FOLDS, Backbone, Cell, Experiment, Test
from vrpsam_app.reproduction.measured import CellValue, Measured, Scale, cell_value
from vrpsam_app.reproduction.paper_tables import DASH
from vrpsam_app.reproduction.small_scale import BACKBONES

PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
NOTHING = Entry(DASH, tone="muted")

_DATA: dict[Test, str] = {
    "coco20i": "COCO",
    "pascal5i": "PASCAL",
    "coco_to_pascal": "COCO and PASCAL",
}
_WEIGHTS: dict[Backbone, str] = {"resnet50": "", "vgg16": ", VGG-16", "dinov2": ", DINOv2"}


def own_table(experiment: Experiment, results: Sequence[Measured]) -> ReportTable:
    """Return every cell that can be run: published, ours at both scales, command, status."""
    return ReportTable(
        title=f"{experiment.label}: ours",
        note="",
        head=(
            *experiment.row_names,
            "column",
            "published",
            "ours, small scale",
            "ours, the paper's scale",
            "command",
            "status",
        ),
        rows=[
            [
                *(Entry(word, tone="words") for word in cell.row),
                Entry(cell.column, tone="words"),
                _published(cell),
                _ours(cell, cell_value(cell, results, "small")),
                _ours(cell, cell_value(cell, results, "paper")),
                Entry(f"`{command(experiment, cell)}`", tone="words"),
                Entry(status(cell, results), tone="words"),
            ]
            for cell in experiment.cells
            if cell.is_ours
        ],
    )


def quoted_table(experiment: Experiment) -> ReportTable | None:
    """Return the published figures of other people's methods, None where there are none."""
    cells = [cell for cell in experiment.cells if not cell.is_ours]
    if not cells:
        return None
    columns = list(dict.fromkeys(cell.column for cell in cells))
    values = {(cell.row, cell.column): cell for cell in cells}
    return ReportTable(
        title=f"{experiment.label}: other methods, as published",
        note="",
        head=(*experiment.row_names, *columns),
        rows=[
            [
                *(Entry(word, tone="words") for word in row),
                *(_published(values[row, c]) if (row, c) in values else NOTHING for c in columns),
            ]
            for row in dict.fromkeys(cell.row for cell in cells)
        ],
    )


def command(experiment: Experiment, cell: Cell) -> str:
    """Return the part of the command line that fills a cell, and as little else as possible.

    Examples
    --------
    >>> from vrpsam_app.reproduction.paper_tables import EXPERIMENTS
    >>> table = EXPERIMENTS["table1"]
    >>> command(table, table.cells[-3])
    'reproduce table1 --folds 3'
    """
    folds = "" if cell.folds == ALL_FOLDS else f" --folds {' '.join(map(str, cell.folds))}"
    return f"reproduce {experiment.name}{folds}"


def status(cell: Cell, results: Sequence[Measured]) -> str:
    """Say what has become of a cell."""
    if cell.variant is None:
        return "published"
    if cell.measure == "parameters":
        return "counted" if cell_value(cell, results, "paper") else "not counted yet"
    if cell_value(cell, results, "small"):
        small = "run at small scale"
    elif cell.variant.backbone in BACKBONES:
        small = "not run yet at small scale"
    else:
        small = "nothing stands for DINOv2 at small scale"
    trial = cell.trial
    data = _DATA[trial.test] if trial is not None else ""
    weights = _WEIGHTS[cell.variant.backbone]
    if cell_value(cell, results, "paper"):
        return f"{small}; run on {data}"
    return f"{small}; needs {data}{weights}"


def _published(cell: Cell) -> Entry:
    if cell.published is None:
        return Entry(DASH, f"({cell.note})" if cell.note else "", "muted")
    return Entry(f"{cell.published:.1f}", f"({cell.note})" if cell.note else "")


def _ours(cell: Cell, value: CellValue | None) -> Entry:
    if value is None:
        return NOTHING
    if cell.measure == "parameters":
        return Entry(f"{value.value:.3f}")
    missing = set(cell.folds) - set(value.folds)
    folds = f" (folds {', '.join(map(str, value.folds))})" if missing else ""
    return Entry(f"{value.value:.1f}", f"{PLUS_MINUS} {value.half_width:.1f}{folds}")


def summary_lines(experiment: Experiment, results: Sequence[Measured], scale: Scale) -> list[str]:
    """Return a line for each cell that has a number at a scale, for a terminal."""
    lines = []
    for cell in experiment.cells:
        value = cell_value(cell, results, scale)
        if value is None:
            continue
        place = ", ".join((*cell.row, cell.column))
        printed = DASH if cell.published is None else f"{cell.published:.1f}"
        ours = _ours(cell, value)
        lines.append(f"{place}: published {printed}, ours {ours.text} {ours.small}".rstrip())
    return lines
