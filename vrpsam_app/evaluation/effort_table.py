"""The table of effort: marks per picture, by way of working and data set."""

from __future__ import annotations

from collections.abc import Sequence

from vrpsam_app.evaluation.bootstrap import mean_interval
from vrpsam_app.evaluation.effort import GOAL, MOST_MARKS, EffortResult
from vrpsam_app.evaluation.report_table import Entry, ReportTable

_DASH = "\N{EN DASH}"


def effort_table(results: Sequence[EffortResult]) -> ReportTable:
    """Return marks per picture, and how many pictures ended well, by approach.

    Parameters
    ----------
    results : failed ones are left out
    """
    done = [r for r in results if not r.error]
    approaches = list(dict.fromkeys(r.approach for r in done))
    rows = []
    for dataset in dict.fromkeys(r.dataset for r in done):
        groups = [
            [r for r in done if (r.dataset, r.approach) == (dataset, name)] for name in approaches
        ]
        means = [mean_interval([r.marks for r in group]) for group in groups]
        fewest = min(m.mean for m in means if m.count)
        row = [Entry(dataset, small=f"n={max(m.count for m in means)}", tone="head")]
        for group, mean in zip(groups, means, strict=True):
            if not group:
                row.append(Entry(_DASH, tone="muted"))
                continue
            reached = sum(r.reached for r in group)
            row.append(
                Entry(
                    f"{mean.mean:.1f}",
                    f"{mean.low:.1f}{_DASH}{mean.high:.1f}, {reached}/{len(group)} reached",
                    "best" if mean.mean == fewest else "",
                )
            )
        rows.append(row)
    return ReportTable(
        "Effort",
        f"Marks on each picture until IoU {GOAL}, by a simulated person who marks the largest "
        f"mistake and gives up after {MOST_MARKS} (which then count); mean, 95 % interval, and how "
        "many pictures got there.",
        ["data", *approaches],
        rows,
    )
