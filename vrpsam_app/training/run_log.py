"""The figures of a run, as tables that stay true when it is stopped, killed and taken up again."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

from vrpsam_app.errors import MissingExtraError
from vrpsam_app.training.checkpoints import writing

TRAINING = "log.csv"
VALIDATION = "validation.csv"
CURVES = "curves.png"

Row = Mapping[str, object]


class RunLog:
    """Tables of a run's folder, one row per report, and their picture.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._drawable = True

    def append(self, name: str, row: Row) -> None:
        """Add a row to a table; columns that are new to it stay empty in the rows before."""
        path = self.folder / name
        known = self._columns(path)
        columns = known + [column for column in row if column not in known]
        if columns != known:
            self._write(path, columns, self.read(name))
        with writing(path), path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, columns).writerow(row)

    def read(self, name: str) -> list[dict[str, str]]:
        """Return the rows of a table; none if there is no such table yet."""
        path = self.folder / name
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            # A kill can leave half a row, whose last columns are then missing.
            return [row for row in csv.DictReader(file) if None not in row.values()]

    def rewind(self, step: int) -> None:
        """Forget what was written after a step: the run goes on from there."""
        for name in (TRAINING, VALIDATION):
            path = self.folder / name
            if not path.exists():
                continue
            rows = self.read(name)
            self._write(path, self._columns(path), [r for r in rows if int(r["step"]) <= step])

    def draw(self, report: Callable[[str], None]) -> None:
        """Draw the curves; where that cannot be done, say so once and go on."""
        if not self._drawable:
            return
        from vrpsam_app.training.curves import draw_curves

        try:
            with writing(self.folder / CURVES):
                draw_curves(self.read(TRAINING), self.read(VALIDATION), self.folder / CURVES)
        except MissingExtraError as error:
            self._drawable = False
            report(str(error))

    @staticmethod
    def _columns(path: Path) -> list[str]:
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return next(csv.reader(file), [])

    @staticmethod
    def _write(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
        partial = path.with_suffix(".part")
        with writing(path, partial):
            with partial.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns, restval="")
                writer.writeheader()
                writer.writerows(rows)
            partial.replace(path)
