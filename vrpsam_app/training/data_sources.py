"""Which pictures a run learns from, as words on the command line."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vrpsam_app.data.data_words import DataWords
from vrpsam_app.data.episodes import FolderGroups
from vrpsam_app.data.labelled_dataset import LabelledDataset
from vrpsam_app.data.scene_imaging import photograph, random_look
from vrpsam_app.data.synthetic_scenes import SceneGroup
from vrpsam_app.training.batch_source import GroupSource, SyntheticGroups

REPHOTOGRAPHED = 0.7
"""Share of groups of real pictures that get a new look: colours, light, noise, focus."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupData:
    """Data to draw groups of views from: named by words, or opened already.

    Attributes
    ----------
    words : DataWords
        How to draw.
    dataset : LabelledDataset, optional
        What to learn from where the words name no files; it has no part for validation.
    """

    words: DataWords
    dataset: LabelledDataset | None = None

    @classmethod
    def of(cls, data: str | DataWords | LabelledDataset) -> GroupData:
        """Read words, or take a data set as it is.

        Raises
        ------
        ConfigError
            If a word means nothing.
        """
        if isinstance(data, str):
            return cls(DataWords.parse(data))
        if isinstance(data, DataWords):
            return cls(data)
        return cls(DataWords(Path(data.name)), data)

    def facts(self) -> dict[str, object]:
        """Return what a model's configuration says of the data: all but where they lay."""
        return self.words.facts()

    def learned(self) -> FolderGroups:
        """Open the pictures to learn from.

        Raises
        ------
        VRPSAMError
            If there is no such part, or it cannot be drawn from.
        """
        return self._drawn(self.words.open_part("train") if self.dataset is None else self.dataset)

    def tested(self) -> FolderGroups | None:
        """Open the part to look at meanwhile, None where there is none.

        Raises
        ------
        VRPSAMError
            If it is there, and cannot be drawn from.
        """
        opened = self.words.open_validation() if self.dataset is None else None
        return None if opened is None else self._drawn(opened)

    def _drawn(self, opened: LabelledDataset) -> FolderGroups:
        return FolderGroups(opened, one_image=self.words.one_image, upright=self.words.upright)


@dataclass(frozen=True, slots=True)
class Rephotographed:
    """Groups of real pictures, most of them under a new look shared by the group."""

    source: GroupSource

    def sample(self, rng: np.random.Generator, size: int, images: int) -> SceneGroup:
        """Draw a group and treat its pictures."""
        group = self.source.sample(rng, size, images)
        if rng.random() >= REPHOTOGRAPHED:
            return group
        look = random_look(rng, 0.2)
        treated = [photograph(i.astype(np.float32) / 255, look, rng) for i in group.images]
        return dataclasses.replace(group, images=np.stack(treated))


def training_sources(
    data: list[GroupData], synthetic_share: float
) -> list[tuple[GroupSource, float]]:
    """Return sources and weights: procedural scenes, and the training parts of data."""
    if not data:
        return [(SyntheticGroups(), 1.0)]
    total = sum(d.words.weight for d in data)
    real = [
        (Rephotographed(d.learned()), (1 - synthetic_share) * d.words.weight / total) for d in data
    ]
    return [(SyntheticGroups(), synthetic_share), *real]


def validation_sources(data: list[GroupData]) -> list[tuple[str, GroupSource]]:
    """Return names and sources of the data's validation parts, where they have one."""
    tested = [(given.words.folder.name, given.tested()) for given in data]
    return [(name, groups) for name, groups in tested if groups is not None]
