"""``vrpsam segment --objects``: numbers and measures of what was found, replayed by a recipe."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile

from vrpsam_app.recipe import Recipe

RED_BOX = ("--reference", "ref.png", "--box", "8,5,18,15")
GREEN_BOX = ("--reference", "ref.png", "--box", "40,20,50,30", "--label", "green")
TO = ("--out", "results")


def rows_of(path: str) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def stack(folder: Path) -> Path:
    """A bright square in each of four planes, and one more in the last; two images in one file."""
    values = np.random.default_rng(0).integers(0, 400, (4, 60, 70)).astype(np.uint16)
    values[:, 20:40, 10:30] += 3000
    values[3, 5:15, 45:60] += 3000
    tifffile.imwrite(folder / "stack.tif", values, imagej=True, metadata={"axes": "ZYX"})
    with tifffile.TiffWriter(folder / "two.ome.tif", ome=True) as file:
        file.write(values[0], metadata={"axes": "YX", "Name": "first"})
        file.write(values[3], metadata={"axes": "YX", "Name": "second"})
    return folder


STACK = ("--reference", "stack.tif", "--slice", "1", "--box", "10,20,30,40")


@pytest.mark.usefixtures("folder")
class TestPictures:
    def test_numbers_and_table(self, vrpsam):
        size = ("--pixel-size", "0.5")
        outcome = vrpsam("segment", *RED_BOX, "--target", "a.png", "b.png", *TO, "--objects", *size)
        assert outcome.code == 0, outcome.err
        assert "4.2 % of pixels, 1 object ->" in outcome.out
        assert "0.0 % of pixels, 0 objects ->" in outcome.out
        found = tifffile.imread("results/a_objects.tif")
        assert (found.dtype, found[22:32, 3:13].min(), int(found.sum())) == (np.uint16, 1, 100)
        (row,) = rows_of("results/a_objects.csv")
        assert (row["class"], row["area_um2"]) == ("object", "25")
        assert 0 < float(row["score"]) <= 1
        assert {"red_mean", "green_mean", "blue_mean"} <= set(row)
        assert rows_of("results/b_objects.csv") == []

    def test_each_class_has_its_own(self, vrpsam):
        outcome = vrpsam(
            "segment", *RED_BOX, *GREEN_BOX, "--target", "a.png", *TO, "--objects", "components"
        )
        assert outcome.code == 0, outcome.err
        for name in ("object", "green"):
            (row,) = rows_of(f"results/a_{name}_objects.csv")
            assert row["class"] == name

    def test_filters(self, vrpsam):
        far = ("--objects", "components,min-area=101")
        assert vrpsam("segment", *RED_BOX, "--target", "a.png", *TO, *far).code == 0
        assert not tifffile.imread("results/a_objects.tif").any()

    def test_a_recipe_replays_them(self, vrpsam):
        typed = ("--objects", "components,min-area=3", "--pixel-size", "0.5")
        assert vrpsam("segment", *RED_BOX, "--target", "a.png", *TO, *typed).code == 0
        again = vrpsam(
            "segment", "--recipe", "results/recipe.json", "--target", "a.png", "--out", "again"
        )
        assert again.code == 0, again.err
        assert {p.name for p in Path("again").iterdir()} == {
            p.name for p in Path("results").iterdir()
        }
        for path in Path("again").iterdir():
            assert path.read_bytes() == (Path("results") / path.name).read_bytes(), path.name

    def test_existing_objects_are_kept(self, vrpsam, colour_segmenter):
        Path("results").mkdir()
        Path("results/a_objects.csv").write_text("theirs")
        outcome = vrpsam("segment", *RED_BOX, "--target", "a.png", *TO, "--objects")
        assert outcome.code == 2
        assert "a_objects.csv exists" in outcome.err
        assert not colour_segmenter.calls

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            (("--link", "match"), "add --objects"),
            (("--objects", "magic"), "'magic' in 'magic' is unknown"),
            (("--objects", "--link", "never"), "'never' in 'never' is unknown"),
            (("--objects", "distance,prompts"), "leave prompts out"),
        ],
    )
    def test_what_makes_no_sense_is_said(self, vrpsam, typed: tuple[str, ...], said: str):
        outcome = vrpsam("segment", *RED_BOX, "--target", "a.png", *TO, *typed)
        assert outcome.code == 2
        assert said in outcome.err


@pytest.mark.usefixtures("stack")
class TestStacks:
    def test_one_id_through_the_planes(self, vrpsam):
        outcome = vrpsam(
            "segment", *STACK, "--target", "stack.tif", *TO, "--objects", "components",
            "--tiles", "whole",
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        assert outcome.out.startswith("stack.tif: in 4 of 4 planes, 2 objects ->")
        found = tifffile.imread("results/stack_objects.tif")
        assert [sorted(np.unique(plane)) for plane in found] == [[0, 1]] * 3 + [[0, 1, 2]]
        assert [row["planes"] for row in rows_of("results/stack_objects.csv")] == ["4", "1"]
        assert len(rows_of("results/stack_object_planes.csv")) == 5

    def test_each_class_has_ids_and_tables_of_its_own(self, vrpsam):
        values = np.full((4, 60, 70), 100, np.uint16)
        values[:2, 20:40, 10:30], values[2:, 20:40, 10:30] = 3000, 1500
        values[:, 5:15, 45:60] = 1500
        tifffile.imwrite("two.tif", values, imagej=True, metadata={"axes": "ZYX"})
        first = ("--reference", "two.tif", "--slice", "0")
        marks = (
            *first, "--box", "10,20,30,40", "--label", "nucleus",
            *first, "--box", "45,5,60,15", "--label", "rod",
        )  # fmt: skip
        outcome = vrpsam(
            "segment", *marks, "--target", "two.tif", *TO, "--objects", "components",
            "--tiles", "whole",
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        tables = {name: rows_of(f"results/two_{name}_objects.csv") for name in ("nucleus", "rod")}
        said = {name: [(r["class"], r["planes"]) for r in rows] for name, rows in tables.items()}
        assert said == {"nucleus": [("nucleus", "2")], "rod": [("rod", "4"), ("rod", "2")]}
        planes = rows_of("results/two_rod_object_planes.csv")
        assert [(r["z"], r["class"], r["label"]) for r in planes] == [
            ("0", "rod", "1"), ("1", "rod", "1"), ("2", "rod", "1"), ("2", "rod", "2"),
            ("3", "rod", "1"), ("3", "rod", "2"),
        ]  # fmt: skip
        recipe = Path("results/two_labels_recipe.json")
        again = vrpsam("segment", "--recipe", recipe, "--target", "two.tif", "--out", "again")
        assert again.code == 0, again.err
        for path in Path("results").iterdir():
            assert path.read_bytes() == (Path("again") / path.name).read_bytes(), path.name

    def test_a_recipe_replays_ids_and_the_chosen_image(self, vrpsam):
        typed = ("--objects", "components", "--link", "unique", "--scene", "second")
        marks = ("--reference", "two.ome.tif", "--box", "10,20,30,40")
        outcome = vrpsam("segment", *marks, "--target", "two.ome.tif", *TO, *typed)
        assert outcome.code == 0, outcome.err
        assert "13.1 % of pixels, 2 objects" in outcome.out
        recipe = Path("results/recipe.json")
        sections = Recipe.load(recipe).sections
        assert sections["links"]["rule"] == "unique"
        assert sections["reading"] == {"scene": "second"}
        again = vrpsam("segment", "--recipe", recipe, "--target", "two.ome.tif", "--out", "again")
        assert again.code == 0, again.err
        for path in Path("results").iterdir():
            assert path.read_bytes() == (Path("again") / path.name).read_bytes(), path.name

    def test_a_file_of_several_images_asks_for_one(self, vrpsam):
        outcome = vrpsam("segment", *RED_BOX, "--target", "a.png", "two.ome.tif", *TO)
        assert outcome.code == 1
        reason, total = outcome.err.splitlines()
        assert "holds 2 images: 0 'first', 1 'second'" in reason
        assert total == "vrpsam: 1 of 2 failed: two.ome.tif"
        assert Path("results/a_mask.png").is_file()
