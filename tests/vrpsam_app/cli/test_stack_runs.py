"""``vrpsam segment`` on stacks, in tiles, and after an interruption."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from vrpsam_app.recipe import Recipe

BOX = ("--reference", "stack.tif", "--slice", "1", "--box", "10,20,30,40")
TO = ("--out", "results")


@pytest.fixture
def stacks(folder: Path) -> Path:
    """Beside the pictures of ``folder``: a stack as TIFF and as Zarr."""
    values = np.random.default_rng(0).integers(0, 400, (4, 60, 70)).astype(np.uint16)
    values[:, 20:40, 10:30] += 3000
    tifffile.imwrite(
        "stack.tif", values, imagej=True, metadata={"axes": "ZYX", "unit": "um", "spacing": 2.0},
        resolution=(2, 2),
    )  # fmt: skip
    zarr.create_array("other.zarr", data=values)
    return folder


def square() -> np.ndarray:
    expected = np.zeros((4, 60, 70), np.uint8)
    expected[:, 20:40, 10:30] = 1
    return expected


@pytest.mark.usefixtures("stacks")
class TestStacks:
    def test_a_stack_becomes_a_stack_of_labels(self, vrpsam):
        outcome = vrpsam("segment", *BOX, "--target", "stack.tif", "other.zarr", *TO)
        assert outcome.code == 0, outcome.err
        assert outcome.out.splitlines() == [
            f"stack.tif: in 4 of 4 planes -> {Path('results/stack_labels.tif')}",
            f"other.zarr: in 4 of 4 planes -> {Path('results/other_labels.ome.zarr')}",
        ]
        np.testing.assert_array_equal(tifffile.imread("results/stack_labels.tif"), square())
        stored = zarr.open_group("results/other_labels.ome.zarr")["0"]
        np.testing.assert_array_equal(stored[:], square())
        assert not Path("results/recipe.json").exists()

    def test_pictures_and_stacks_together(self, vrpsam):
        outcome = vrpsam(
            "segment", "--reference", "ref.png", "--box", "8,5,18,15",
            "--target", "a.png", "stack.tif", *TO,
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        assert {p.name for p in Path("results").iterdir()} >= {
            "a_mask.png", "recipe.json", "stack_labels.tif", "stack_labels_recipe.json",
        }  # fmt: skip

    def test_a_folder_stands_for_all_it_holds(self, vrpsam):
        Path("plate").mkdir()
        for name in ("a.png", "stack.tif", "other.zarr"):
            Path(name).rename(f"plate/{name}")
        Path("plate/IM0001").touch()
        outcome = vrpsam(
            "segment", "--reference", "ref.png", "--box", "8,5,18,15",
            "--target", "plate", "--out", "plate/results",
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        assert f"passed over {Path('plate/IM0001')}: name what" in outcome.err
        assert {p.name for p in Path("plate/results").iterdir()} >= {
            "a_mask.png", "stack_labels.tif", "other_labels.ome.zarr",
        }  # fmt: skip

    def test_a_recipe_replays_a_stack(self, vrpsam):
        assert vrpsam("segment", *BOX, "--target", "stack.tif", *TO, "--tiles", "32").code == 0
        recipe = Path("results/stack_labels_recipe.json")
        again = vrpsam("segment", "--recipe", recipe, "--target", "stack.tif", "--out", "again")
        assert again.code == 0, again.err
        assert Recipe.load(recipe).sections["tiling"]["tile"] == 32
        first, second = (Path(f) / "stack_labels.tif" for f in ("results", "again"))
        assert first.read_bytes() == second.read_bytes()

    def test_other_tiles_leave_the_references_of_a_recipe_as_they_are(self, vrpsam):
        assert vrpsam("segment", *BOX, "--target", "stack.tif", *TO).code == 0
        recipe = Path("results/stack_labels_recipe.json")
        again = ("--target", "stack.tif", "--out", "again", "--tiles", "32")
        assert vrpsam("segment", "--recipe", recipe, *again).code == 0
        tiling = Recipe.load(Path("again/stack_labels_recipe.json")).sections["tiling"]
        assert (tiling["tile"], tiling["reference_pixel_size"]) == (32, [0.5, 0.5, "um"])

    def test_a_run_is_not_replaced_but_gone_on_with(self, vrpsam, colour_segmenter):
        typed = ("segment", *BOX, "--target", "other.zarr", *TO)
        assert vrpsam(*typed).code == 0
        asked = len(colour_segmenter.calls)
        refused = vrpsam(*typed)
        assert refused.code == 1
        assert "go on with it by resume" in refused.err
        resumed = vrpsam(*typed, "--resume")
        assert resumed.code == 0
        assert "4 of them stored before" in resumed.out
        assert len(colour_segmenter.calls) == asked
        assert vrpsam(*typed, "--overwrite").code == 0
        assert len(colour_segmenter.calls) == 2 * asked
        other = vrpsam(*typed, "--resume", "--threshold", "0.3")
        assert other.code == 1
        assert "another threshold (0.5 there, 0.3 now)" in other.err

    def test_an_interrupted_run_says_how_it_goes_on(self, vrpsam, colour_segmenter, monkeypatch):
        predict = colour_segmenter.predict

        def interrupted(*arguments: object, **settings: object) -> object:
            if len(colour_segmenter.calls) == 2:
                raise KeyboardInterrupt
            return predict(*arguments, **settings)

        monkeypatch.setattr(colour_segmenter, "predict", interrupted)
        typed = ("segment", *BOX, "--target", "other.zarr", *TO)
        outcome = vrpsam(*typed)
        assert outcome.code == 130
        assert "--resume goes on" in outcome.err
        monkeypatch.undo()

    def test_form_and_pixel_size(self, vrpsam):
        outcome = vrpsam(
            "segment", *BOX, "--target", "other.zarr", *TO, "--stack-format", "tif",
            "--pixel-size", "0.3,0.3,1um",
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        with tifffile.TiffFile("results/other_labels.tif") as file:
            assert file.imagej_metadata["spacing"] == 1.0
            assert file.imagej_metadata["unit"] == "um"

    @pytest.mark.parametrize(("typed", "used"), [((), 0.5), (("--pixel-size", "0.3"), 0.3)])
    def test_a_typed_pixel_size_is_that_of_the_references_too(self, vrpsam, typed, used):
        assert vrpsam("segment", *BOX, "--target", "stack.tif", *TO, *typed).code == 0
        recipe = json.loads(Path("results/stack_labels_recipe.json").read_text())
        assert recipe["sections"]["tiling"]["reference_pixel_size"] == [used, used, "um"]
        with tifffile.TiffFile("results/stack_labels.tif") as file:
            assert file.pages[0].resolution[0] == pytest.approx(1 / used)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--tiles", "some"), "expected auto, whole, tiles, or a number"),
            (("--pixel-size", "wide"), "Pixel size 'wide'"),
            (("--axes", "ab"), "Axes 'ab'"),
            (("--resume", "--overwrite"), "either go on with --resume"),
            (("--workers", "2", "--scheduler", "tcp://127.0.0.1:1"), "Give either"),
        ],
    )
    def test_what_makes_no_sense_is_said(self, vrpsam, options: tuple[str, ...], said: str):
        outcome = vrpsam("segment", *BOX, "--target", "stack.tif", *TO, *options)
        assert outcome.code == 2
        assert said in outcome.err

    def test_a_stack_needs_a_slice(self, vrpsam):
        marks = ("--reference", "stack.tif", "--box", "10,20,30,40")
        outcome = vrpsam("segment", *marks, "--target", "stack.tif", *TO)
        assert outcome.code == 2
        assert "expected a slice such as --slice z=2" in outcome.err

    def test_a_stack_that_fails_does_not_stop_the_rest(self, vrpsam):
        Path("results").mkdir()
        Path("results/stack_labels.tif").write_bytes(b"theirs")
        outcome = vrpsam("segment", *BOX, "--target", "stack.tif", "other.zarr", *TO)
        assert outcome.code == 1
        assert "1 of 2 failed: stack.tif" in outcome.err
        assert Path("results/other_labels.ome.zarr").is_dir()
        assert Path("results/stack_labels.tif").read_bytes() == b"theirs"
