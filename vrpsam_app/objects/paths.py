"""Names of the files that the objects of a picture or a stack are written to."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ObjectPaths:
    """The files that the objects of one picture or stack are written to.

    Attributes
    ----------
    labels : TIFF of the objects' numbers, with axes and pixel size
    table : CSV, a line for each object
    planes : CSV, a line for each object in each plane; None for a single plane
    """

    labels: Path
    table: Path
    planes: Path | None

    @classmethod
    def of(cls, folder: Path, stem: str, *, stack: bool) -> ObjectPaths:
        """Name the files after the picture, ``<stem>_objects.tif`` and so on."""
        planes = folder / f"{stem}_object_planes.csv" if stack else None
        return cls(folder / f"{stem}_objects.tif", folder / f"{stem}_objects.csv", planes)

    def __iter__(self) -> Iterator[Path]:
        yield self.labels
        yield self.table
        if self.planes is not None:
            yield self.planes

    def count(self) -> int:
        """Return how many objects the table names.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        with open(self.table, newline="", encoding="utf-8") as file:
            return len({row["label"] for row in csv.DictReader(file)})
