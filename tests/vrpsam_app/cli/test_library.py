"""``vrpsam library``, and the references that ``--library`` takes from one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.library.reference_library import ReferenceLibrary
from vrpsam_app.recipe import Recipe

RED = ("--reference", "ref.png", "--box", "8,5,18,15", "--label", "red")
GREEN = ("--reference", "ref.png", "--box", "40,20,50,30", "--label", "green")

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def library(vrpsam) -> Path:
    """A library with the references "red" and "the green one"."""
    assert vrpsam("library", "add", "lib.zip", *RED, "--notes", "bright").code == 0
    assert vrpsam("library", "add", "lib.zip", *GREEN, "--name", "the green one").code == 0
    return Path("lib.zip")


def test_list_and_show(vrpsam, library: Path):
    outcome = vrpsam("library", "list", library)
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "red: red, marked by box",
        "the green one: green, marked by box",
        "lib.zip holds 2 references",
    ]
    shown = vrpsam("library", "show", library, "RED", "--out", "red.png").out
    assert "image: 40 x 60 x 3, uint8" in shown
    assert "marks: 100 pixels of the object, 0 of what it is not" in shown
    assert "notes: bright" in shown
    assert np.asarray(Image.open("red.png")).ndim == 3
    again = ("library", "show", library, "the green one", "--out", "red.png")
    assert vrpsam(*again).code == 2
    before = Path("red.png").read_bytes()
    assert vrpsam(*again, "--overwrite").code == 0
    assert Path("red.png").read_bytes() != before


def test_rename_and_remove(vrpsam, library: Path):
    assert vrpsam("library", "rename", library, "red", "the red one").code == 0
    assert vrpsam("library", "remove", library, "the green one").out == "1 removed, 1 left\n"
    assert ReferenceLibrary.load(library).names == ("the red one",)
    before = library.read_bytes()
    outcome = vrpsam("library", "remove", library, "the red one", "none")
    assert outcome.code == 2
    assert "no reference 'none': it holds" in outcome.err
    assert library.read_bytes() == before


def test_references_of_a_library_are_found(vrpsam, library: Path):
    outcome = vrpsam("segment", "--library", library, "--target", "a.png", "--out", "both")
    assert outcome.code == 0, outcome.err
    assert {r.label for r in Recipe.load(Path("both/recipe.json")).references} == {"red", "green"}
    outcome = vrpsam(
        "segment", "--library", f"{library}:the green one", "--target", "a.png", "--out", "one"
    )
    assert outcome.code == 0, outcome.err
    rows, columns = np.nonzero(np.asarray(Image.open("one/a_mask.png")))
    assert (rows.min(), columns.min(), len(rows)) == (2, 30, 100)


def test_label_and_not_this_belong_to_the_library_before_them(vrpsam, library: Path):
    outcome = vrpsam(
        "segment", *RED, "--library", f"{library}:the green one", "--not-this", "--label", "red",
        "--target", "a.png", "--out", "results",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    first, second = Recipe.load(Path("results/recipe.json")).references
    assert (first.is_not_this, second.is_not_this) == (False, True)
    assert second.label == "red"


def test_recipe_becomes_a_library(vrpsam):
    vrpsam("segment", *RED, "--target", "a.png", "--out", "results")
    outcome = vrpsam("library", "add", "lib.zip", "--recipe", "results/recipe.json")
    assert outcome.out == "red: added\n"


def test_its_folder_is_made(vrpsam):
    assert vrpsam("library", "add", "new/folder/lib.zip", *RED).out == "red: added\n"
    assert ReferenceLibrary.load(Path("new/folder/lib.zip")).names == ("red",)


def test_nothing_is_called_added_before_it_is_kept(vrpsam):
    outcome = vrpsam("library", "add", "ref.png/lib.zip", *RED)
    assert (outcome.code, outcome.out) == (2, "")
    assert "ref.png" in outcome.err


def test_wrong_use_is_explained(vrpsam, library: Path):
    for arguments, message in (
        (("segment", "--library", library, "--box", "1,2,3,4", "--target", "a.png", "--out", "r"),
         "--box comes after --library"),
        (("segment", "--library", "lib.zip:blue", "--target", "a.png", "--out", "r"),
         "no reference 'blue'"),
        (("segment", "--library", "none.zip", "--target", "a.png", "--out", "r"),
         "none.zip cannot be read"),
        (("segment", "--library", "none.zip:red", "--target", "a.png", "--out", "r"),
         "none.zip:red cannot be read"),
        (("library", "add", library), "give --reference"),
        (("library", "add", library, *RED), "has 'red 2' already"),
        (("library", "add", library, *RED, *GREEN, "--name", "x"), "these are 2"),
        (("library", "list", "a.png"), "not a reference library"),
    ):  # fmt: skip
        outcome = vrpsam(*arguments)
        if message.startswith("has"):  # a free name is found for a label that is taken
            assert outcome.out == "red 2: added\n"
        else:
            assert outcome.code == 2
            assert message in outcome.err
