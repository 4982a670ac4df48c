"""Plots of reports: bars of times, and the curves that a benchmark recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_WIDTH, _HEIGHT, _PANELS = 4.6, 3.4, 2  # inches of a panel; panels side by side


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw a report as JSON has it: one panel for each curve, or bars of what took how long."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    curves = found["curves"]
    across = min(_PANELS, max(1, len(curves)))
    down = -(-max(1, len(curves)) // across)
    figure, grid = pyplot.subplots(
        down, across, figsize=(_WIDTH * across, _HEIGHT * down), squeeze=False, layout="constrained"
    )
    panels = list(grid.flat)
    for panel, curve in zip(panels, curves, strict=False):
        _lines(panel, curve)
    if not curves:
        _bars(panels.pop(0), found)
    for panel in panels[len(curves) :]:
        panel.set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    pyplot.close(figure)


def _lines(panel: Any, curve: dict[str, Any]) -> None:
    for name, points in curve["lines"].items():
        style = "o-" if name == next(iter(curve["lines"])) else "--"
        panel.plot([x for x, _ in points], [y for _, y in points], style, markersize=4, label=name)
    if curve["logarithmic"]:
        panel.set_xscale("log")
        panel.set_yscale("log")
        measured = [x for x, _ in next(iter(curve["lines"].values()))]
        panel.set_xticks(measured, [f"{x:.3g}" for x in measured])
        panel.set_xticks([], minor=True)  # their labels would lie on one another
    else:
        most = max(y for points in curve["lines"].values() for _, y in points)
        panel.set_ylim(0, 1.15 * most)
    panel.set_title(curve["title"], fontsize=10)
    panel.set_xlabel(curve["x_label"])
    panel.set_ylabel(curve["y_label"])
    panel.grid(alpha=0.3)
    if len(curve["lines"]) > 1:
        panel.legend(fontsize=8, frameon=False)


def _bars(panel: Any, found: dict[str, Any]) -> None:
    rows = [row for row in found["rows"] if row["unit"] == "s"]
    rows = rows or [row for row in found["rows"] if row["unit"] == "x"]
    places = range(len(rows))
    values = [row["value"] for row in rows]
    errors = [
        [row["value"] - row["low"] for row in rows],
        [row["high"] - row["value"] for row in rows],
    ]
    panel.barh(places, values, xerr=errors, color="#4c78a8", height=0.6, capsize=3)
    for place, value in zip(places, values, strict=True):
        panel.annotate(f" {value:.3g}", (value, place - 0.32), va="bottom", fontsize=8)
    panel.set_xlim(0, 1.15 * max([row["high"] for row in rows], default=1.0))
    panel.set_yticks(places, [row["what"] for row in rows], fontsize=8)
    panel.invert_yaxis()
    panel.set_xlabel("seconds" if rows and rows[0]["unit"] == "s" else "ratio")
    panel.set_title(found["title"], fontsize=10)
    panel.grid(axis="x", alpha=0.3)
