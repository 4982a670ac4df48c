"""The fixed list of episodes of a data set: what is asked of which picture, shown on which."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vrpsam_app.data.labelled_dataset import LabelledDataset
from vrpsam_app.errors import ConfigError
from vrpsam_app.image_files import write_whole
from vrpsam_app.json_fields import json_bool, json_list, json_object, json_text

_KIND = "vrpsam episodes"
_VERSION = 1
# More than any protocol asks for, so that a damaged file is told from a long one.
_MOST_EPISODES = 1_000_000
_MOST_REFERENCES = 100

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

    def check(self, dataset: LabelledDataset) -> None:
        """Make sure that a data set has what the list names.

        Raises
        ------
        ConfigError
            If a picture or a class is missing; the message names it.
        """
        pictures, classes = set(dataset.names), set(dataset.class_names)
        for episode in self.episodes:
            wanted = [episode.target, *episode.references]
            missing = next((p.picture for p in wanted if p.picture not in pictures), None)
            if missing is None and episode.label in classes:
                continue
            what = f"class {episode.label!r}" if missing is None else f"picture {missing!r}"
            raise ConfigError(
                f"Episode {episode.index} of the list for {self.dataset} names the {what}, which "
                f"{dataset.name} ({len(dataset)} pictures) does not have: open the data that the "
                "list was drawn from, or draw a new list."
            )

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

    @classmethod
    def load(cls, path: str | Path) -> EpisodeList:
        """Read a list.

        Raises
        ------
        ConfigError
            If the file is missing or is no list of episodes; the message names the field.
        """
        path = Path(path)
        try:
            document = json_object(json.loads(path.read_text(encoding="utf-8")), str(path))
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be read ({error.strerror}): expected a list of episodes."
            ) from error
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ConfigError(
                f"{path} is not readable JSON ({error}): draw the list again."
            ) from error
        if document.get("kind") != _KIND or document.get("version") != _VERSION:
            raise ConfigError(
                f"{path} is {document.get('kind')!r} of version {document.get('version')!r}: "
                f"expected {_KIND!r} of version {_VERSION}. Draw the list again."
            )
        seed = _whole(document.get("seed"), f"{path}: seed")
        items = json_list(document.get("episodes"), f"{path}: episodes", _MOST_EPISODES)
        return cls(
            dataset=json_text(document.get("dataset"), f"{path}: dataset"),
            seed=seed,
            rules=json_object(document.get("rules"), f"{path}: rules"),
            episodes=tuple(
                _as_episode(item, seed, f"{path}: episode {i}") for i, item in enumerate(items)
            ),
        )


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


def _as_episode(item: object, seed: int, where: str) -> Episode:
    fields = json_object(item, where)
    references = json_list(fields.get("references"), f"{where}: references", _MOST_REFERENCES)
    if not references:
        raise ConfigError(f"{where}: references is empty: expected at least one. Draw it again.")
    return Episode(
        seed=seed,
        index=_whole(fields.get("index"), f"{where}: index"),
        label=json_text(fields.get("class"), f"{where}: class"),
        target=_as_place(fields.get("target"), f"{where}: target"),
        references=tuple(_as_place(place, f"{where}: references") for place in references),
        negative=json_bool(fields.get("negative"), f"{where}: negative"),
    )


def _as_place(value: object, where: str) -> Place:
    if isinstance(value, str):
        return Place(value)
    fields = json_object(value, where)
    part = json_list(fields.get("part"), f"{where}: part", 4)
    sides = [_whole(side, f"{where}: part") for side in part]
    if len(sides) != 4 or sides[0] >= sides[2] or sides[1] >= sides[3]:
        raise ConfigError(
            f"{where}: part is {sides}: expected top, left, bottom, right. Draw again."
        )
    return Place(
        json_text(fields.get("picture"), f"{where}: picture"),
        (sides[0], sides[1], sides[2], sides[3]),
    )


def _whole(value: object, where: str) -> int:
    if type(value) is not int or value < 0:
        raise ConfigError(f"{where} is {value!r}: expected a whole number from 0. Draw it again.")
    return value
