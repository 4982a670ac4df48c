"""A data set ready to be measured on: its episodes and the reader of their pictures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vrpsam_app.data.data_words import DataWords
from vrpsam_app.data.folder_layout import Split
from vrpsam_app.data.labelled_dataset import LabelledDataset
from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_drawing import (
    LEAST_AREA,
    REFERENCES,
    EpisodeDrawer,
    build_episode_list,
    first_picture_episodes,
)
from vrpsam_app.evaluation.episode_list import Episode, EpisodeList
from vrpsam_app.evaluation.episode_reader import EpisodeReader
from vrpsam_app.output_paths import prepare_folder

PAPER_LEAST_AREA = 2 * 32 * 32
"""Pixels from which a class counts in the paper's experiments."""

# Their published figures take the first picture of each class, or frame of each film, as reference.
_FIRST_PICTURE = ("perseg", "davis2017")


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationSet:
    """What one data set asks.

    Attributes
    ----------
    name : of the data set, and how it is asked where that is not the usual way
    reader : of the pictures
    positives : episodes whose target shows the class
    negatives : episodes whose target lacks it, some with fewer references; empty where there can be
        none
    seed : of the lists
    """

    name: str
    reader: EpisodeReader
    positives: tuple[Episode, ...]
    negatives: tuple[Episode, ...]
    seed: int

    @property
    def most_shots(self) -> int:
        """Return the number of references that every episode has whose target shows the class."""
        return min((len(e.references) for e in self.positives), default=0)

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """All of them, those that show the class first."""
        return self.positives + self.negatives


def open_sets(
    words: DataWords | Sequence[DataWords],
    lists: Path,
    *,
    episodes: int,
    negatives: int,
    seed: int = 0,
    paper: bool = False,
    split: Split = "val",
) -> list[EvaluationSet]:
    """Open the data sets that some words name and draw their episodes.

    The same data give the same episodes; the lists are kept as a record.

    Parameters
    ----------
    words : DataWords, or several; data sets that share a name are told apart by whether parts count
        as objects, and by the folders that they lie in
    lists : folder where drawn lists are kept; it is made
    episodes : number of episodes whose target shows the class
    negatives : number of episodes aimed at whose target lacks it
    seed : of the lists
    paper : draw as the paper's experiments do: without negatives, classes from 2048 pixels
    split : "val" to measure; "train" to choose a setting on what is not measured on

    Raises
    ------
    ImageFileError, ImageError, ConfigError
        If the data cannot be read or nothing can be drawn from them.
    OutputError
        If a list cannot be written.
    """
    opened = [
        (each, dataset)
        for each in ([words] if isinstance(words, DataWords) else words)
        for dataset in (each.open() if split == "val" else [each.open_part(split)])
    ]
    sets = []
    for name, (asked, dataset) in zip(_names(opened), opened, strict=True):
        present: tuple[Episode, ...]
        absent: tuple[Episode, ...] = ()
        if asked.benchmark in _FIRST_PICTURE:
            present = first_picture_episodes(dataset).episodes[:episodes]
        else:
            rules = _Rules(
                prepare_folder(lists) / _slug(f"{name}{' paper' if paper else ''} seed {seed}"),
                seed,
                PAPER_LEAST_AREA if paper else LEAST_AREA,
                asked.one_image,
            )
            present, least = _present(dataset, rules, episodes)
            if negatives and not paper and not asked.one_image:
                absent = _absent(dataset, rules, negatives, least)
        reader = EpisodeReader(dataset, components=asked.components)
        sets.append(EvaluationSet(name, reader, present, absent, seed))
    return sets


@dataclass(frozen=True, slots=True)
class _Rules:
    """How lists are drawn; `stem` is where they are kept, without an ending."""

    stem: Path
    seed: int
    least_area: int
    one_image: bool

    def episodes(
        self,
        dataset: LabelledDataset,
        count: int,
        *,
        negatives: float,
        least: int,
        classes: Sequence[str] | None = None,
    ) -> EpisodeList:
        """Draw a list and keep it."""
        drawn = build_episode_list(
            dataset,
            self.seed,
            count,
            negatives=negatives,
            least_area=self.least_area,
            references=REFERENCES,
            least_references=least,
            one_image=self.one_image,
            classes=classes,
        )
        ending = "-absent" if negatives else ""
        drawn.save(self.stem.with_name(f"{self.stem.name}{ending}.json"), overwrite=True)
        return drawn


def _present(
    dataset: LabelledDataset, rules: _Rules, count: int
) -> tuple[tuple[Episode, ...], int]:
    """Return episodes that show the class, and the number of references each has at least."""
    # Five references for everyone, so that one and five shots ask the same; where no class has as
    # many pictures, fewer.
    try:
        listed = rules.episodes(dataset, count, negatives=0.0, least=REFERENCES)
    except ConfigError:
        listed = rules.episodes(dataset, count, negatives=0.0, least=1)
    return listed.episodes, listed.most_shots


def _absent(dataset: LabelledDataset, rules: _Rules, count: int, least: int) -> tuple[Episode, ...]:
    """Return episodes that lack the class, none where every picture shows every class."""
    try:
        listed = rules.episodes(dataset, count, negatives=1.0, least=least)
    except ConfigError:
        # No picture lacks a class that so many others show: with fewer references some may.
        lacked = EpisodeDrawer(dataset, rules.seed, least_area=rules.least_area).lacked
        if not lacked:
            return ()
        listed = rules.episodes(dataset, count, negatives=1.0, least=1, classes=lacked)
    # A class that no picture of its group lacks gives episodes that show it even here.
    return tuple(e for e in listed.episodes if e.negative)


def _names(opened: Sequence[tuple[DataWords, LabelledDataset]]) -> list[str]:
    """Return what each data set is called: no longer than it must be to be told from the others."""
    ways = [_ways_to_call(words, dataset) for words, dataset in opened]
    names = [way[0] for way in ways]
    for longer in range(1, max(map(len, ways), default=0)):
        count = Counter(map(_slug, names))
        names = [
            way[min(longer, len(way) - 1)] if count[_slug(name)] > 1 else name
            for name, way in zip(names, ways, strict=True)
        ]
    return names


def _ways_to_call(words: DataWords, dataset: LabelledDataset) -> list[str]:
    """Return names from the shortest to one with all folders in which a data set lies."""
    name = f"{dataset.name} (halves)" if words.one_image else dataset.name
    full = f"{name} (components)" if words.components else name
    folder = words.folder.resolve()
    around = folder.parent if dataset.name.startswith(folder.name) else folder
    parts = around.relative_to(around.anchor).parts
    return [name, full, *("/".join([*parts[-n:], full]) for n in range(1, len(parts) + 1))]


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.").casefold()
