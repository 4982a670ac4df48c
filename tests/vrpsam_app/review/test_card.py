"""The card of a data set: counts as they are, and text of people that breaks nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vrpsam_app.library.entry import LibraryEntry
from vrpsam_app.recipe import Recipe, TargetRecord
from vrpsam_app.references import Reference
from vrpsam_app.review.card import DatasetFacts, write_card

REFERENCE = Reference.from_mask(np.zeros((4, 4), np.uint8), np.eye(4), label="cell")
FACTS = DatasetFacts(
    name="plate 7",
    licence="unknown",
    pictures=3,
    train=2,
    validation=1,
    pictures_by_class={"cell": 3, "dirt": 1},
    pixels_by_class={"cell": 300, "dirt": 20},
    objects_by_class=None,
    statuses={"accepted": 2, "fixed": 1, "rejected": 4},
    included={"accepted": 2, "fixed": 1},
    mean_certainty=0.75,
    reviewers=("ada",),
    references=(LibraryEntry.from_reference("one", REFERENCE, "from day 2"),),
)


def card(tmp_path: Path, facts: DatasetFacts = FACTS) -> str:
    recipe = Recipe.from_run(
        [],
        [TargetRecord("a", "00", (3, 4))],
        {"model": "embedded", "sha256": "ab" * 32},
        settings={"threshold": 0.4},
    )
    write_card(tmp_path / "README.md", facts, [("0123", recipe)])
    return (tmp_path / "README.md").read_text(encoding="utf-8")


def test_counts_classes_references_and_model(tmp_path: Path):
    text = card(tmp_path)
    assert "3 pictures with masks of cell, dirt: 2 to learn from, 1 to check with" in text
    assert "| cell | 1 | 3 | 300 |" in text
    assert "| dirt | 2 | 1 | 20 |" in text
    assert "| rejected: left out by a person | 4 | 0 |" in text
    assert "| one | cell | mask | no | from day 2 |" in text
    assert f"| `recipes/0123.json` | 1 | embedded | `{'ab' * 32}` | 0.4 |" in text
    assert "Nobody stated the licence" in text
    assert "0.75" in text


def test_objects_are_counted(tmp_path: Path):
    text = card(tmp_path, replace(FACTS, objects_by_class={"cell": 30, "dirt": 2}))
    assert "| cell | see per_image.json | 3 | 300 | 30 |" in text


def test_text_of_people_stays_text(tmp_path: Path):
    hostile = 'x"\n---\n# <script>alert(1)</script> | `a` [b](c)'
    text = card(tmp_path, replace(FACTS, name=hostile, licence=hostile, reviewers=(hostile,)))
    assert "<script>" not in text.partition("---\n\n")[2]
    assert text.split("\n---\n")[0].count("---") >= 1
    header, _, rest = text.removeprefix("---\n").partition("\n---\n")
    assert header.splitlines()[0].startswith('license: "x\\"\\n---\\n#')
    assert "\\# &lt;script&gt;" in rest
    assert "\n# <" not in rest


def test_all_drawn_by_hand_is_said(tmp_path: Path):
    assert "All masks were drawn by hand" in card(tmp_path, replace(FACTS, mean_certainty=None))
