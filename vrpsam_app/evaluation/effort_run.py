"""Effort measured on the first episodes of each data set, for several ways of working."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.errors import VRPSAMError
from vrpsam_app.evaluation.effort import (
    GOAL,
    MOST_MARKS,
    Answer,
    EffortResult,
    Mark,
    ObjectByObject,
    correct_until_good,
    with_reference,
    without_reference,
)
from vrpsam_app.evaluation.episode_list import Episode
from vrpsam_app.evaluation.episode_reader import Question
from vrpsam_app.evaluation.evaluation_plan import DescribedSegmenter, answering_code
from vrpsam_app.evaluation.evaluation_set import EvaluationSet
from vrpsam_app.evaluation.result_file import ResultFile
from vrpsam_app.methods.plain_sam import PlainSAM

OBJECT_BY_OBJECT = "SAM clicks, object by object"
"""The way of working that needs a SAM which answers prompts by itself."""

EFFORT_VERSION = 1
"""Raised when the simulated person changes."""


@dataclass(frozen=True, slots=True, eq=False)
class Approach:
    """One way of working.

    Attributes
    ----------
    name : in tables
    segmenter : that is worked with
    mark : what the person draws
    begin : from a question to what answers the marks on its target
    answers_first : whether there is an answer before any mark
    """

    name: str
    segmenter: DescribedSegmenter
    mark: Mark
    begin: Callable[[Question], Answer]
    answers_first: bool = False


def approaches(
    product: DescribedSegmenter,
    *,
    sam: PlainSAM | None = None,
    forest: DescribedSegmenter | None = None,
) -> tuple[Approach, ...]:
    """Return the ways that are compared.

    Parameters
    ----------
    product : given the episode's first reference
    sam : clicked on each picture anew, None to leave it out
    forest : pixel classifier that is scribbled on each picture anew, None to leave it out
    """
    refined = partial(with_reference, product)
    ways = [
        Approach("reference, then clicks", product, "click", refined, answers_first=True),
        Approach("reference, then strokes", product, "stroke", refined, answers_first=True),
    ]
    if sam is not None:
        ways.append(Approach(OBJECT_BY_OBJECT, sam, "click", partial(ObjectByObject, sam)))
    if forest is not None:
        begin_anew = partial(without_reference, forest)
        ways.append(Approach("forest, strokes on each picture", forest, "stroke", begin_anew))
    return tuple(ways)


class EffortRun:
    """Measures effort; what stands in ``effort.jsonl`` of the folder is not measured again.

    Parameters
    ----------
    ways : of working
    sets : data sets
    episodes : number of episodes of each
    folder : where results go; it exists
    store : shared by the segmenters, emptied with each data set
    """

    def __init__(
        self,
        ways: Sequence[Approach],
        sets: Sequence[EvaluationSet],
        episodes: int,
        folder: Path,
        *,
        store: EmbeddingStore | None = None,
    ) -> None:
        self._ways, self._sets, self._episodes, self._store = ways, sets, episodes, store
        self._file = ResultFile(folder / "effort.jsonl", EffortResult.from_json)

    def __len__(self) -> int:
        """Count the courses, measured or not."""
        return len(self._ways) * sum(len(data.positives[: self._episodes]) for data in self._sets)

    def run(self) -> Iterator[EffortResult]:
        """Yield the effort of each picture and way, known or measured now.

        Raises
        ------
        ConfigError
            If results of an earlier run cannot be read.
        OutputError
            If results cannot be written.
        """
        known = {r.key: r for r in self._file.read() if not r.error}
        for data in self._sets:
            for episode in data.positives[: self._episodes]:
                for way in self._ways:
                    result = known.get(key := _key(way, data, episode))
                    if result is None:
                        result = _measure(key, way, data, episode)
                        self._file.append(result)
                    yield result
            if self._store is not None:
                self._store.clear()


def _measure(key: str, way: Approach, data: EvaluationSet, episode: Episode) -> EffortResult:
    marks, error = 0, ""
    ious: tuple[float, ...] = (0.0,)
    try:
        question = data.reader.to_references(episode, "click", 1)
        rng = np.random.default_rng((episode.seed, episode.index))
        answer = way.begin(question)
        first = answer(()) if way.answers_first else None
        course = correct_until_good(answer, question, rng, mark=way.mark, first=first)
        marks, ious = len(course.marks), course.ious
    except VRPSAMError as caught:
        error = str(caught)
    except Exception as caught:
        error = f"{type(caught).__name__}: {caught}"
    return EffortResult(
        key=key,
        approach=way.name,
        dataset=data.name,
        label=episode.label,
        target=episode.target.picture,
        index=episode.index,
        marks=marks,
        start=ious[0],
        end=ious[-1],
        reached=ious[-1] >= GOAL,
        error=error,
    )


def _key(way: Approach, data: EvaluationSet, episode: Episode) -> str:
    who = sorted(way.segmenter.describe().items())
    asked = (way.name, who, answering_code(way.segmenter), data.name, data.reader.components)
    shown = data.reader.content_key(episode, 1)
    words = (EFFORT_VERSION, GOAL, MOST_MARKS, *asked, shown)
    return hashlib.blake2b(f"{words} {episode}".encode(), digest_size=10).hexdigest()
