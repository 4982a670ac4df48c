"""The tables of a summary: who finds how much, what it costs, when to doubt it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from vrpsam_app.evaluation.bootstrap import Interval
from vrpsam_app.evaluation.published_figures import published_figure
from vrpsam_app.evaluation.report_table import Entry, ReportTable, Tone
from vrpsam_app.evaluation.summary import Cell, Column, Summary

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
NOTHING = Entry(DASH, tone="muted")

_FORMATS = {
    "click": "one object by click",
    "stroke": "one object by stroke",
    "box": "one object by box",
    "outline": "one object by outline",
    "mask": "all objects by mask",
}


def column_title(column: Column) -> str:
    """Say in words what a column asks.

    Examples
    --------
    >>> column_title(Column("click", 5))
    'One object by click, 5 references'
    """
    shots = "1 reference" if column.shots == 1 else f"{column.shots} references"
    words = f"{_FORMATS.get(column.format, column.format)}, {shots}"
    return words[0].upper() + words[1:] + (f", {column.shift}" if column.shift else "")


def accuracy_tables(summary: Summary) -> list[ReportTable]:
    """Return a table per column of unchanged pictures: mean IoU of each method on each set."""
    columns = [column for column in _columns(summary.cells) if not column.shift]
    return [_accuracy_table(summary, column, explained=column == columns[0]) for column in columns]


def class_table(summary: Summary, *, paper: bool) -> ReportTable:
    """Return the figures that papers on few-shot segmentation print: class means and FB-IoU.

    Parameters
    ----------
    summary : Summary
    paper : whether it was asked as the paper asks, so that what is in print can stand beside it
    """
    rows = [
        [
            Entry(cell.dataset, tone="head"),
            Entry(column_title(cell.column), tone="words"),
            Entry(cell.method, tone="words"),
            _number(100 * cell.class_iou, 1),
            _number(100 * cell.fb_iou, 1),
            *([_published(cell)] if paper else []),
            Entry(str(cell.episodes)),
        ]
        for cell in _by_set(summary.cells)
        if not cell.column.shift
    ]
    note = (
        "Intersections and unions are summed over episodes: mIoU is the mean over classes, FB-IoU "
        "the mean of foreground and background over all episodes. In percent."
    )
    return ReportTable(
        "As papers count",
        f"{note} Published: VRP-SAM's mIoU in print, on the same data." if paper else note,
        ["data", "asked by", "method", "mIoU", "FB-IoU", *["published"] * paper, "episodes"],
        rows,
    )


def quality_table(summary: Summary) -> ReportTable:
    """Return outlines, objects, absence and doubt for every cell."""
    rows = [
        [
            Entry(cell.dataset, tone="head"),
            Entry(column_title(cell.column), tone="words"),
            Entry(cell.method, tone="words"),
            _number(cell.iou.mean),
            _number(cell.boundary_iou),
            _number(cell.object_f1),
            _number(cell.count_error),
            _share(cell.absent_found, cell.absent),
            _number(cell.gate_loss),
            _number(cell.doubt_correlation),
            _share(cell.bad, cell.episodes),
            _share(cell.bad_doubtful, cell.episodes),
        ]
        for cell in _by_set(summary.cells)
        if not cell.column.shift
    ]
    return ReportTable(
        "Outlines, objects, absence, doubt",
        "Objects: F1 at IoU 0.5, and by how much their number is off. Absent: share of targets "
        "without the object whose mask covers more than 1 % of the picture; lost: IoU that the "
        "verdict of absence costs where the object is there. Doubt: rank correlation of the score "
        "with IoU, and share of bad masks (IoU below 0.5) among all and among the fifth with the "
        "lowest scores.",
        [
            "data",
            "asked by",
            "method",
            "IoU",
            "boundary IoU",
            "object F1",
            "count error",
            "absent but found",
            "lost",
            "score and IoU",
            "bad",
            "bad among doubtful",
        ],
        rows,
    )


def doubt_table(summary: Summary) -> ReportTable | None:
    """Return what each method's scores are worth, None where nothing was answered."""
    if not summary.doubts:
        return None
    rows = [
        [
            Entry(doubt.dataset or "all together", tone="head"),
            Entry(str(doubt.shots)),
            Entry(doubt.method, tone="words"),
            _number(math.nan if doubt.correlation is None else doubt.correlation),
            _share(doubt.bad, doubt.answers),
            NOTHING if doubt.caught is None else Entry(f"{100 * doubt.caught:.0f} %"),
        ]
        for doubt in summary.doubts
    ]
    return ReportTable(
        "When to doubt",
        "All ways of asking together. Rank correlation of the score with IoU, share of bad masks "
        "(IoU below 0.5), and how many of the bad ones are among the fifth with the lowest scores; "
        "that cannot be all of them where more than a fifth is bad.",
        ["data", "references", "method", "score and IoU", "bad", "bad ones among doubtful"],
        rows,
    )


def cost_table(summary: Summary) -> ReportTable:
    """Return time and memory of each method on each data set."""
    by_key: dict[tuple[str, str], list[Cell]] = {}
    for cell in summary.cells:
        if not cell.column.shift:
            by_key.setdefault((cell.dataset, cell.method), []).append(cell)
    rows = [
        [
            Entry(dataset, tone="head"),
            Entry(method, tone="words"),
            _number(_mean(c.seconds_fresh for c in cells), 2),
            _number(_mean(c.seconds_again for c in cells), 2),
            Entry(f"{max(c.peak_bytes for c in cells) / 2**20:.0f}"),
        ]
        for (dataset, method), cells in by_key.items()
    ]
    return ReportTable(
        "Time and memory",
        "Seconds for the first answer on a target, with everything that is new encoded, and for "
        "later answers on it. MiB: most memory of the whole process, data included.",
        ["data", "method", "first answer, s", "later answer, s", "MiB"],
        rows,
    )


def shift_table(summary: Summary) -> ReportTable | None:
    """Return the share of IoU kept on changed pictures, None if none were changed."""
    plain = {
        (c.dataset, c.method, c.column.format, c.column.shots): c.iou.mean
        for c in summary.cells
        if not c.column.shift
    }
    shifts = list(dict.fromkeys(c.column.shift for c in summary.cells if c.column.shift))
    if not shifts:
        return None
    changed = {
        (c.dataset, c.method, c.column.format, c.column.shots, c.column.shift): c.iou.mean
        for c in summary.cells
        if c.column.shift
    }
    rows = []
    for key in dict.fromkeys(key[:4] for key in changed):
        entries = [Entry(key[0], tone="head"), Entry(key[1], tone="words"), _number(plain[key])]
        for shift in shifts:
            iou = changed.get((*key, shift), math.nan)
            entries.append(_number(iou, small=_percent(iou, plain[key])))
        rows.append(entries)
    return ReportTable(
        "Changed pictures",
        "IoU on the same episodes with changed targets, and how much of it is kept.",
        ["data", "method", "unchanged", *shifts],
        rows,
    )


def _accuracy_table(summary: Summary, column: Column, *, explained: bool) -> ReportTable:
    cells = [c for c in summary.cells if c.column == column]
    methods = list(dict.fromkeys(c.method for c in cells))
    ours = methods[0]
    table = {(c.dataset, c.method): c for c in cells}
    rows: list[list[Entry]] = []
    for dataset in dict.fromkeys(c.dataset for c in cells):
        own = [table.get((dataset, m)) for m in methods]
        asked = [c.shared_iou for c in own if c and c.shared_iou.count]
        best = max((iou.mean for iou in asked), default=math.nan)
        first = own[0]
        peer = first.against_peer if first else None
        prior = first.against_prior if first else None
        rows.append(
            [
                Entry(dataset, small=_counted(asked), tone="head"),
                *(_mean_entry(c.shared_iou if c else None, best) for c in own),
                _gain_entry(peer.interval if peer else None),
                _gain_entry(prior.interval if prior else None),
            ]
        )
    for objects_only in (False, True):
        overall = {
            o.method: o
            for o in summary.overall
            if o.column == column and o.objects_only == objects_only
        }
        if not overall:
            continue
        best = max(o.iou.mean for o in overall.values())
        mine = overall.get(ours)
        sets = next(iter(overall.values())).datasets
        rows.append(
            [
                Entry(
                    f"mean of {sets} sets" + " with objects" * objects_only,
                    tone="head",
                ),
                *(_mean_entry(overall[m].iou if m in overall else None, best) for m in methods),
                _gain_entry(mine.against_peer if mine else None),
                _gain_entry(mine.against_prior if mine else None),
            ]
        )
    note = (
        "Mean IoU with its 95 % bootstrap interval over the episodes that all methods answered; "
        "those that ask the same again count as one there. The last two columns are paired "
        f"differences of {ours} with the peer (the better of pixel forest and tuned threshold on "
        "each set) and with the training-free prior; coloured where the interval excludes 0."
    )
    return ReportTable(
        column_title(column),
        note if explained else "",
        ["data", *methods, f"{ours} {MINUS} peer", f"{ours} {MINUS} prior"],
        rows,
    )


def _published(cell: Cell) -> Entry:
    known = published_figure(cell.dataset, cell.column.format, cell.column.shots)
    return NOTHING if known is None else Entry(f"{known.miou:.1f}", known.note)


def _columns(cells: Iterable[Cell]) -> list[Column]:
    return list(dict.fromkeys(c.column for c in cells))


def _by_set(cells: Sequence[Cell]) -> list[Cell]:
    order = {name: i for i, name in enumerate(dict.fromkeys(c.dataset for c in cells))}
    columns = {column: i for i, column in enumerate(_columns(cells))}
    return sorted(cells, key=lambda c: (order[c.dataset], columns[c.column]))


def _counted(intervals: Sequence[Interval]) -> str:
    """Say over how many episodes a row is averaged, and how many of them ask something new."""
    if not intervals:
        return "n=0"
    count, distinct = intervals[0].count, intervals[0].distinct
    return f"n={count}" if distinct == count else f"n={count}, {distinct} distinct"


def _mean_entry(interval: Interval | None, best: float) -> Entry:
    if interval is None or math.isnan(interval.mean):
        return NOTHING
    tone: Tone = "best" if interval.mean == best else ""
    return Entry(f"{interval.mean:.3f}", f"{interval.low:.2f}{DASH}{interval.high:.2f}", tone)


def _gain_entry(interval: Interval | None) -> Entry:
    if interval is None or math.isnan(interval.mean):
        return NOTHING
    tone: Tone = ""
    if interval.excludes_zero:
        tone = "good" if interval.mean > 0 else "bad"
    small = f"{_signed(interval.low, 2)} to {_signed(interval.high, 2)}"
    return Entry(_signed(interval.mean, 3), small, tone)


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", MINUS)


def _number(value: float, digits: int = 3, *, small: str = "") -> Entry:
    return NOTHING if math.isnan(value) else Entry(f"{value:.{digits}f}", small)


def _share(value: float, count: int) -> Entry:
    return NOTHING if math.isnan(value) else Entry(f"{100 * value:.0f} %", f"n={count}")


def _percent(part: float, whole: float) -> str:
    return "" if math.isnan(part) or not whole > 0 else f"{100 * part / whole:.0f} %"


def _mean(values: Iterable[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return sum(known) / len(known) if known else math.nan
