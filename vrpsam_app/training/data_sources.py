"""Which pictures a run learns from, as words on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vrpsam_app.data.episodes import FolderGroups
from vrpsam_app.data.folder_dataset import Split
from vrpsam_app.data.scene_imaging import photograph, random_look
from vrpsam_app.data.synthetic_scenes import SceneGroup
from vrpsam_app.errors import ConfigError, VRPSAMError
from vrpsam_app.training.batch_source import GroupSource, SyntheticGroups

REPHOTOGRAPHED = 0.7
"""Share of groups of real pictures that get a new look: colours, light, noise, focus."""


@dataclass(frozen=True, slots=True)
class FolderWords:
    """A labelled folder and how to draw from it.

    Attributes
    ----------
    folder : Path
    weight : float
        How often it is drawn, relative to the other folders.
    one_image : bool
        Each picture is a class of its own; views of a group are parts of one picture.
    upright : bool
        Views are mirrored but not turned.
    """

    folder: Path
    weight: float = 1.0
    one_image: bool = False
    upright: bool = False

    @classmethod
    def parse(cls, text: str) -> FolderWords:
        """Read ``FOLDER[,one-image][,upright][,weight=2]``.

        Raises
        ------
        ConfigError
            If a word after the folder means nothing.
        """
        name, *words = text.split(",")
        weight, flags = 1.0, set()
        for word in words:
            key, _, value = word.partition("=")
            try:
                if key == "weight":
                    weight = float(value)
                elif word in ("one-image", "upright"):
                    flags.add(word)
                else:
                    raise ValueError(word)
            except ValueError as error:
                raise ConfigError(
                    f"--data {text!r}: {word!r} is not known. Expected "
                    "FOLDER[,one-image][,upright][,weight=NUMBER]."
                ) from error
        return cls(Path(name), weight, "one-image" in flags, "upright" in flags)

    def facts(self) -> dict[str, object]:
        """Return what a model's configuration says of the folder: all but where it lay."""
        return {
            "name": self.folder.name,
            "weight": self.weight,
            "one_image": self.one_image,
            "upright": self.upright,
        }

    def groups(self, split: Split) -> FolderGroups:
        """Open the folder."""
        return FolderGroups(
            self.folder, split=split, one_image=self.one_image, upright=self.upright
        )


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
        return SceneGroup(
            images=np.stack(treated),
            instances=group.instances,
            classes=group.classes,
            class_names=group.class_names,
            world=group.world,
            has_instances=group.has_instances,
        )


def training_sources(
    folders: list[FolderWords], synthetic_share: float
) -> list[tuple[GroupSource, float]]:
    """Return sources and weights: procedural scenes, and the training parts of folders."""
    if not folders:
        return [(SyntheticGroups(), 1.0)]
    total = sum(f.weight for f in folders)
    real = [
        (Rephotographed(f.groups("train")), (1 - synthetic_share) * f.weight / total)
        for f in folders
    ]
    return [(SyntheticGroups(), synthetic_share), *real]


def validation_sources(folders: list[FolderWords]) -> list[tuple[str, GroupSource]]:
    """Return names and sources of the folders' validation parts, where they have one."""
    sources: list[tuple[str, GroupSource]] = []
    for words in folders:
        try:
            sources.append((words.folder.name, words.groups("val")))
        except VRPSAMError:
            continue
    return sources
