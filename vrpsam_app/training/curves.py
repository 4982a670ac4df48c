"""The figures of a run as a picture: what is minimised, what is reached, and reached elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vrpsam_app.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[dict[str, str]]

SMOOTHED_OVER = 20
"""Rows that the thick line of a noisy curve averages."""


def draw_curves(training: Rows, validation: Rows, path: Path) -> None:
    """Draw loss and IoU over the steps of a run.

    Parameters
    ----------
    training, validation : rows of the run's tables
        With a column ``step``.
    path : Path
        Of a PNG; an older one is replaced when the new one is complete.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            f"{path.name} is not drawn: that needs matplotlib, which is not installed. Run: "
            'pip install "vrpsam-app[train]".'
        ) from error
    figure = Figure(figsize=(13, 4), layout="constrained")
    loss, reached, elsewhere = figure.subplots(1, 3)
    _noisy(loss, training, ["loss"])
    _noisy(reached, training, ["iou", "prior_iou"])
    _plain(elsewhere, validation)
    for axes, title in ((loss, "loss"), (reached, "IoU, training"), (elsewhere, "IoU, validation")):
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize="x-small")
    partial = path.with_suffix(".part")
    figure.savefig(partial, format="png", dpi=100)
    partial.replace(path)


def _noisy(axes: Axes, rows: Rows, columns: Sequence[str]) -> None:
    """Draw each curve thin as it is, and thick as its running mean."""
    for number, column in enumerate(columns):
        steps, values = _curve(rows, column)
        if not steps:
            continue
        color = f"C{number}"
        axes.plot(steps, values, color=color, alpha=0.3, linewidth=0.8)
        axes.plot(steps, _running_mean(values), color=color, label=column)


def _plain(axes: Axes, rows: Rows) -> None:
    """Draw every figure, that of the training-free prior dashed in the colour of its model's."""
    columns = [c for c in (rows[0] if rows else {}) if c not in ("step", "seconds")]
    colors: dict[str, str] = {}
    for column in columns:
        name = column.removesuffix("/prior")
        color = colors.setdefault(name, f"C{len(colors) % 10}")
        dashed = column != name
        axes.plot(
            *_curve(rows, column),
            color=color,
            linestyle="--" if dashed else "-",
            alpha=0.5 if dashed else 1.0,
            marker="." if len(rows) < 30 else "",
            label=None if dashed else name,
        )


def _curve(rows: Rows, column: str) -> tuple[list[int], list[float]]:
    """Return steps and values where there is a value."""
    points = [
        (int(row["step"]), float(row[column]))
        for row in rows
        if row.get(column) and math.isfinite(float(row[column]))
    ]
    return [step for step, _ in points], [value for _, value in points]


def _running_mean(values: Sequence[float]) -> list[float]:
    """Average each value with its neighbours on both sides."""
    reach = SMOOTHED_OVER // 2
    means = []
    for middle in range(len(values)):
        near = values[max(0, middle - reach) : middle + reach + 1]
        means.append(sum(near) / len(near))
    return means
