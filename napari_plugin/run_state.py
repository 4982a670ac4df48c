"""What one run of a result knows: its data, what the model said of each plane, who edited which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_plugin.number_classes import NumberClasses
from napari_plugin.run_settings import RunSettings
from vrpsam_app.images import IntensityRange
from vrpsam_app.references import Reference

if TYPE_CHECKING:
    from vrpsam_app.tiles.rows import Verdict

Index = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PlaneFinding:
    """What the model said about one plane.

    Attributes
    ----------
    verdicts : presence, score and number of pixels of each class
    pixels_sum : SHA-256 of the plane's pixels, by which a recipe knows it
    """

    verdicts: Mapping[str, Verdict]
    pixels_sum: str

    @property
    def score(self) -> float:
        """The lowest expected overlap of a class that is there; 0 where none is."""
        there = [v.score for v in self.verdicts.values() if v.present]
        return min(there, default=0.0)

    @property
    def presence(self) -> float:
        """How sure it is that any class is there."""
        return max((v.presence for v in self.verdicts.values()), default=0.0)

    @property
    def present(self) -> bool:
        """Whether any class is there."""
        return any(v.present for v in self.verdicts.values())

    @property
    def doubt(self) -> float:
        """How unsure the answer is, in [0, 1], by its most doubtful class.

        Of a class that is there one minus its score, of one that is not its presence.
        """
        return max(
            (1 - v.score if v.present else v.presence for v in self.verdicts.values()), default=0.0
        )


@dataclass(slots=True)
class RunState:
    """What changes with a run, and what Revert brings back.

    Attributes
    ----------
    data : of the layer: NumPy, or Zarr for large results
    references, settings, intensity_range, made_by : how the last run found it
    findings : of the planes that were answered
    edited : planes that a person painted on
    undoable : planes that were answered one at a time, so that Ctrl+Z may have emptied them
    path : of a result on disk
    numbers : class of each object's number, where there are several, and the largest
    written : features that a person had given the layer when the next run began, if any
    """

    data: Any
    references: tuple[Reference, ...] = ()
    settings: RunSettings = field(default_factory=RunSettings)
    intensity_range: IntensityRange | None = None
    made_by: Mapping[str, Any] = field(default_factory=dict)
    findings: dict[Index, PlaneFinding] = field(default_factory=dict)
    edited: set[Index] = field(default_factory=set)
    undoable: set[Index] = field(default_factory=set)
    path: Path | None = None
    numbers: NumberClasses = field(default_factory=NumberClasses)
    written: Any = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that were asked for, in order."""
        return tuple(dict.fromkeys(r.label for r in self.references if not r.is_not_this))

    def numbers_beside(self, labels: Sequence[str]) -> NumberClasses:
        """Return the numbers for a run beside what is there.

        Parameters
        ----------
        labels : classes of the run; where they are others, what is there is named by its own
        """
        numbers = NumberClasses(self.numbers.now(), self.highest)
        known = self.settings.objects is None or numbers or len(self.classes) != 1
        if not known and tuple(labels) != self.classes:
            numbers.take(dict.fromkeys(range(1, self.highest + 1), self.classes[0]))
        return numbers

    @property
    def highest(self) -> int:
        """The largest number; of a result on disk the runs keep count."""
        data = self.data
        there = int(data.max(initial=0)) if isinstance(data, np.ndarray) else 0
        return max(there, self.numbers.highest)
