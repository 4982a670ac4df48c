"""A number that an experiment came to, as it is kept on disk and printed beside the paper's."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_result import EpisodeResult
from vrpsam_app.reproduction.experiments import ALL_FOLDS, Cell, Measure, Run, Trial, Variant

Scale = Literal["small", "paper"]

DRAWS = 500
"""Resamples of the episodes, which give the error of a mean IoU within a twentieth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a run came to, or what was counted of a variant.

    Attributes
    ----------
    key : hash of everything that the value depends on; a later value of the same key replaces it
    scale : small, or that of the paper
    measure : what was measured
    variant, trial, fold : of the run; trial and fold are None for what is counted
    value : mIoU in percent, or millions of parameters
    error : standard error of `value` over the episodes that were drawn; 0 for what is counted
    fb_iou : in percent, None for what is counted
    episodes : number of episodes
    seconds : that asking them took
    settings : steps, sizes and the like
    """

    key: str
    scale: Scale
    measure: Measure = "miou"
    variant: Variant
    trial: Trial | None = None
    fold: int | None = None
    value: float
    error: float = 0.0
    fb_iou: float | None = None
    episodes: int = 0
    seconds: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries and numbers."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Measured:
        """Build it from what :meth:`to_json` gave.

        Raises
        ------
        ConfigError
            If it is something else.
        """
        try:
            fields: dict[str, Any] = dict(data)  # type: ignore[call-overload]
            fields["variant"] = Variant(**fields["variant"])
            fields["trial"] = Trial(**fields["trial"]) if fields["trial"] is not None else None
            return cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"{str(data)[:60]} is no result of an experiment ({error}): it was written by "
                "another release. Use another folder."
            ) from error

    @property
    def run(self) -> Run | None:
        """Return the run that it came of, None for what is counted."""
        if self.trial is None or self.fold is None:
            return None
        return Run(self.variant, self.trial, self.fold)


@dataclass(frozen=True, slots=True)
class CellValue:
    """What stands in a cell.

    Attributes
    ----------
    value : mean over folds
    error : standard error over the episodes
    folds : that it is the mean of
    """

    value: float
    error: float
    folds: tuple[int, ...]

    @property
    def half_width(self) -> float:
        """Half the width of the 95 % interval."""
        return 1.96 * self.error


def cell_value(cell: Cell, results: Iterable[Measured], scale: Scale) -> CellValue | None:
    """Return what is known of a cell at a scale, None if nothing is.

    Of several results of one run, made with other settings, the last one counts.
    """
    if not cell.is_ours:
        return None
    if cell.measure == "parameters":
        counted = [
            r
            for r in results
            if (r.measure, r.scale, r.variant) == ("parameters", scale, cell.variant)
        ]
        return CellValue(counted[-1].value, 0.0, ()) if counted else None
    known = {r.run: r for r in results if r.scale == scale and r.run is not None}
    there = [known[run] for run in cell.runs(ALL_FOLDS) if run in known]
    if not there:
        return None
    return CellValue(
        value=sum(r.value for r in there) / len(there),
        error=math.sqrt(sum(r.error**2 for r in there)) / len(there),
        folds=tuple(r.fold for r in there if r.fold is not None),
    )


def class_iou_error(results: Sequence[EpisodeResult], *, seed: int = 0) -> float:
    """Return the standard error of the mean class IoU, in percent, by resampling the episodes.

    Parameters
    ----------
    results : of one method in one column
    seed : of the resampling
    """
    places: dict[str, int] = defaultdict(lambda: len(places))
    rows = [
        (places[r.asked.label], r.figures.intersection, r.figures.union)
        for r in results
        if r.figures is not None and not r.asked.negative
    ]
    if len(rows) < 2:
        return 0.0
    labels, shared, union = (np.array(column) for column in zip(*rows, strict=True))
    rng = np.random.default_rng(seed)
    means = np.empty(DRAWS)
    for i in range(DRAWS):
        pick = rng.integers(0, len(rows), len(rows))
        sums = [
            np.bincount(labels[pick], weights=values[pick], minlength=len(places))
            for values in (shared, union)
        ]
        drawn = np.bincount(labels[pick], minlength=len(places)) > 0
        means[i] = (sums[0][drawn] / np.maximum(sums[1][drawn], 1)).mean()
    return 100 * float(means.std(ddof=1))
