"""What a run has found out about each plane, line by line, so that it survives a kill."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vrpsam_app.image_files import write_whole
from vrpsam_app.tiles.rows import Verdict

Index = tuple[int, ...]
NAME = "planes.jsonl"


@dataclass(frozen=True, slots=True)
class BlockNote:
    """What became known with a block of a result.

    Attributes
    ----------
    index : of the plane
    blocks : of the plane that the note tells of
    verdicts : of each class, by row of tiles (0 for a plane shown whole)
        Only of rows of tiles that no earlier block of this part of the run has told.
    pixels : of each class in the blocks
    pixels_sum : SHA-256 of the plane's pixels, with its last block
    """

    index: Index
    blocks: tuple[int, ...]
    verdicts: Mapping[str, Mapping[int, Sequence[Verdict]]]
    pixels: Mapping[str, int]
    pixels_sum: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "plane": list(self.index),
            "blocks": list(self.blocks),
            "sum": self.pixels_sum,
            "pixels": dict(self.pixels),
            "classes": {
                label: {
                    str(row): [[v.presence, v.present, v.score, v.pixels] for v in verdicts]
                    for row, verdicts in rows.items()
                }
                for label, rows in self.verdicts.items()
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BlockNote:
        """Read a note; raises ValueError, KeyError or TypeError if it is none."""
        return cls(
            index=tuple(int(i) for i in data["plane"]),
            blocks=tuple(int(i) for i in data["blocks"]),
            verdicts={
                label: {
                    int(row): [Verdict(float(p), bool(f), float(s), int(n)) for p, f, s, n in found]
                    for row, found in rows.items()
                }
                for label, rows in data["classes"].items()
            },
            pixels={label: int(count) for label, count in data["pixels"].items()},
            pixels_sum=data["sum"],
        )


@dataclass(slots=True)
class PlaneNotes:
    """What is known about one plane.

    Attributes
    ----------
    blocks : that a note tells of
    verdicts : of each class, by row of tiles
    pixels : of each class, by first block of a note
    pixels_sum : None until its last block is known
    """

    blocks: set[int] = field(default_factory=set)
    verdicts: dict[str, dict[int, Sequence[Verdict]]] = field(default_factory=dict)
    pixels: dict[str, dict[int, int]] = field(default_factory=dict)
    pixels_sum: str | None = None

    def take(self, note: BlockNote) -> None:
        """Add what a note says; of two that tell the same the later one counts."""
        self.blocks.update(note.blocks)
        for label, rows in note.verdicts.items():
            self.verdicts.setdefault(label, {}).update(rows)
        for label, count in note.pixels.items():
            self.pixels.setdefault(label, {})[note.blocks[0]] = count
        self.pixels_sum = note.pixels_sum or self.pixels_sum

    def verdict(self, label: str) -> Verdict:
        """Return what was found of a class in the plane."""
        rows = sorted(self.verdicts.get(label, {}).items())
        together = Verdict.together([v for _, verdicts in rows for v in verdicts])
        return replace(together, pixels=sum(self.pixels.get(label, {}).values()))

    def settled(self, index: Index) -> BlockNote:
        """Return all of it as one note, the same however often the run was interrupted."""
        verdicts = {label: self.verdict(label) for label in self.pixels}
        return BlockNote(
            index,
            tuple(sorted(self.blocks)),
            {label: {0: [verdict]} for label, verdict in verdicts.items()},
            {label: verdict.pixels for label, verdict in verdicts.items()},
            self.pixels_sum,
        )


class RunJournal:
    """A file to which one line is added before a block appears.

    Parameters
    ----------
    folder : of the result

    Notes
    -----
    A block that is there has its line. A line may have no block: the run was killed between the
    two, and the block will be made, and told, again.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        text = ""
        if self.path.is_file():
            text = self.path.read_text(encoding="utf-8", errors="replace")
        self.planes = notes_from_lines(text.split("\n"))
        if text and not text.endswith("\n"):  # killed in the middle of a line
            with open(self.path, "a", encoding="utf-8") as file:
                file.write("\n")

    def add(self, note: BlockNote) -> None:
        """Write a note; raises OSError if that fails."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"{_line(note)}\n")
        self.planes.setdefault(note.index, PlaneNotes()).take(note)

    def knows(self, index: Index, block: int) -> bool:
        """Tell whether there is a note of a block."""
        return index in self.planes and block in self.planes[index].blocks

    def settle(self) -> list[str]:
        """Write one line for each plane in the place of all, and return the lines.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        lines = [_line(notes.settled(index)) for index, notes in sorted(self.planes.items())]
        write_whole(self.path, "".join(f"{x}\n" for x in lines).encode(), overwrite=True)
        return lines


def notes_from_lines(lines: Iterable[str]) -> dict[Index, PlaneNotes]:
    """Read notes; a line that is no whole note is passed over."""
    planes: dict[Index, PlaneNotes] = {}
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            note = BlockNote.from_json(json.loads(line))
            planes.setdefault(note.index, PlaneNotes()).take(note)
    return planes


def _line(note: BlockNote) -> str:
    return json.dumps(note.to_json(), separators=(",", ":"), sort_keys=True)
