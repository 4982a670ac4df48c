"""A data set ready to be measured on: episodes, drawn once, and the reader of their pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vrpsam_app.data.data_words import DataWords
from vrpsam_app.data.folder_layout import Split
from vrpsam_app.data.labelled_dataset import LabelledDataset
from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_drawing import (
    LEAST_AREA,
    REFERENCES,
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
    negatives : episodes whose target lacks it; empty where there can be none
    seed : of the lists
    """

    name: str
    reader: EpisodeReader
    positives: tuple[Episode, ...]
    negatives: tuple[Episode, ...]
    seed: int

    @property
    def most_shots(self) -> int:
        """Return the number of references that every episode has."""
        return min((len(e.references) for e in self.episodes), default=0)

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """All of them, those that show the class first."""
        return self.positives + self.negatives


def open_sets(
    words: DataWords,
    lists: Path,
    *,
    episodes: int,
    negatives: int,
    seed: int = 0,
    paper: bool = False,
    split: Split = "val",
) -> list[EvaluationSet]:
    """Open the data sets that some words name and draw their episodes, or read them if drawn.

    Parameters
    ----------
    words : DataWords
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
    """
    sets = []
    for dataset in words.open() if split == "val" else [words.open_part(split)]:
        name = f"{dataset.name} (halves)" if words.one_image else dataset.name
        present: tuple[Episode, ...]
        absent: tuple[Episode, ...] = ()
        if words.benchmark in _FIRST_PICTURE:
            present = first_picture_episodes(dataset).episodes[:episodes]
        else:
            rules = _Rules(
                prepare_folder(lists) / _slug(f"{name}{' paper' if paper else ''} seed {seed}"),
                seed,
                PAPER_LEAST_AREA if paper else LEAST_AREA,
                words.one_image,
            )
            present, least = _present(dataset, rules, episodes)
            if negatives and not paper and not words.one_image:
                absent = _absent(dataset, rules, negatives, least)
        reader = EpisodeReader(dataset, components=words.components)
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
        self, dataset: LabelledDataset, count: int, *, negatives: float, least: int
    ) -> EpisodeList:
        """Read the list if it was drawn like this and is long enough; else draw and keep it."""
        path = self.stem.with_name(f"{self.stem.name}{'-absent' if negatives else ''}.json")
        if path.is_file():
            known = EpisodeList.load(path)
            if self._made(known, dataset, negatives) and len(known) >= count:
                known.check(dataset)
                return known
        drawn = build_episode_list(
            dataset,
            self.seed,
            count,
            negatives=negatives,
            least_area=self.least_area,
            references=REFERENCES,
            least_references=least,
            one_image=self.one_image,
        )
        drawn.save(path, overwrite=True)
        return drawn

    def _made(self, known: EpisodeList, dataset: LabelledDataset, negatives: float) -> bool:
        return (known.dataset, known.seed) == (dataset.name, self.seed) and all(
            known.rules.get(key) == value
            for key, value in (
                ("negatives", negatives),
                ("least_area", self.least_area),
                ("references", REFERENCES),
                ("one_image", self.one_image),
            )
        )


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
    return listed.episodes[:count], listed.most_shots


def _absent(dataset: LabelledDataset, rules: _Rules, count: int, least: int) -> tuple[Episode, ...]:
    """Return episodes that lack the class, none where every picture shows every class."""
    try:
        listed = rules.episodes(dataset, count, negatives=1.0, least=least)
    except ConfigError:
        return ()
    # A class that no picture of its group lacks gives episodes that show it even here.
    return tuple(e for e in listed.episodes[:count] if e.negative)


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.").casefold()
