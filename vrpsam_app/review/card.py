"""The card of an exported data set: what it holds, how it was made, who looked at it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vrpsam_app import __version__
from vrpsam_app.image_files import write_whole
from vrpsam_app.library.entry import LibraryEntry
from vrpsam_app.recipe import Recipe
from vrpsam_app.review.state import STATUSES, now

_MEANING = {
    "accepted": "the segmenter's mask, looked at and accepted",
    "fixed": "a mask that a person drew or corrected",
    "rejected": "left out by a person",
    "waiting": "segmented, not looked at",
    "failed": "could not be read or segmented",
    "new": "not segmented yet",
}


@dataclass(frozen=True, eq=False)
class DatasetFacts:
    """What a card says of a data set.

    Attributes
    ----------
    name, licence : of the data set and its pictures
    pictures, train, validation : how many
    pictures_by_class, pixels_by_class : by class, in the order of their numbers in the masks
    objects_by_class : None where the masks hold classes
    statuses : how many pictures of the whole project have each status
    included : how many pictures of the data set have each status
    mean_certainty : what the segmenter expected of its own masks; None if it made none
    reviewers : who decided
    references : that the project has now
    """

    name: str
    licence: str
    pictures: int
    train: int
    validation: int
    pictures_by_class: Mapping[str, int]
    pixels_by_class: Mapping[str, int]
    objects_by_class: Mapping[str, int] | None
    statuses: Mapping[str, int]
    included: Mapping[str, int]
    mean_certainty: float | None
    reviewers: tuple[str, ...]
    references: tuple[LibraryEntry, ...]


def write_card(path: Path, facts: DatasetFacts, recipes: Sequence[tuple[str, Recipe]]) -> None:
    """Write the card as Markdown with the header that the Hub reads.

    Parameters
    ----------
    recipes : key and recipe of each question that the masks answer

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    parts = [
        _header(facts),
        f"# {_plain(facts.name)}\n",
        _summary(facts),
        "## What is in it\n",
        _classes(facts),
        _layout(facts),
        "## How it was made\n",
        _review(facts),
        _references(facts.references),
        _models(recipes),
        "## Licence\n",
        f"Of the pictures: {_plain(facts.licence)}. Who made the data set stated it; nobody "
        "checked it.\n"
        if facts.licence != "unknown"
        else "Nobody stated the licence of the pictures: ask whose they are before you pass them "
        "on.\n",
    ]
    write_whole(path, "\n".join(parts).encode(), overwrite=True)


def _header(facts: DatasetFacts) -> str:
    """Return the metadata block; JSON strings are YAML strings, whatever they hold."""
    size = "n<1K" if facts.pictures < 1000 else "1K<n<10K" if facts.pictures < 10_000 else "10K<n"
    return (
        "---\n"
        f"license: {json.dumps(facts.licence)}\n"
        f"pretty_name: {json.dumps(facts.name)}\n"
        "task_categories:\n- image-segmentation\n"
        f"size_categories:\n- {json.dumps(size)}\n"
        "---\n"
    )


def _summary(facts: DatasetFacts) -> str:
    classes = ", ".join(_plain(name) for name in facts.pictures_by_class)
    return (
        f"{facts.pictures} pictures with masks of {classes}: {facts.train} to learn from, "
        f"{facts.validation} to check with. Made on {now()[:10]} with vrpsam-app {__version__}: an "
        "example or several were marked, the rest was segmented after them and reviewed by a "
        "person.\n"
    )


def _classes(facts: DatasetFacts) -> str:
    objects = facts.objects_by_class
    lines = [
        f"| class | number in masks | pictures | pixels |{' objects |' if objects else ''}",
        f"|---|---|---|---|{'---|' if objects else ''}",
    ]
    several = len(facts.pictures_by_class) > 1
    for number, (name, pictures) in enumerate(facts.pictures_by_class.items(), start=1):
        value = "see per_image.json" if objects else (str(number) if several else "255")
        counted = f" {objects[name]} |" if objects else ""
        pixels = facts.pixels_by_class[name]
        lines.append(f"| {_plain(name)} | {value} | {pictures} | {pixels} |{counted}")
    return "\n".join(lines) + "\n"


def _layout(facts: DatasetFacts) -> str:
    masks = (
        "one number for each object, whose class `per_image.json` names"
        if facts.objects_by_class is not None
        else "0 where no class is"
    )
    return (
        "- `images/`: the pictures\n"
        f"- `masks/`: PNGs of the same names and sizes, {masks}\n"
        "- `splits.json`: names of the pictures to learn from (`train`) and to check with (`val`)\n"
        "- `per_image.json`: for each picture where it came from, who decided, and the score that "
        "the segmenter gave itself\n"
        "- `recipes/`, `references.zip`: what was asked, with the marked examples; "
        "`vrpsam segment --recipe` asks it again\n\n"
        "```python\n"
        "from vrpsam_app.data.folder_dataset import FolderDataset\n\n"
        'train = FolderDataset.open("this folder", split="train")\n'
        "picture = train.load(0)  # .image, .classes, .instances\n"
        "```\n"
    )


def _review(facts: DatasetFacts) -> str:
    lines = ["| pictures of the project | number | in this data set |", "|---|---|---|"]
    for status in STATUSES:
        if facts.statuses.get(status):
            inside = facts.included.get(status, 0)
            what = f"{status}: {_MEANING[status]}"
            lines.append(f"| {what} | {facts.statuses[status]} | {inside} |")
    who = ", ".join(map(_plain, facts.reviewers)) or "nobody"
    certainty = (
        f"The segmenter expected a mean overlap of {facts.mean_certainty:.2f} of its own masks "
        "with the truth (IoU); that is its guess and no measurement."
        if facts.mean_certainty is not None
        else "All masks were drawn by hand."
    )
    return "\n".join(lines) + f"\n\nDecided by {who}. {certainty}\n"


def _references(references: Sequence[LibraryEntry]) -> str:
    lines = [
        "| reference | class | marked by | everything marked | notes |",
        "|---|---|---|---|---|",
    ]
    for entry in references:
        label = f"not {entry.label}" if entry.not_this else entry.label
        lines.append(
            f"| {_plain(entry.name)} | {_plain(label)} | {entry.kind} | "
            f"{'yes' if entry.exhaustive else 'no'} | {_plain(entry.notes)} |"
        )
    return "\n".join(lines) + "\n"


def _models(recipes: Sequence[tuple[str, Recipe]]) -> str:
    if not recipes:
        return ""
    lines = [
        "| recipe | pictures | model | weights (SHA-256) | threshold |",
        "|---|---|---|---|---|",
    ]
    for key, recipe in recipes:
        said = recipe.made_by
        name = said.get("model") or said.get("method") or "unknown"
        weights = str(said.get("sha256") or "none")
        lines.append(
            f"| `recipes/{key}.json` | {len(recipe.targets)} | {_plain(str(name))} | "
            f"`{_plain(weights)}` | {recipe.threshold:g} |"
        )
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Return text of people as it reads, whatever marks of Markdown or HTML it holds."""
    return re.sub(r"([\\`*_{}\[\]#|])", r"\\\1", html.escape(" ".join(text.split()), quote=False))
