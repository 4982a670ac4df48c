"""Scores held against the truth over all questions of a kind, however they were marked.

A data set's answers to clicks are few and often all alike; what a score is good for shows where
good and bad answers stand side by side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from vrpsam_app.evaluation.doubt import DOUBTFUL_SHARE, doubt_figures
from vrpsam_app.evaluation.episode_result import EpisodeResult, Figures

ALL_SETS = ""
"""Name of all data sets together."""


@dataclass(frozen=True, slots=True)
class PooledDoubt:
    """What a method's scores are worth, over all formats.

    Attributes
    ----------
    dataset, method, shots : which answers; :data:`ALL_SETS` for those of all data sets
    answers : number of them; only targets that show the class
    correlation : rank correlation of score and IoU, None where either is constant
    bad : share of answers with an IoU below one half
    caught : share of the bad ones that are among the fifth with the lowest scores, None where no
        answer is bad. With more than a fifth bad it cannot be 1.
    """

    dataset: str
    method: str
    shots: int
    answers: int
    correlation: float | None
    bad: float
    caught: float | None


def pooled_doubt(results: Iterable[EpisodeResult]) -> tuple[PooledDoubt, ...]:
    """Pool the answers about unchanged pictures by data set, and all together.

    All together stand behind the single sets, where there are several.
    """
    pools: dict[tuple[str, str, int], list[Figures]] = defaultdict(list)
    together: dict[tuple[str, str, int], list[Figures]] = defaultdict(list)
    for result in results:
        asked = result.asked
        if result.figures is None or asked.negative or asked.shift:
            continue
        pools[asked.dataset, asked.method, asked.shots].append(result.figures)
        together[ALL_SETS, asked.method, asked.shots].append(result.figures)
    if len({dataset for dataset, _, _ in pools}) > 1:
        pools |= together
    return tuple(_pooled(*key, figures) for key, figures in pools.items())


def _pooled(dataset: str, method: str, shots: int, figures: list[Figures]) -> PooledDoubt:
    found = doubt_figures([f.score for f in figures], [f.iou for f in figures])
    doubtful = found.failure_rate_of_doubtful * DOUBTFUL_SHARE
    return PooledDoubt(
        dataset=dataset,
        method=method,
        shots=shots,
        answers=len(figures),
        correlation=found.rank_correlation,
        bad=found.failure_rate,
        caught=min(1.0, doubtful / found.failure_rate) if found.failure_rate else None,
    )
