"""Where experiments are run: what trains the models and draws the questions of a scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from vrpsam_app.data.labelled_dataset import LabelledDataset
from vrpsam_app.data.paper_marks import PAPER_SIDE
from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_drawing import REFERENCES, build_episode_list
from vrpsam_app.evaluation.episode_reader import EpisodeReader
from vrpsam_app.evaluation.evaluation_set import EvaluationSet
from vrpsam_app.reproduction.experiments import Run, Test, Variant
from vrpsam_app.reproduction.measured import Scale

Report = Callable[[str], None]


class Bench(Protocol):
    """A scale with all that it needs."""

    @property
    def scale(self) -> Scale:
        """Return which one it is."""
        ...

    def lacks(self, run: Run) -> str:
        """Return what a run would need that is not there, in words; empty if nothing."""
        ...

    def training_settings(self, variant: Variant) -> Mapping[str, Any]:
        """Return what, beside variant and fold, decides what a model becomes."""
        ...

    def trial_settings(self, run: Run) -> Mapping[str, Any]:
        """Return what, beside the run, decides what is asked."""
        ...

    def training_sources(self, variant: Variant) -> Mapping[str, str]:
        """Return what of this computer a model is made of: sums of weights."""
        ...

    def training_roots(self, variant: Variant) -> Mapping[str, str]:
        """Return where the data lie that a model learns from: the same may lie elsewhere."""
        ...

    def trial_sources(self, run: Run) -> Mapping[str, str]:
        """Return what of this computer is asked about: roots of data."""
        ...

    def train(self, variant: Variant, fold: int, folder: Path, report: Report) -> Path:
        """Train a model, or go on, in a folder of its own; return the model's folder."""
        ...

    def questions(self, test: Test, fold: int) -> EvaluationSet:
        """Open the novel classes of a fold and draw the episodes."""
        ...


def draw_questions(
    dataset: LabelledDataset, *, episodes: int, least_area: int, seed: int, side: int = PAPER_SIDE
) -> EvaluationSet:
    """Draw the episodes of a fold: five references each, of which fewer shots take the first.

    Where no class has as many pictures, fewer references.

    Parameters
    ----------
    dataset : of the novel classes
    episodes : number of them
    least_area : pixels from which a class counts in a picture
    seed : of the list
    side : to which pictures are squashed
    """
    for least in (REFERENCES, 1):
        try:
            drawn = build_episode_list(
                dataset, seed, episodes, least_area=least_area, least_references=least
            )
        except ConfigError:
            if least == 1:
                raise
        else:
            break
    reader = EpisodeReader(dataset, paper_side=side)
    return EvaluationSet(dataset.name, reader, drawn.episodes, (), seed)
