"""A table of a report, written as HTML for the page and as Markdown for the documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

Tone = Literal["", "best", "good", "bad", "head", "muted", "words"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of a table.

    Attributes
    ----------
    text : what stands there
    small : what stands behind it in smaller print, such as an interval
    tone : "best" is bold, "good" and "bad" are coloured, "head" names a row, "muted" is grey,
        "words" are no number
    """

    text: str
    small: str = ""
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table with a title.

    Attributes
    ----------
    title : heading
    note : what the figures mean, may be empty
    head : names of the columns
    rows : at least one, each of as many entries as `head` has
    """

    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[Sequence[Entry]]

    def to_html(self, *, folded: bool = False) -> str:
        """Return a ``figure`` with the table; it scrolls where the window is narrow.

        Parameters
        ----------
        folded : show the title alone until a reader opens it
        """
        head = "".join(
            f'<th scope="col"{_words_class(column)}>{escape(name)}</th>'
            for name, column in zip(self.head, zip(*self.rows, strict=True), strict=True)
        )
        rows = "\n".join(f"<tr>{''.join(map(_html_entry, row))}</tr>" for row in self.rows)
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        body = (
            f'{note}<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n'
            f"{rows}\n</tbody></table></div>"
        )
        title = f"<h3>{escape(self.title)}</h3>"
        if folded:
            return f"<details><summary>{title}</summary>\n{body}</details>"
        return f"<figure><figcaption>{title}</figcaption>\n{body}</figure>"

    def to_markdown(self) -> str:
        """Return the table under a heading of the third level, ending with a line feed."""
        lines = [
            f"### {self.title}",
            "",
            *([self.note, ""] if self.note else []),
            _markdown_row(self.head),
            _markdown_row(["---"] * len(self.head)),
            *(_markdown_row([_markdown_entry(e) for e in row]) for row in self.rows),
        ]
        return "\n".join(lines) + "\n"


def _words_class(column: Sequence[Entry]) -> str:
    """Align the head of a column of words as they are."""
    return ' class="words"' if all(entry.tone == "words" for entry in column) else ""


def _html_entry(entry: Entry) -> str:
    small = f" <small>{escape(entry.small)}</small>" if entry.small else ""
    if entry.tone == "head":
        return f'<th scope="row">{escape(entry.text)}{small}</th>'
    tone = f' class="{entry.tone}"' if entry.tone else ""
    return f"<td{tone}>{escape(entry.text)}{small}</td>"


def _markdown_entry(entry: Entry) -> str:
    text = f"**{entry.text}**" if entry.tone == "best" else entry.text
    return f"{text} {entry.small}".strip()


def _markdown_row(entries: Sequence[str]) -> str:
    return "| " + " | ".join(entry.replace("|", "\\|") for entry in entries) + " |"
