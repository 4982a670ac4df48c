"""From the results of single episodes to the figures of a cell: method, data set, format, shots."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vrpsam_app.evaluation.bootstrap import Interval, grouped_mean_interval
from vrpsam_app.evaluation.doubt import doubt_figures
from vrpsam_app.evaluation.episode_list import Episode
from vrpsam_app.evaluation.episode_result import EpisodeResult, Figures
from vrpsam_app.evaluation.pooled_doubt import PooledDoubt, pooled_doubt
from vrpsam_app.evaluation.presence import presence_figures
from vrpsam_app.methods import PEERS

PRIOR = "training_free_prior"


class Column(NamedTuple):
    """What is asked how: the same column of every method and data set can be compared."""

    format: str
    shots: int
    shift: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """IoU against another method on the same episodes.

    Attributes
    ----------
    other : name of the other method
    interval : of this method's IoU minus the other's
    """

    other: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class Cell:
    """Figures of one method in one column on one data set; NaN where there is nothing to measure.

    Attributes
    ----------
    dataset, method, column : which cell
    episodes, absent, failed : questions answered whose target shows the class, whose target lacks
        it, and questions that failed
    iou : mean over episodes
    shared_iou : mean over the episodes that every method of the same column answered, without which
        a method that fails on what is hard would seem the better one
    class_iou : mean over classes of intersections over unions summed over episodes
    fb_iou : mean of that of the foreground and of the background, over all classes together
    boundary_iou : mean over episodes
    object_f1 : mean over episodes of F1 at IoU 0.5
    count_error : mean over episodes of the difference of the numbers of objects, as share of the
        true number
    absent_found : share of absent targets whose mask covers more than 1 % of the picture
    gate_loss : IoU lost on targets that show the class because they were judged to lack it
    doubt_correlation : rank correlation of the method's score with IoU
    bad, bad_doubtful : share of targets with IoU below 0.5, among all and among the fifth with the
        lowest scores
    seconds_fresh, seconds_again : mean time of the first answer on a target, and of later ones
    peak_bytes : most memory of the process
    against_peer, against_prior : None for those methods themselves and where they were not asked
    """

    dataset: str
    method: str
    column: Column
    episodes: int
    absent: int
    failed: int
    iou: Interval
    shared_iou: Interval
    class_iou: float
    fb_iou: float
    boundary_iou: float
    object_f1: float
    count_error: float
    absent_found: float
    gate_loss: float
    doubt_correlation: float
    bad: float
    bad_doubtful: float
    seconds_fresh: float
    seconds_again: float
    peak_bytes: int
    against_peer: Difference | None
    against_prior: Difference | None


@dataclass(frozen=True, slots=True)
class Overall:
    """One method in one column over the data sets on which all methods of the column were asked.

    Attributes
    ----------
    method, column : which
    datasets : number of data sets
    objects_only : whether those are left out that do not tell objects apart
    iou : mean over data sets of their means, over episodes that all of the methods answered
    against_peer, against_prior : as in :class:`Cell`; the peer may differ from set to set
    """

    method: str
    column: Column
    datasets: int
    objects_only: bool
    iou: Interval
    against_peer: Interval | None
    against_prior: Interval | None


@dataclass(frozen=True, slots=True)
class Summary:
    """All cells, the means over data sets, and what failed.

    Attributes
    ----------
    cells : in the order in which they were measured
    overall : of columns asked on two data sets or more, and of those among them with objects
    failures : results without figures
    doubts : what scores are worth, over all ways of asking
    """

    cells: tuple[Cell, ...]
    overall: tuple[Overall, ...]
    failures: tuple[EpisodeResult, ...]
    doubts: tuple[PooledDoubt, ...] = ()

    @classmethod
    def of(
        cls,
        results: Iterable[EpisodeResult],
        episodes: Mapping[str, Sequence[Episode]] | None = None,
    ) -> Summary:
        """Sum up results, each question once.

        Parameters
        ----------
        results : of any methods and data sets
        episodes : those that show the class, by data set: they tell which questions ask the same
            again. Without them each counts as a new one.
        """
        results = list(results)
        known = {(name, e.index): e for name, listed in (episodes or {}).items() for e in listed}
        grouped: dict[_Key, list[EpisodeResult]] = defaultdict(list)
        failures = []
        for r in results:
            column = Column(r.asked.format, r.asked.shots, r.asked.shift)
            grouped[r.asked.dataset, column, r.asked.method].append(r)
            if r.figures is None:
                failures.append(r)
        ious = {key: _ious(group, known) for key, group in grouped.items()}
        shared = _shared(ious)
        cells = tuple(_cell(key, group, ious[key], shared) for key, group in grouped.items())
        return cls(cells, tuple(_overall(cells, shared)), tuple(failures), pooled_doubt(results))


_Key = tuple[str, Column, str]
_Ious = dict[tuple[int, Hashable], float]
"""IoU by number of the episode and what it asks, of those whose target shows the class."""


def _ious(group: Sequence[EpisodeResult], known: Mapping[tuple[str, int], Episode]) -> _Ious:
    found: _Ious = {}
    for r in group:
        if r.figures and not r.asked.negative:
            index = r.asked.index
            episode = known.get((r.asked.dataset, index))
            found[index, episode.question(r.asked.shots) if episode else index] = r.figures.iou
    return found


def _shared(ious: Mapping[_Key, _Ious]) -> dict[_Key, _Ious]:
    """Keep the episodes that every method answered which answered any in the same column."""
    asked: dict[tuple[str, Column], list[_Ious]] = defaultdict(list)
    for (dataset, column, _), own in ious.items():
        if own:
            asked[dataset, column].append(own)
    kept: dict[_Key, _Ious] = {}
    for (dataset, column, method), own in ious.items():
        others = asked[dataset, column]
        kept[dataset, column, method] = {
            e: iou for e, iou in own.items() if all(e in other for other in others)
        }
    return kept


def _mean_interval(*groups: _Ious) -> Interval:
    """Return the mean of the groups' means; repeated questions make it no surer."""
    return grouped_mean_interval(
        [list(own.values()) for own in groups],
        questions=[[question for _, question in own] for own in groups],
    )


def _cell(
    key: _Key, group: Sequence[EpisodeResult], own: _Ious, shared: Mapping[_Key, _Ious]
) -> Cell:
    dataset, column, method = key
    shown = [r for r in group if r.figures and not r.asked.negative]
    figures = [r.figures for r in shown if r.figures]
    absent = [r.figures for r in group if r.figures and r.asked.negative]
    all_figures = figures + absent
    values = [f.iou for f in figures]
    doubt = doubt_figures([f.score for f in figures], values) if figures else None
    presence = presence_figures(
        [f.found_share for f in absent], values, [f.ungated_iou for f in figures]
    )
    return Cell(
        dataset=dataset,
        method=method,
        column=column,
        episodes=len(figures),
        absent=len(absent),
        failed=sum(r.figures is None for r in group),
        iou=_mean_interval(own),
        shared_iou=_mean_interval(shared[key]),
        class_iou=_class_iou(shown),
        fb_iou=_fb_iou(figures),
        boundary_iou=_mean(f.boundary_iou for f in figures),
        object_f1=_mean(f.objects.f1 for f in figures if f.objects),
        count_error=_mean(
            abs(f.objects.count_error) / f.objects.true
            for f in figures
            if f.objects and f.objects.true
        ),
        absent_found=_known(presence.false_alarms),
        gate_loss=_known(presence.iou_lost),
        doubt_correlation=_known(doubt.rank_correlation if doubt else None),
        bad=_known(doubt.failure_rate if doubt else None),
        bad_doubtful=_known(doubt.failure_rate_of_doubtful if doubt else None),
        seconds_fresh=_mean(f.seconds for f in all_figures if f.fresh),
        seconds_again=_mean(f.seconds for f in all_figures if not f.fresh),
        peak_bytes=max((f.peak_bytes for f in all_figures), default=0),
        against_peer=_difference(key, _peer(dataset, column, shared), shared),
        against_prior=_difference(key, PRIOR, shared),
    )


def _peer(dataset: str, column: Column, ious: Mapping[_Key, _Ious]) -> str | None:
    """Return the peer with the higher mean, None if none was asked."""
    means = {name: _mean(ious.get((dataset, column, name), {}).values()) for name in PEERS}
    known = [name for name in PEERS if not math.isnan(means[name])]
    return max(known, key=lambda name: means[name], default=None)


def _difference(key: _Key, other: str | None, ious: Mapping[_Key, _Ious]) -> Difference | None:
    dataset, column, method = key
    if other is None or method == other:
        return None
    gains = _gains(ious[key], ious.get((dataset, column, other), {}))
    return Difference(other, _mean_interval(gains)) if gains else None


def _gains(own: _Ious, others: _Ious) -> _Ious:
    return {e: own[e] - others[e] for e in own if e in others}


def _overall(cells: Sequence[Cell], ious: Mapping[_Key, _Ious]) -> Iterable[Overall]:
    by_column: dict[Column, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        if cell.episodes:
            by_column[cell.column][cell.method].append(cell)
    for column, methods in by_column.items():
        shared = set.intersection(*({c.dataset for c in own} for own in methods.values()))
        # Boxes are only asked of data that tell objects apart.
        boxed = by_column.get(column._replace(format="box"), {}).values()
        objects = shared.intersection(*({c.dataset for c in own} for own in boxed))
        for datasets in (shared, objects):
            if len(datasets) < 2 or (datasets is objects and objects == shared):
                continue
            for method, own in methods.items():
                kept = [c for c in own if c.dataset in datasets]
                peers = [] if method in PEERS else [(c, c.against_peer) for c in kept]
                yield Overall(
                    method=method,
                    column=column,
                    datasets=len(datasets),
                    objects_only=datasets is objects,
                    iou=_mean_interval(*(ious[_key(c)] for c in kept)),
                    against_peer=_gain(peers, ious),
                    against_prior=_gain([(c, c.against_prior) for c in kept], ious),
                )


def _gain(
    pairs: Sequence[tuple[Cell, Difference | None]], ious: Mapping[_Key, _Ious]
) -> Interval | None:
    """Return the mean over data sets of the mean differences, each against its own other."""
    groups = [
        _gains(ious[_key(cell)], ious[cell.dataset, cell.column, difference.other])
        for cell, difference in pairs
        if difference is not None
    ]
    return _mean_interval(*groups) if groups else None


def _key(cell: Cell) -> _Key:
    return cell.dataset, cell.column, cell.method


def _class_iou(shown: Sequence[EpisodeResult]) -> float:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for r in shown:
        if r.figures:
            sums[r.asked.label][0] += r.figures.intersection
            sums[r.asked.label][1] += r.figures.union
    # As in print, a class that neither is nor was found counts as missed.
    return _mean(shared / max(union, 1) for shared, union in sums.values())


def _fb_iou(figures: Sequence[Figures]) -> float:
    if not figures:
        return math.nan
    front = sum(f.intersection for f in figures) / max(sum(f.union for f in figures), 1)
    back = sum(f.background_intersection for f in figures) / max(
        sum(f.background_union for f in figures), 1
    )
    return (front + back) / 2


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known) if known else math.nan
