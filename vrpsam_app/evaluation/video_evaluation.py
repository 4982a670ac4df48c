"""Methods followed through films with a known truth, with and without a memory."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.bootstrap import Interval, grouped_mean_interval, mean_interval
from vrpsam_app.evaluation.evaluation_plan import DescribedSegmenter
from vrpsam_app.evaluation.report_table import Entry, ReportTable
from vrpsam_app.evaluation.result_file import ResultFile
from vrpsam_app.evaluation.video_films import KnownFilm
from vrpsam_app.evaluation.video_scores import MeasureOverTime, ObjectScorer, ObjectScores
from vrpsam_app.video.predict import predict_video

WAYS: Mapping[str, str | None] = {
    "each frame alone": None,
    "followed": "object,size=0",
    "followed, with memory": "object",
}
"""Ways to go through a film, and the memory of each; None asks anew for every frame."""

# Raised when figures change their meaning, so that old ones are not mixed with new ones.
VERSION = 1


@dataclass(frozen=True, slots=True)
class FilmResult:
    """How one method did on one film in one way.

    Attributes
    ----------
    key : of what was asked
    method, way, film, group : what was asked
    objects : scores of each object of the film
    seconds : for a frame, on average
    """

    key: str
    method: str
    way: str
    film: str
    group: str
    objects: tuple[ObjectScores, ...]
    seconds: float

    @property
    def both(self) -> float:
        """J&F, mean over the objects."""
        return float(np.mean([scores.both for scores in self.objects]))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> FilmResult:
        """Read what :meth:`to_json` gave.

        Raises
        ------
        ConfigError
            If it is something else.
        """
        try:
            fields = dict(data)  # type: ignore[call-overload]
            objects = tuple(
                ObjectScores(
                    said["film"],
                    said["label"],
                    MeasureOverTime(**said["region"]),
                    MeasureOverTime(**said["contour"]),
                )
                for said in fields.pop("objects")
            )
            return cls(objects=objects, **fields)
        except (TypeError, KeyError, ValueError) as error:
            raise ConfigError(f"The line is no result of a film ({error}).") from error


def follow_film(segmenter: DescribedSegmenter, film: KnownFilm, way: str) -> FilmResult:
    """Follow the objects of a film's first frame, and measure all frames after it.

    Parameters
    ----------
    segmenter : anything that predicts and says what it is
    film : with its truth
    way : one of `WAYS`
    """
    references = film.references()
    numbers = {name: number for number, name in film.objects.items()}
    scorer = ObjectScorer(film.name, film.objects)
    truths = film.frames()
    begun, count = time.perf_counter(), 0
    held: tuple[Any, ...] | None = None
    for found in _found(segmenter, film, way):
        truth = next(truths)
        # The first frame is given; the last one is known to be last only when nothing follows.
        if held is not None:
            scorer.add(*held)
        if count:
            labels = np.zeros_like(truth.labels)
            for i, reference in enumerate(references, start=1):
                labels[found == i] = numbers[reference.label]
            held = (labels, truth.labels, truth.ignored)
        count += 1
    if held is not None and film.last_counts:
        scorer.add(*held)
    seconds = (time.perf_counter() - begun) / max(count, 1)
    made_by = segmenter.describe()
    return FilmResult(
        key_of(made_by, film, way),
        str(made_by.get("method", "")),
        way,
        film.name,
        film.group,
        tuple(scorer.scores()),
        seconds,
    )


def key_of(made_by: Mapping[str, Any], film: KnownFilm, way: str) -> str:
    """Return a name for a question, by which its answer is found again."""
    content = (VERSION, made_by, film.name, film.group, sorted(film.objects), way, WAYS[way])
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def evaluate_films(
    builds: Sequence[Callable[[], DescribedSegmenter]],
    films: Sequence[KnownFilm],
    folder: Path,
    *,
    ways: Sequence[str] = tuple(WAYS),
) -> Iterator[FilmResult]:
    """Ask what was not asked yet; each answer is on disk before the next question.

    Parameters
    ----------
    builds : make the methods, one after the other
    films : with their truth
    folder : holds ``films.jsonl``; exists
    ways : some of `WAYS`

    Yields
    ------
    result : FilmResult
        Of every question, known or measured now.

    Raises
    ------
    ConfigError
        If there is no such way, or results of an earlier run cannot be read.
    OutputError
        If results cannot be written.
    """
    if unknown := [way for way in ways if way not in WAYS]:
        raise ConfigError(f"Way {unknown[0]!r}: expected one of {', '.join(WAYS)}.")
    file = ResultFile(folder / "films.jsonl", FilmResult.from_json)
    known = {result.key: result for result in file.read()}
    for build in builds:
        segmenter = build()
        made_by = segmenter.describe()
        for film in films:
            for way in ways:
                result = known.get(key_of(made_by, film, way))
                if result is None:
                    result = follow_film(segmenter, film, way)
                    file.append(result)
                yield result


def film_table(results: Sequence[FilmResult]) -> ReportTable:
    """Return J, F and J&F of each method in each way, by group of films.

    Parameters
    ----------
    results : at least one
    """
    cells: dict[tuple[str, str, str], list[FilmResult]] = {}
    for result in results:
        cells.setdefault((result.group, result.method, result.way), []).append(result)
    rows = []
    for (group, method, way), own in cells.items():
        objects = [scores for result in own for scores in result.objects]
        both = mean_interval([scores.both for scores in objects])
        region = float(np.mean([scores.region.mean for scores in objects]))
        edge = float(np.mean([scores.contour.mean for scores in objects]))
        best = max(
            float(np.mean([s.both for r in others for s in r.objects]))
            for (other, _, _), others in cells.items()
            if other == group
        )
        interval = f"{both.low:.2f}\N{EN DASH}{both.high:.2f}"
        rows.append(
            [
                Entry(group, tone="head"),
                Entry(method, tone="words"),
                Entry(way, tone="words"),
                Entry(f"{both.mean:.3f}", interval, "best" if both.mean >= best else ""),
                Entry(f"{region:.3f}"),
                Entry(f"{edge:.3f}"),
                Entry(str(len(objects))),
                Entry(f"{np.mean([result.seconds for result in own]):.2f}"),
            ]
        )
    return ReportTable(
        "Objects followed through films",
        "J is the mean intersection over union of the frames after the first, F the accuracy of "
        "the contour, J&F their mean with its 95 % bootstrap interval over objects.",
        ["films", "method", "way", "J&F", "J", "F", "objects", "seconds a frame"],
        rows,
    )


def gain_table(results: Sequence[FilmResult]) -> ReportTable:
    """Return what each way adds to the ones before it, object by object.

    Parameters
    ----------
    results : of any films, methods and ways; each object is compared with itself
    """
    ways = [way for way in WAYS if any(result.way == way for result in results)]
    pairs = [(after, before) for i, after in enumerate(ways) for before in reversed(ways[:i])]
    both: dict[tuple[str, str], dict[tuple[str, str], dict[str, float]]] = {}
    for result in results:
        of_group = both.setdefault((result.group, result.method), {})
        for scores in result.objects:
            of_group.setdefault((scores.film, scores.label), {})[result.way] = scores.both
    rows = []
    for method in dict.fromkeys(method for _, method in both):
        groups = {g: list(own.values()) for (g, m), own in both.items() if m == method}
        for name, of_rows in [*((g, [g]) for g in groups), ("mean of all", list(groups))]:
            entries = []
            for after, before in pairs:
                gains = [
                    [
                        found[after] - found[before]
                        for found in groups[g]
                        if {after, before} <= {*found}
                    ]
                    for g in of_rows
                ]
                entries.append(_gain(grouped_mean_interval(gains)))
            rows.append([Entry(name, tone="head"), Entry(method, tone="words"), *entries])
    return ReportTable(
        "What following and memory add",
        "Differences of J&F, paired by object, with 95 % bootstrap intervals; in the mean each "
        "kind of film counts alike. Bold where the interval excludes 0.",
        ["films", "method", *(f"{after} \N{MINUS SIGN} {before}" for after, before in pairs)],
        rows,
    )


def _gain(interval: Interval) -> Entry:
    mean, low, high = (
        f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")
        for value, digits in ((interval.mean, 3), (interval.low, 2), (interval.high, 2))
    )
    return Entry(mean, f"{low} to {high}", "best" if interval.excludes_zero else "")


def _found(segmenter: DescribedSegmenter, film: KnownFilm, way: str) -> Iterator[NDArray[np.int32]]:
    """Yield labels of each frame, 1 + the index of the reference."""
    references = film.references()
    images = (frame.image for frame in film.frames())
    how = WAYS[way]
    if how is None:
        for image in images:
            yield segmenter.predict_classes(image, references).labels
    else:
        for answer in predict_video(segmenter, images, references, memory=how):
            yield answer.labels
