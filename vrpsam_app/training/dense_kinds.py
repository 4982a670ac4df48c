"""The kinds of things that labels name: what the dense encoder is taught to tell apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vrpsam_app.data.synthetic_scenes import ALL_WORLDS, SceneGroup
from vrpsam_app.training.batch_source import GroupSource, SyntheticGroups
from vrpsam_app.training.data_sources import Rephotographed

OBJECT = "object"
"""Kind of everything whose name says nothing, such as "blob 2" or "second hue"."""

MOST_NAMES = 8
"""With more classes than this a folder's are taken together: each has too few pictures."""

LOOKS = 16
"""Worlds are drawn so often to find the names of their classes."""


@dataclass(frozen=True, slots=True)
class DenseKinds:
    """Kinds, numbered from 0.

    Attributes
    ----------
    numbers : number of each kind by (world or folder, name)
    """

    numbers: Mapping[tuple[str, str], int]

    @classmethod
    def of(cls, sources: Sequence[GroupSource]) -> DenseKinds:
        """List what the sources' labels name."""
        named = sorted({pair for source in sources for pair in _pairs(source)})
        return cls({pair: number for number, pair in enumerate(named)})

    def __len__(self) -> int:
        return len(self.numbers)

    def of_classes(self, group: SceneGroup) -> tuple[int, ...]:
        """Return the kind of each class of a group, -1 where it has none."""
        return tuple(
            self.numbers.get(
                (group.world, _kind(name)), self.numbers.get((group.world, OBJECT), -1)
            )
            for name in group.class_names
        )

    def of_world(self, world: str) -> tuple[int, ...]:
        """Return the kinds that pictures of a world or folder tell something about."""
        return tuple(number for (where, _), number in self.numbers.items() if where == world)


def _pairs(source: GroupSource) -> list[tuple[str, str]]:
    if isinstance(source, Rephotographed):
        return _pairs(source.source)
    if isinstance(source, SyntheticGroups):
        return [(world, kind) for world in ALL_WORLDS for kind in _kinds_of_world(world)]
    dataset = getattr(source, "dataset", None)
    if dataset is None:
        return []
    names = dataset.class_names
    kinds = {_kind(name) for name in names} if len(names) <= MOST_NAMES else {OBJECT}
    return [(dataset.name, kind) for kind in kinds]


def _kinds_of_world(world: str) -> set[str]:
    builder, _ = ALL_WORLDS[world]
    drawn = (builder(np.random.default_rng(seed)) for seed in range(LOOKS))
    return {_kind(scene_class.name) for scene in drawn for scene_class in scene.classes}


def _kind(name: str) -> str:
    return OBJECT if re.search(r"^(first|second|other)\b|\d$", name) else name
