"""``vrpsam segment``, from what is typed to the files that are written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.cli import segment
from vrpsam_app.errors import WeightsError
from vrpsam_app.images import IntensityRange
from vrpsam_app.recipe import Recipe, pixels_sha256

RED_BOX = ("--reference", "ref.png", "--box", "8,5,18,15")
GREEN_BOX = ("--reference", "ref.png", "--box", "40,20,50,30")
TO = ("--out", "results")


def pixels(path: str | Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def written() -> set[str]:
    return {path.name for path in Path("results").iterdir()} if Path("results").exists() else set()


def place_of(mask: np.ndarray) -> tuple[int, int, int]:
    rows, columns = np.nonzero(mask)
    return rows.min(), columns.min(), len(rows)


@pytest.mark.usefixtures("folder")
class TestOneClass:
    def test_the_marked_colour_is_found(self, vrpsam):
        outcome = vrpsam("segment", *RED_BOX, "--target", "a.png", "--target", "b.png", *TO)
        assert outcome.code == 0
        assert written() == {"a_mask.png", "b_mask.png", "recipe.json"}
        red = pixels("results/a_mask.png")
        assert red.shape == (40, 60)
        assert set(np.unique(red)) == {0, 255}
        assert place_of(red) == (22, 3, 100)
        assert pixels("results/b_mask.png").shape == (30, 50)
        assert not pixels("results/b_mask.png").any()

    def test_the_other_box_finds_the_other_colour(self, vrpsam):
        assert vrpsam("segment", *GREEN_BOX, "--target", "a.png", *TO).code == 0
        assert place_of(pixels("results/a_mask.png")) == (2, 30, 100)

    def test_one_line_for_each_target(self, vrpsam):
        lines = vrpsam("segment", *RED_BOX, "--target", "a.png", "b.png", *TO).out.splitlines()
        mask_a, mask_b = Path("results/a_mask.png"), Path("results/b_mask.png")
        assert lines == [
            f"a.png: present, score 0.50, 4.2 % of pixels -> {mask_a}",
            f"b.png: not present, score 0.50, 0.0 % of pixels -> {mask_b}",
        ]

    @pytest.mark.parametrize(
        "marks",
        [
            ("--point", "13,10"),
            ("--point", "13,10", "--not-point", "45,25"),
            ("--scribble", "10,7 16,13;3"),
            ("--scribble", "10,7 16,13"),
            ("--mask", "mask.png"),
            ("--marks", "marks.json"),
            ("--box", "8,5,18,15", "--exhaustive"),
        ],
    )
    def test_every_kind_of_mark(self, vrpsam, marks: tuple[str, ...]):
        mask = np.zeros((40, 60), np.uint8)
        mask[6:14, 9:17] = 1
        Image.fromarray(mask).save("mask.png")
        Path("marks.json").write_text(
            json.dumps([{"type": "box", "xyxy": [9, 6, 17, 14], "positive": True}]), "utf-8"
        )
        outcome = vrpsam("segment", "--reference", "ref.png", *marks, "--target", "a.png", *TO)
        assert outcome.code == 0, outcome.err
        assert place_of(pixels("results/a_mask.png")) == (22, 3, 100)

    def test_marks_belong_to_the_reference_before_them(self, vrpsam):
        Image.fromarray(np.full((9, 9, 3), (0, 0, 255), np.uint8)).save("blue.png")
        vrpsam(
            "segment", "--reference", "blue.png", "--point", "4,4",
            *RED_BOX, "--exhaustive", "--target", "a.png", *TO,
        )  # fmt: skip
        blue, red = Recipe.load(Path("results/recipe.json")).references
        assert (blue.kind, blue.image.shape, blue.exhaustive) == ("point", (9, 9, 3), False)
        assert (red.kind, red.image.shape, red.exhaustive) == ("box", (40, 60, 3), True)

    def test_coordinates_are_x_then_y(self, vrpsam):
        vrpsam("segment", "--reference", "ref.png", "--box", "50,3,58,7", "--target", "a.png", *TO)
        (reference,) = Recipe.load(Path("results/recipe.json")).references
        assert place_of(reference.positive) == (3, 50, 32)

    def test_overlay(self, vrpsam):
        vrpsam("segment", *RED_BOX, "--target", "a.png", *TO, "--overlay")
        before, after = pixels("a.png"), pixels("results/a_overlay.png")
        assert after.shape == before.shape
        assert (after[27, 8] != before[27, 8]).any()
        assert (after[2, 2] == before[2, 2]).all()

    def test_threshold_reaches_the_model(self, vrpsam, colour_segmenter):
        vrpsam("segment", *RED_BOX, "--target", "a.png", *TO, "--threshold", "0.3")
        assert [call["threshold"] for call in colour_segmenter.calls] == [0.3]

    def test_folders_and_patterns(self, vrpsam):
        Path("plate").mkdir()
        for name in ("a.png", "b.png"):
            Path(name).rename(Path("plate") / name)
        assert vrpsam("segment", *RED_BOX, "--target", "plate", *TO).code == 0
        assert vrpsam("segment", *RED_BOX, "--target", "plate/*.png", "--out", "more").code == 0
        assert written() == {path.name for path in Path("more").iterdir()}
        assert written() == {"a_mask.png", "b_mask.png", "recipe.json"}

    def test_equal_names_do_not_collide(self, vrpsam):
        for name in ("p", "q"):
            Path(name).mkdir()
        Path("a.png").rename("p/x.png")
        Path("b.png").rename("q/x.png")
        outcome = vrpsam("segment", *RED_BOX, "--target", "p/x.png", "q/x.png", *TO)
        assert outcome.code == 0
        assert place_of(pixels("results/p_x_png_mask.png")) == (22, 3, 100)
        assert pixels("results/q_x_png_mask.png").shape == (30, 50)

    def test_one_intensity_range_for_the_whole_set(self, vrpsam, colour_segmenter):
        for name, top in (("dim.png", 1000), ("bright.png", 60000)):
            Image.fromarray(np.linspace(0, top, 400).reshape(20, 20).astype(np.uint16)).save(name)
        outcome = vrpsam("segment", *RED_BOX, "--target", "dim.png", "bright.png", *TO)
        assert outcome.code == 0, outcome.err
        ranges = [call["intensity_range"] for call in colour_segmenter.calls]
        assert ranges == [IntensityRange(0, 60000)] * 2
        assert Recipe.load(Path("results/recipe.json")).intensity_range == ranges[0]


@pytest.mark.usefixtures("folder")
class TestSeveralClasses:
    LABELLED = (*RED_BOX, "--label", "red", *GREEN_BOX, "--label", "green")

    def test_masks_labels_and_overlay(self, vrpsam):
        outcome = vrpsam("segment", *self.LABELLED, "--target", "a.png", *TO, "--overlay")
        assert outcome.code == 0
        assert written() == {
            "a_red_mask.png", "a_green_mask.png", "a_labels.png", "a_overlay.png", "recipe.json",
        }  # fmt: skip
        labels = pixels("results/a_labels.png")
        assert labels.dtype == np.uint8
        assert place_of(labels == 1) == (22, 3, 100)
        assert place_of(labels == 2) == (2, 30, 100)
        assert place_of(pixels("results/a_green_mask.png")) == (2, 30, 100)
        path = Path("results/a_labels.png")
        assert outcome.out == (
            "a.png: red present, score 0.50, 4.2 % of pixels; "
            f"green present, score 0.50, 4.2 % of pixels -> {path}\n"
        )

    def test_not_this_is_said_against_the_only_class(self, vrpsam):
        marks = (*RED_BOX, "--label", "red", *GREEN_BOX, "--not-this")
        assert vrpsam("segment", *marks, "--target", "a.png", *TO).code == 0
        red, green = Recipe.load(Path("results/recipe.json")).references
        assert (red.is_not_this, green.is_not_this) == (False, True)
        assert (red.label, green.label) == ("red", "red")

    def test_not_this_needs_a_class_among_several(self, vrpsam):
        marks = (*self.LABELLED, "--reference", "b.png", "--point", "3,3", "--not-this")
        outcome = vrpsam("segment", *marks, "--target", "a.png", *TO)
        assert outcome.code == 2
        assert "--label NAME after it, one of red, green" in outcome.err

    @pytest.mark.parametrize("label", [(), ("--label", "red")])
    def test_not_this_alone_shows_nothing(self, vrpsam, label: tuple[str, ...]):
        outcome = vrpsam("segment", *RED_BOX, "--not-this", *label, "--target", "a.png", *TO)
        assert outcome.code == 2
        assert "only 'not this' references" in outcome.err


@pytest.mark.usefixtures("folder")
class TestRecipe:
    def test_records_what_was_run(self, vrpsam, colour_segmenter):
        vrpsam("segment", *RED_BOX, "--target", "a.png", *TO, "--threshold", "0.25")
        recipe = Recipe.load(Path("results/recipe.json"))
        assert [(t.name, t.shape) for t in recipe.targets] == [("a.png", (40, 60, 3))]
        assert recipe.targets[0].sha256 == pixels_sha256(pixels("a.png"))
        assert recipe.made_by == colour_segmenter.describe()
        assert recipe.threshold == 0.25

    def test_replay_gives_equal_bytes(self, vrpsam):
        vrpsam("segment", *RED_BOX, "--target", "a.png", *TO, "--threshold", "0.25")
        Path("ref.png").unlink()
        replay = ("segment", "--recipe", "results/recipe.json", "--target", "a.png")
        outcome = vrpsam(*replay, "--out", "again")
        assert outcome.code == 0
        assert "equal masks" in outcome.out
        for name in ("a_mask.png", "recipe.json"):
            assert Path("results", name).read_bytes() == Path("again", name).read_bytes()

    def test_small_pieces_are_left_out_again(self, vrpsam):
        run = ("segment", *RED_BOX, "--target", "a.png", "--smallest-piece")
        vrpsam(*run, 101, *TO)
        assert not pixels("results/a_mask.png").any()
        vrpsam(*run, 100, "--out", "all")
        assert place_of(pixels("all/a_mask.png")) == (22, 3, 100)
        replay = ("segment", "--recipe", "results/recipe.json", "--target", "a.png", "--out")
        vrpsam(*replay, "again")
        assert not pixels("again/a_mask.png").any()
        vrpsam(*replay, "changed", "--smallest-piece", "1")
        assert pixels("changed/a_mask.png").any()

    def test_replay_keeps_the_intensity_range(self, vrpsam, colour_segmenter):
        for name, top in (("one.png", 1000), ("two.png", 60000)):
            Image.fromarray(np.linspace(0, top, 400).reshape(20, 20).astype(np.uint16)).save(name)
        vrpsam("segment", *RED_BOX, "--target", "one.png", *TO)
        vrpsam(
            "segment", "--recipe", "results/recipe.json", "--target", "two.png", "--out", "again"
        )
        assert [c["intensity_range"] for c in colour_segmenter.calls] == [
            IntensityRange(0, 1000)
        ] * 2

    def test_replay_says_when_the_model_is_another(self, vrpsam, colour_segmenter):
        vrpsam("segment", *RED_BOX, "--target", "a.png", *TO)
        colour_segmenter.made_by = {**colour_segmenter.made_by, "sha256": "1" * 64}
        replay = ("segment", "--recipe", "results/recipe.json", "--target", "a.png")
        assert "masks will differ" in vrpsam(*replay, "--out", "again").out

    def test_recipe_and_reference_exclude_each_other(self, vrpsam):
        outcome = vrpsam("segment", *RED_BOX, "--recipe", "r.json", "--target", "a.png", *TO)
        assert outcome.code == 2
        assert "either --reference" in outcome.err

    def test_missing_recipe_is_named(self, vrpsam):
        outcome = vrpsam("segment", "--recipe", "none.json", "--target", "a.png", *TO)
        assert outcome.code == 2
        assert "none.json cannot be read" in outcome.err


@pytest.mark.usefixtures("folder")
class TestFailures:
    def test_one_broken_target_does_not_stop_the_rest(self, vrpsam):
        Path("a-broken.png").write_text("not a picture", encoding="utf-8")
        outcome = vrpsam("segment", *RED_BOX, "--target", "a-broken.png", "a.png", *TO)
        assert outcome.code == 1
        assert written() == {"a_mask.png", "recipe.json"}
        reason, total = outcome.err.splitlines()
        assert reason.count("a-broken.png") == 1
        assert total == "vrpsam: 1 of 2 failed: a-broken.png"
        assert "Traceback" not in outcome.err
        assert outcome.out.startswith("a.png: present")
        targets = Recipe.load(Path("results/recipe.json")).targets
        assert [target.name for target in targets] == ["a.png"]

    def test_failure_that_does_not_name_its_target(
        self, vrpsam, monkeypatch: pytest.MonkeyPatch, colour_segmenter
    ):
        def fail(*_: object, **__: object) -> None:
            raise MemoryError

        monkeypatch.setattr(colour_segmenter, "predict", fail)
        outcome = vrpsam("segment", *RED_BOX, "--target", "a.png", *TO)
        assert outcome.code == 1
        assert outcome.err == "a.png: MemoryError\nvrpsam: 1 of 1 failed: a.png\n"

    def test_all_broken_writes_no_recipe(self, vrpsam):
        Path("a-broken.png").write_text("not a picture", encoding="utf-8")
        assert vrpsam("segment", *RED_BOX, "--target", "a-broken.png", *TO).code == 1
        assert written() == set()

    def test_existing_results_are_kept_and_nothing_is_started(self, vrpsam, colour_segmenter):
        Path("results").mkdir()
        Path("results/b_mask.png").write_text("mine", encoding="utf-8")
        typed = ("segment", *RED_BOX, "--target", "a.png", "b.png", *TO)
        outcome = vrpsam(*typed)
        assert outcome.code == 2
        assert "exists already" in outcome.err
        assert "--resume" in outcome.err
        assert "--overwrite" in outcome.err
        assert written() == {"b_mask.png"}
        assert colour_segmenter.calls == []
        assert vrpsam(*typed, "--overwrite").code == 0
        assert not pixels("results/b_mask.png").any()

    def test_existing_recipe_is_kept(self, vrpsam):
        vrpsam("segment", *RED_BOX, "--target", "a.png", *TO)
        outcome = vrpsam("segment", *GREEN_BOX, "--target", "b.png", *TO)
        assert outcome.code == 2
        assert "recipe.json exists already" in outcome.err

    def test_a_target_is_never_written_over(self, vrpsam):
        before = Path("a.png").read_bytes()
        Path("a.png").rename("x_mask.png")
        Path("b.png").rename("x.png")
        targets = ("--target", "x.png", "x_mask.png")
        outcome = vrpsam("segment", *RED_BOX, *targets, "--out", ".", "--overwrite")
        assert outcome.code == 2
        assert "one of the inputs" in outcome.err
        assert Path("x_mask.png").read_bytes() == before

    @pytest.mark.parametrize(
        ("typed", "message"),
        [
            (("--target", "a.png"), "either --reference"),
            (("--box", "1,2,3,4", "--target", "a.png"), "--box comes before any --reference"),
            ((*RED_BOX[:2], "--target", "a.png"), "ref.png has no mark: put --box"),
            (("--reference", "no.png", "--point", "1,1", "--target", "a.png"), "no.png"),
            ((*RED_BOX, "--target", "no.png"), "no.png"),
            ((*RED_BOX, "--target", "*.jpg"), "*.jpg"),
            ((*RED_BOX,), "--target"),
            ((*RED_BOX[:2], "--box", "1,2,3", "--target", "a.png"), "expected 4 numbers"),
            ((*RED_BOX[:2], "--box", "1,2,3,x", "--target", "a.png"), "expected 4 numbers"),
            ((*RED_BOX[:2], "--point", "nan,2", "--target", "a.png"), "expected 2 numbers"),
            ((*RED_BOX[:2], "--scribble", ";3", "--target", "a.png"), "expected points"),
            ((*RED_BOX[:2], "--scribble", "1,2;w", "--target", "a.png"), "expected a number"),
            ((*RED_BOX[:2], "--box", "9,9,2,2", "--target", "a.png"), "ref.png: "),
            ((*RED_BOX[:2], "--point", "900,900", "--target", "a.png"), "outside the image"),
            ((*RED_BOX[:2], "--marks", "no.json", "--target", "a.png"), "no.json cannot be read"),
            ((*RED_BOX[:2], "--marks", "a.png", "--target", "a.png"), "not valid JSON"),
            ((*RED_BOX[:2], "--mask", "b.png", "--target", "a.png"), "ref.png: "),
            ((*RED_BOX, "--label", " ", "--target", "a.png"), "label"),
            ((*RED_BOX, "--target", "a.png", "--threshold", "1"), "between 0 and 1"),
            ((*RED_BOX, "--target", "a.png", "--threshold", "x"), "between 0 and 1"),
            ((*RED_BOX, "--target", "a.png", "--max-pixels", "0"), "positive whole number"),
            ((*RED_BOX, "--target", "a.png", "--max-pixels", "100"), "ref.png"),
        ],
    )
    def test_what_cannot_be_used_is_said(self, vrpsam, typed: tuple[str, ...], message: str):
        outcome = vrpsam("segment", *typed, *TO)
        assert outcome.code == 2
        assert message in outcome.err
        assert "Traceback" not in outcome.err
        assert written() == set()

    def test_large_target_fails_alone(self, vrpsam):
        Image.fromarray(np.zeros((60, 60), np.uint8)).save("large.png")
        limit = ("--max-pixels", "2400")
        outcome = vrpsam("segment", *RED_BOX, "--target", "a.png", "large.png", *TO, *limit)
        assert outcome.code == 1
        assert "1 of 2 failed: large.png" in outcome.err

    def test_folder_that_cannot_be_made(self, vrpsam):
        outcome = vrpsam("segment", *RED_BOX, "--target", "a.png", "--out", "a.png/results")
        assert outcome.code == 2
        assert "cannot be made" in outcome.err

    def test_missing_weights_are_one_sentence(self, vrpsam, monkeypatch: pytest.MonkeyPatch):
        def fail(model: str, device: str, *_: object, **__: object) -> None:
            raise WeightsError(f"No model {model!r} for {device}.")

        monkeypatch.setattr(segment, "load_predictor", fail)
        typed = ("segment", *RED_BOX, "--target", "a.png", *TO, "--model", "m", "--device", "cuda")
        outcome = vrpsam(*typed)
        assert (outcome.code, outcome.err) == (2, "vrpsam: No model 'm' for cuda.\n")
        with pytest.raises(WeightsError):
            vrpsam(*typed, "--debug", "--overwrite")

    def test_interruption(self, vrpsam, monkeypatch: pytest.MonkeyPatch, colour_segmenter):
        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(colour_segmenter, "predict", interrupt)
        outcome = vrpsam("segment", *RED_BOX, "--target", "a.png", *TO)
        assert outcome.code == 130
        assert outcome.err.endswith("vrpsam: interrupted\n")


def test_the_model_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch):
    """The one line that the tests above replace."""
    from vrpsam_app.predictor import VRPSAMPredictor

    asked: list[tuple[str, str]] = []
    load: Callable[..., None] = lambda name, device, **_: asked.append((name, device))  # noqa: E731
    monkeypatch.setattr(VRPSAMPredictor, "from_pretrained", staticmethod(load))
    segment.load_predictor("embedded", "cpu")
    assert asked == [("embedded", "cpu")]
