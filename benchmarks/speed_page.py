"""docs/speed.md, made of what the benchmarks found and never written by hand.

Run ``python benchmarks/speed_page.py`` to make it again of docs/speed_results.json; benchmarks do
so themselves with ``--page``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"
RESULTS, PAGE = DOCS / "speed_results.json", DOCS / "speed.md"
# Sections in the order in which a reader asks.
ORDER = (
    "embedded", "startup", "scaling", "stacks", "planes", "encoder", "pair", "models", "precisions",
    "persam_f", "napari_first_result",
)  # fmt: skip

_HEAD = """# Speed and memory

Every figure is the median of several calls, measured side by side in one run by the command that
stands above its table; ratios compare calls that were made one after the other. The page is made of
`docs/speed_results.json` by those commands with `--page`.
"""


def keep(found: dict[str, Any]) -> None:
    """Put one benchmark's figures in the place of its earlier ones, and make the page again."""
    from drawing import draw

    results = read()
    results[found["name"]] = found
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    draw(found, DOCS / "images" / f"speed_{found['name']}.png")
    PAGE.write_text(page(results), encoding="utf-8")


def read() -> dict[str, Any]:
    """Return the figures by benchmark."""
    return dict(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.is_file() else {}


def page(results: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    named = [name for name in ORDER if name in results]
    named += sorted(set(results) - set(named))
    return "\n".join([_HEAD, *(_section(results[name]) for name in named)])


def _section(found: dict[str, Any]) -> str:
    machine = found["machine"]
    where = ", ".join(
        [
            machine["processor"],
            f"{machine['threads']} threads",
            *([machine["card"]] if "card" in machine else []),
            f"PyTorch {machine['torch']}",
        ]
    )
    lines = [f"## {found['title']}", "", "```bash", found["command"], "```", ""]
    lines += [found["note"], ""] if found["note"] else []
    lines += [f"{where}; medians of {found['repeats']}.", ""]
    lines += ["| | median | least to most | wanted |", "|---|---:|---:|---|"]
    lines += [_row(row) for row in found["rows"]]
    picture = f"images/speed_{found['name']}.png"
    lines += ["", f"![{found['title']}]({picture})", ""]
    return "\n".join(lines)


def _row(row: dict[str, Any]) -> str:
    spread = "" if row["low"] == row["high"] else f"{row['low']:.3g} to {row['high']:.3g}"
    wanted = f"{row['limit']}{'' if row['ok'] else ', **missed**'}" if row["limit"] else ""
    return f"| {row['what']} | {row['value']:.3g} {row['unit']} | {spread} | {wanted} |"


if __name__ == "__main__":
    PAGE.write_text(page(read()), encoding="utf-8")
