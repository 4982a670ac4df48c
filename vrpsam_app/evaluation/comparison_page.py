"""The comparison of all methods as a page of the documents, made of nothing but results."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Sequence
from pathlib import PurePath

from vrpsam_app.evaluation.published_figures import published_figure, published_peers
from vrpsam_app.evaluation.report import Report
from vrpsam_app.evaluation.report_table import Entry, ReportTable
from vrpsam_app.evaluation.summary import Cell, Summary
from vrpsam_app.evaluation.summary_tables import accuracy_tables, cost_table, quality_table
from vrpsam_app.methods import METHODS

_HEAD = """# Methods compared

Every method was asked the same questions: the same references, marks and targets. The page is
written by the command below from the answers it keeps; typed again, it asks only what is missing.
What each method is and needs is said in [methods.md](methods.md), what the figures mean and how
episodes are drawn in [evaluation.md](evaluation.md).

```bash
{command}
```
"""


def comparison_page(report: Report) -> str:
    """Return the page in Markdown.

    Parameters
    ----------
    report : of a run
    """
    summary = report.summary
    plan = report.plan
    parts = [
        _HEAD.format(command=command_anywhere(report.command)),
        f"{plan['episodes']} targets that show the object on each data set, and up to "
        f"{plan['negatives']} that do not; seed {plan['seed']}.\n",
    ]
    if left_out := plan.get("left_out"):
        parts.append("Not asked, because something is not there:\n")
        parts += [f"- `{name}`: {why}" for name, why in left_out.items()]
        parts.append("")
    if not_asked := plan.get("not_asked"):
        parts.append("Not asked, because it makes no sense there:\n")
        parts += [f"- {words}" for words in not_asked]
        parts.append("")
    if not summary.cells:
        return "\n".join([*parts, "No question was answered.\n"])
    tables = [_methods_table(summary.cells), *accuracy_tables(summary)]
    published = published_table(summary)
    tables += [] if published is None else [published]
    tables += [quality_table(summary), cost_table(summary)]
    return "\n".join([*parts, *(table.to_markdown() for table in tables)])


def command_anywhere(command: str) -> str:
    """Return a command as a document has it: where its data lay is nobody else's business.

    Examples
    --------
    >>> command_anywhere("vrpsam evaluate --data /home/me/cells,one-image --seed 1")
    'vrpsam evaluate --data labelled/cells,one-image --seed 1'
    """
    words = [
        f"labelled/{PurePath(word).name}" if PurePath(word).is_absolute() else word
        for word in shlex.split(command)
    ]
    return " \\\n    ".join(
        textwrap.wrap(shlex.join(words), 84, break_long_words=False, break_on_hyphens=False)
    )


def published_table(summary: Summary) -> ReportTable | None:
    """Return what is in print for the data sets that were asked, with ours beside it.

    None if nothing is in print for any of them.
    """
    rows: list[list[Entry]] = []
    ours = {(c.dataset, c.column, c.method): c for c in summary.cells}
    for dataset, column in dict.fromkeys((c.dataset, c.column) for c in summary.cells):
        if column.shift:
            continue
        own = published_figure(dataset, column.format, column.shots)
        peers = published_peers(dataset, column.format, column.shots)
        printed = [("VRP-SAM", own.miou, own.note, "vrp_sam")] if own else []
        printed += [(p.system, p.miou, p.note, p.method) for p in peers]
        for system, miou, note, method in printed:
            cell = ours.get((dataset, column, method))
            rows.append(
                [
                    Entry(dataset, tone="head"),
                    Entry(f"{column.format}, {column.shots}", tone="words"),
                    Entry(system, tone="words"),
                    Entry(f"{miou:.1f}", note),
                    Entry(f"`{method}`" if cell else "", tone="words"),
                    Entry(f"{100 * cell.class_iou:.1f}", f"n={cell.episodes}")
                    if cell
                    else Entry(""),
                ]
            )
    if not rows:
        return None
    return ReportTable(
        "In print",
        "mIoU in percent as papers count it: intersections and unions summed for each class. "
        "Published figures are of large SAMs and of the papers' own episodes; ours are of the "
        "weights and episodes of this page.",
        ["data", "asked by, references", "published system", "published", "ours", "mIoU"],
        rows,
    )


def _methods_table(cells: Sequence[Cell]) -> ReportTable:
    """Say what each method is."""
    names = dict.fromkeys(cell.method for cell in cells)
    rows = [
        [
            Entry(f"`{name}`", tone="head"),
            Entry(METHODS[name].summary if name in METHODS else "", tone="words"),
        ]
        for name in names
    ]
    return ReportTable("Methods", "", ["method", "what it does"], rows)
