"""What a run found out, as one page that needs no network, one JSON file and tables in Markdown."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from vrpsam_app.evaluation.effort import EffortResult
from vrpsam_app.evaluation.effort_table import effort_table
from vrpsam_app.evaluation.report_pictures import Example
from vrpsam_app.evaluation.report_table import ReportTable
from vrpsam_app.evaluation.summary import Summary
from vrpsam_app.evaluation.summary_tables import (
    accuracy_tables,
    class_table,
    cost_table,
    doubt_table,
    quality_table,
    shift_table,
)
from vrpsam_app.image_files import write_whole

TITLE = "VRP-SAM, evaluated"
_STYLE_FILE = Path(__file__).with_name("report.css")


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Everything that a run found out.

    Attributes
    ----------
    command : that made it
    methods : description of each method by name
    plan : what was asked, in words by name
    summary : figures
    examples : pictures by data set
    effort : corrections by a simulated person, empty if they were not measured
    """

    command: str
    methods: Mapping[str, Mapping[str, Any]]
    plan: Mapping[str, Any]
    summary: Summary
    examples: Mapping[str, Sequence[Example]]
    effort: Sequence[EffortResult] = ()

    def write(self, folder: Path) -> dict[str, Path]:
        """Write ``report.html``, ``summary.json`` and ``tables.md``, each whole or not at all.

        Returns
        -------
        paths : by name of the file

        Raises
        ------
        OutputError
            If a file cannot be written.
        """
        files = {
            "report.html": self.to_html(),
            "summary.json": json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n",
            "tables.md": self.to_markdown(),
        }
        for name, text in files.items():
            write_whole(folder / name, text.encode("utf-8"), overwrite=True)
        return {name: folder / name for name in files}

    def to_json(self) -> dict[str, Any]:
        """Return all figures in plain values; what could not be measured is None."""
        content: dict[str, Any] = _plain(
            {
                "command": self.command,
                "plan": dict(self.plan),
                "methods": {name: dict(said) for name, said in self.methods.items()},
                "cells": self.summary.cells,
                "overall": self.summary.overall,
                "doubts": self.summary.doubts,
                "effort": list(self.effort),
                "failures": [
                    {**dataclasses.asdict(f.asked), "error": f.error} for f in self.summary.failures
                ],
            }
        )
        return content

    def to_markdown(self) -> str:
        """Return the tables for a document, with the command that made them."""
        tables = "\n".join(
            table.to_markdown() for table in (*self._main_tables(), *self._long_tables())
        )
        return f"Made by:\n\n```bash\n{self.command}\n```\n\n{tables}"

    def to_html(self) -> str:
        """Return a page with its style and pictures inside."""
        examples = "\n".join(
            f"<h3>{escape(name)}</h3>\n" + "\n".join(e.to_html() for e in shown)
            for name, shown in self.examples.items()
        )
        sections = [
            ("Accuracy", "\n".join(table.to_html() for table in self._main_tables())),
            ("Best, median, worst", examples),
            ("Every figure", "\n".join(t.to_html(folded=True) for t in self._long_tables())),
            ("Failures", self._failures()),
            ("What was run", self._made_by()),
        ]
        kept = [(title, body) for title, body in sections if body]
        links = "".join(f'<a href="#{_anchor(title)}">{escape(title)}</a>' for title, _ in kept)
        body = "\n".join(
            f'<section id="{_anchor(title)}"><h2>{escape(title)}</h2>\n{content}\n</section>'
            for title, content in kept
        )
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            "img-src data:; style-src 'unsafe-inline'\">\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(TITLE)}</title>\n"
            f"<style>\n{_STYLE_FILE.read_text(encoding='utf-8')}</style></head>\n"
            f"<body><header><h1>{escape(TITLE)}</h1><nav>{links}</nav></header>\n"
            f"<main>\n{body}\n</main></body></html>\n"
        )

    def _main_tables(self) -> list[ReportTable]:
        tables = accuracy_tables(self.summary)
        if self.effort:
            tables.append(effort_table(self.effort))
        changed = shift_table(self.summary)
        return tables if changed is None else [*tables, changed]

    def _long_tables(self) -> list[ReportTable]:
        paper = bool(self.plan.get("paper"))
        tables = [
            class_table(self.summary, paper=paper),
            quality_table(self.summary),
            doubt_table(self.summary),
            cost_table(self.summary),
        ]
        return [table for table in tables if table is not None]

    def _failures(self) -> str:
        if not self.summary.failures:
            return ""
        lines = "\n".join(
            f"<li>{escape(_where(f.asked))}: {escape(f.error)}</li>" for f in self.summary.failures
        )
        return f"<ul>\n{lines}\n</ul>"

    def _made_by(self) -> str:
        facts = {**self.plan, **{name: dict(said) for name, said in self.methods.items()}}
        lines = "\n".join(
            f"<dt>{escape(str(name))}</dt><dd>{escape(_words(value))}</dd>"
            for name, value in facts.items()
        )
        return f"<pre>{escape(self.command)}</pre>\n<dl>\n{lines}\n</dl>"


def _where(asked: Any) -> str:
    return (
        f"{asked.dataset}, episode {asked.index} ({asked.label} in {asked.target}), "
        f"{asked.method}, {asked.format}, {asked.shots}"
    )


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{k}: {_words(v)}" for k, v in value.items() if v != "")
    if isinstance(value, tuple | list):
        return ", ".join(map(_words, value))
    return str(value)


def _anchor(title: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in title.casefold())


def _plain(value: Any) -> Any:
    """Turn dataclasses into dictionaries, tuples into lists, NaN, which JSON lacks, into None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
