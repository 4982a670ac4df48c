"""The fixed list of episodes of a data set: what is asked of which picture, shown on which."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vrpsam_app.image_files import write_whole

_KIND = "vrpsam episodes"
_VERSION = 1

Part = tuple[int, int, int, int]
"""A part of a picture in pixels: top, left, bottom, right, half-open."""


@dataclass(frozen=True, slots=True)
class Place:
    """A picture, or a part of one.

    Attributes
    ----------
    picture : its name in the data set
    part : the part that is shown, None for all of it
    """

    picture: str
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class Episode:
    """One question, whatever the format of the marks and the number of references.

    Attributes
    ----------
    seed, index : of the list, and its place there; all chance in the marks comes from them
    label : name of the class that is asked for
    target : where it is looked for
    references : where it is shown; with fewer shots the first ones are taken
    negative : whether the target lacks the class
    """

    seed: int
    index: int
    label: str
    target: Place
    references: tuple[Place, ...]
    negative: bool = False

    def question(self, shots: int) -> tuple[Hashable, ...]:
        """Return what is asked: the same for episodes that differ only in where marks fall."""
        return self.label, self.target, frozenset(self.references[:shots])


@dataclass(frozen=True, slots=True)
class EpisodeList:
    """Episodes that every method, format and number of shots is measured on.

    Attributes
    ----------
    dataset : name of the data set
    seed : of the list
    rules : how it was drawn, as `build_episode_list` was told
    episodes : in order; the first ones do not depend on how many follow
    """

    dataset: str
    seed: int
    rules: Mapping[str, Any]
    episodes: tuple[Episode, ...]

    def __len__(self) -> int:
        """Count the episodes."""
        return len(self.episodes)

    @property
    def most_shots(self) -> int:
        """Return the number of references that every episode has."""
        return min((len(e.references) for e in self.episodes), default=0)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the list as JSON, one episode a line; equal lists give equal bytes.

        Raises
        ------
        OutputError
            If the file exists or cannot be written.
        """
        head = {
            "kind": _KIND,
            "version": _VERSION,
            "dataset": self.dataset,
            "seed": self.seed,
            "rules": dict(self.rules),
        }
        lines = ",\n".join(json.dumps(_as_json(e), ensure_ascii=False) for e in self.episodes)
        start = json.dumps(head, ensure_ascii=False, indent=1).removesuffix("\n}")
        path = Path(path)
        text = f'{start},\n "episodes": [\n{lines}\n]}}\n'
        write_whole(path, text.encode("utf-8"), overwrite=overwrite)
        return path


def _as_json(episode: Episode) -> dict[str, Any]:
    return {
        "index": episode.index,
        "class": episode.label,
        "negative": episode.negative,
        "target": _place_as_json(episode.target),
        "references": [_place_as_json(place) for place in episode.references],
    }


def _place_as_json(place: Place) -> str | dict[str, Any]:
    if place.part is None:
        return place.picture
    return {"picture": place.picture, "part": list(place.part)}
