"""Pictures and stacks into one folder, and a recipe that makes the same files again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from vrpsam_app.annotations import Box, Point
from vrpsam_app.batch import FileResult
from vrpsam_app.corrected_targets import CorrectedTargets
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import Cancelled, ConfigError, ImageFileError, OutputError
from vrpsam_app.folder_run import FolderRun, StackOutcome, reading_of, replay
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.linking import LinkOptions
from vrpsam_app.progress import CancelToken
from vrpsam_app.recipe import Recipe
from vrpsam_app.reference_segmenter import ReferenceSegmenter
from vrpsam_app.references import Reference
from vrpsam_app.run_settings import RunSettings
from vrpsam_app.segmenter import Prediction
from vrpsam_app.stack_runs.targets import StackReading, UnopenedTarget
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.tiles.plan import TileOptions

SETTINGS = RunSettings(
    threshold=0.4,
    tiling=TileOptions("whole"),
    objects=ObjectOptions(method="components", min_area=5),
    links=LinkOptions(rule="unique"),
    corrections=CorrectedTargets({"0" * 64: {"cell": [{"type": "point", "xy": [3, 4]}]}}),
    smallest_piece=7,
)
READING = StackReading(pixel_size=PixelSize(0.5, 0.5, 2.0))


def scene(*corners: tuple[int, int]) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 400, (40, 50)).astype(np.uint16)
    for row, col in corners:
        values[row : row + 8, col : col + 8] = 3000
    return values


@pytest.fixture
def targets(tmp_path: Path) -> list[Path]:
    """A picture, a stack, a broken picture."""
    folder = tmp_path / "targets"
    folder.mkdir()
    Image.fromarray(scene((3, 4), (20, 30))).save(folder / "a.png")
    stack = np.stack([scene((3, 4)), scene((3, 4), (20, 30))])
    tifffile.imwrite(folder / "s.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    (folder / "broken.tif").write_bytes(b"II*\0nothing")
    return [folder / "a.png", folder / "s.tif", folder / "broken.tif"]


@pytest.fixture
def reference() -> Reference:
    return Reference.from_annotations(scene((3, 4)), [Box(3, 4, 11, 12)], label="cell")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_a_recipe_makes_equal_files(
    colour_segmenter, reference: Reference, targets: list[Path], tmp_path: Path
):
    run = FolderRun.of(reference, targets, tmp_path / "first", SETTINGS, reading=READING)
    broken, picture, stack = run.carry_out(colour_segmenter)
    assert isinstance(broken, UnopenedTarget)
    assert broken.path == targets[2]
    assert isinstance(picture, FileResult)
    assert picture.objects["cell"].count() == 2
    assert isinstance(stack, StackOutcome)
    assert stack.result is not None
    assert stack.result.objects["cell"].count() == 3
    first = contents(tmp_path / "first")
    assert {"a_mask.png", "a_objects.tif", "a_objects.csv", "recipe.json", "s_objects.tif"} <= set(
        first
    )
    assert b"area_um2" in first["a_objects.csv"]
    for name in ("recipe.json", "s_labels_recipe.json"):
        recipe = Recipe.load(tmp_path / "first" / name)
        assert reading_of(recipe) == READING
        again = tmp_path / f"again_{name}"
        replay(tmp_path / "first" / name, colour_segmenter, targets, again)
        second = contents(again)
        assert set(second) == set(first)
        for file in first:
            # The range of pictures and stacks is each its own; a recipe holds one for both.
            alike = file.startswith("s_") == name.startswith("s_") or file.endswith(".png")
            assert not alike or second[file] == first[file], file


class Echo(ReferenceSegmenter):
    """Finds everything bright, and what is marked on the target."""

    def describe(self) -> dict[str, object]:
        return {"method": "echo", "model": "echo", "sha256": "0" * 64}

    def _predict_one(self, target, references, label, corrections, intensity_range, threshold):
        probability = np.where(np.asarray(target) > 1000, 0.7, 0.1).astype(np.float32)
        for marks in [] if corrections is None else corrections.as_references(target, label):
            probability[marks.positive], probability[marks.negative] = 0.9, 0.0
        return Prediction(
            probability > threshold, probability, 0.5, 1.0, True, probability, label, {}
        )


@pytest.mark.parametrize("classes", [("cell",), ("cell", "rod")])
def test_corrections_and_small_pieces_are_replayed(
    reference: Reference, tmp_path: Path, classes: tuple[str, ...]
):
    shown = {"a": scene((3, 4), (20, 30)), "b": scene((10, 10)), "c": scene((3, 4), (20, 30)) + 1}
    for image in shown.values():
        image[35, 45:47] = 3000  # a speck
    paths = []
    for name, image in shown.items():
        Image.fromarray(image).save(path := tmp_path / f"{name}.png")
        paths.append(path)
    references = [replace(reference, label=label) for label in classes]
    marks = Corrections((Point(24, 34, positive=False, radius=3), Point(15, 45, radius=3)))
    corrected = CorrectedTargets().with_target(shown["a"], {"cell": marks})
    settings = RunSettings(threshold=0.4, corrections=corrected, smallest_piece=5)
    run = FolderRun.of(references, paths, tmp_path / "first", settings)
    results = list(run.carry_out(Echo()))
    assert [r.error for r in results] == [None] * 3
    first = [r.predictions[0].mask for r in results]
    assert first[0][15, 45]
    assert not first[0][24, 34]
    assert not first[2][15, 45]
    assert not any(mask[35, 45] for mask in first)
    if len(classes) > 1:
        labels = np.asarray(Image.open(tmp_path / "first" / "a_labels.png"))
        assert (labels[15, 45], labels[24, 34], labels[35, 45]) == (1, 2, 0)
    for path in paths:  # it is the pixels that tell which picture is which
        path.rename(path.with_name(f"new_{path.name}"))
    replay(
        tmp_path / "first" / "recipe.json",
        Echo(),
        sorted(tmp_path.glob("new_*.png")),
        tmp_path / "again",
    )
    again = {k.removeprefix("new_"): v for k, v in contents(tmp_path / "again").items()}
    recipe = again.pop("recipe.json")
    before = contents(tmp_path / "first")
    assert recipe.replace(b"new_", b"") == before.pop("recipe.json")
    assert again == before


def test_one_target_that_cannot_be_opened_is_an_error(
    reference: Reference, targets: list[Path], tmp_path: Path
):
    with pytest.raises(ImageFileError, match=r"broken\.tif"):
        FolderRun.of(reference, targets[2:], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_objects_that_are_there_are_kept(reference: Reference, targets: list[Path], tmp_path: Path):
    (tmp_path / "a_objects.csv").write_text("theirs")
    with pytest.raises(OutputError, match=r"a_objects\.csv exists"):
        FolderRun.of(reference, targets[:1], tmp_path, SETTINGS)
    FolderRun.of(reference, targets[:1], tmp_path, RunSettings())


def test_objects_do_not_outlive_what_they_were_cut_from(
    colour_segmenter, reference: Reference, targets: list[Path], tmp_path: Path
):
    out = tmp_path / "out"
    list(FolderRun.of(reference, targets[:2], out, SETTINGS).carry_out(colour_segmenter))
    cut = {"a_objects.tif", "a_objects.csv"}
    cut |= {"s_objects.tif", "s_objects.csv", "s_object_planes.csv"}
    assert cut <= set(contents(out))
    plain = replace(SETTINGS, objects=None)
    with pytest.raises(OutputError, match="one of the inputs"):
        FolderRun.of(
            reference, targets[:1], out, plain, inputs=[out / "a_objects.tif"], overwrite=True
        )
    (tmp_path / "out" / "b_objects.tif").write_bytes(b"of another picture")
    run = FolderRun.of(reference, targets[:2], out, plain, overwrite=True)
    assert [r.error for r in run.carry_out(colour_segmenter)] == [None, None]
    assert not cut & set(contents(out))
    assert {"a_mask.png", "s_labels.tif", "b_objects.tif"} <= set(contents(out))


def test_pictures_go_on_with_the_same_question_only(
    reference: Reference, targets: list[Path], tmp_path: Path
):
    out = tmp_path / "out"
    asked = RunSettings(threshold=0.4, objects=ObjectOptions(method="components"))

    def again(given: Reference = reference, settings: RunSettings = asked) -> list[Any]:
        return list(FolderRun.of(given, targets[:2], out, settings, resume=True).carry_out(Echo()))

    assert [r.error for r in again()] == [None, None]
    first = contents(out)
    other = Reference.from_annotations(scene((3, 4)), [Box(20, 30, 28, 38)], label="cell")
    for given, settings, named in (
        (other, asked, "references"),
        (reference, replace(asked, threshold=0.5), r"settings\.threshold"),
        (reference, replace(asked, objects=None), r"sections\.links, sections\.objects"),
    ):
        with pytest.raises(OutputError, match=rf"begun with another {named}\. Go on with the same"):
            again(given, settings)
    assert contents(out) == first
    assert [r.error for r in again()] == [None, None]
    assert contents(out) == first


def test_without_a_recipe_the_stacks_alone_go_on(
    reference: Reference, targets: list[Path], tmp_path: Path
):
    out = tmp_path / "out"
    list(FolderRun.of(reference, targets[:2], out).carry_out(Echo()))
    (out / "recipe.json").unlink()
    left = contents(out)
    picture, stack = FolderRun.of(reference, targets[:2], out, resume=True).carry_out(Echo())
    asked_for = r"a_mask\.png exists already, and there is no .*recipe\.json .* cannot go on"
    with pytest.raises(OutputError, match=asked_for):
        raise picture.error or AssertionError
    assert isinstance(stack, StackOutcome)
    assert stack.result is not None
    assert (stack.error, stack.result.asked, contents(out)) == (None, 0, left)
    with pytest.raises(OutputError, match=asked_for):  # nothing else is there to do
        FolderRun.of(reference, targets[:1], out, resume=True)


@pytest.mark.parametrize("choice", ["resume", "overwrite"])
def test_a_stop_leaves_a_recipe_of_all_that_is_there(
    reference: Reference, targets: list[Path], tmp_path: Path, choice: str
):
    names, out = ["a.png", "b.png", "c.png"], tmp_path / "out"
    paths = [targets[0].with_name(name) for name in names]
    for path in paths[1:]:
        Image.open(targets[0]).save(path)

    def recorded() -> list[str]:
        return [target.name for target in Recipe.load(out / "recipe.json").targets]

    killed = FolderRun.of(reference, paths, out).carry_out(Echo())
    next(killed)
    assert recorded() == []  # what a kill would leave
    killed.close()
    settings: dict[str, Any] = {choice: True}
    list(FolderRun.of(reference, paths, out, **settings).carry_out(Echo()))
    stopped = FolderRun.of(reference, paths, out, **settings).carry_out(Echo())
    next(stopped)
    assert recorded() == names
    stopped.close()
    assert recorded() == names


def test_what_is_replaced_by_another_question_is_no_longer_recorded(
    reference: Reference, targets: list[Path], tmp_path: Path
):
    both, out = [targets[0], targets[0].with_name("b.png")], tmp_path / "out"
    Image.open(targets[0]).save(both[1])
    list(FolderRun.of(reference, both, out).carry_out(Echo()))
    first = contents(out)
    other = RunSettings(threshold=0.4)
    both[0].write_bytes(b"broken")
    (failed,) = FolderRun.of(reference, both[:1], out, other, overwrite=True).carry_out(Echo())
    assert failed.error is not None
    assert contents(out) == first
    list(FolderRun.of(reference, both[1:], out, other, overwrite=True).carry_out(Echo()))
    assert [t.name for t in Recipe.load(out / "recipe.json").targets] == ["b.png"]


def test_stopped_pictures_go_on(reference: Reference, targets: list[Path], tmp_path: Path):
    Image.open(targets[0]).save(targets[0].with_name("b.png"))
    both, out, token = [targets[0], targets[0].with_name("b.png")], tmp_path / "out", CancelToken()
    stopped = FolderRun.of(reference, both, out).carry_out(Echo(), cancel=token)
    next(stopped)
    token.cancel()
    with pytest.raises(Cancelled):
        list(stopped)
    assert [t.name for t in Recipe.load(out / "recipe.json").targets] == ["a.png"]
    list(FolderRun.of(reference, both, out, resume=True).carry_out(Echo()))
    assert [t.name for t in Recipe.load(out / "recipe.json").targets] == ["a.png", "b.png"]


def test_a_stack_that_fails_is_told(
    colour_segmenter, reference: Reference, targets: list[Path], tmp_path: Path
):
    (tmp_path / "s_labels.tif").write_text("theirs")
    (outcome,) = FolderRun.of(reference, targets[1:2], tmp_path).carry_out(colour_segmenter)
    assert isinstance(outcome, StackOutcome)
    assert isinstance(outcome.error, OutputError)


@pytest.mark.parametrize("drawn", ["overlay", "mask_frames"])
def test_a_stack_that_cannot_be_drawn_is_told_before_the_run(
    reference: Reference, targets: list[Path], tmp_path: Path, drawn: str
):
    deep = np.stack([scene((3, 4))] * 4).reshape(2, 2, 40, 50)
    tifffile.imwrite(tmp_path / "d.tif", deep, imagej=True, metadata={"axes": "TZYX"})
    choice: dict[str, Any] = {drawn: True}
    with pytest.raises(ConfigError, match=r"d\.tif has the axes t, z: expected one.*--overlay"):
        FolderRun.of(reference, [*targets, tmp_path / "d.tif"], tmp_path / "first", **choice)
    assert not (tmp_path / "first").exists()


def test_a_run_is_cancelled(
    colour_segmenter, reference: Reference, targets: list[Path], tmp_path: Path
):
    token = CancelToken()
    token.cancel()
    run = FolderRun.of(reference, targets[1:2], tmp_path)
    with pytest.raises(Cancelled):
        list(run.carry_out(colour_segmenter, cancel=token))


def test_prompts_need_a_method_that_answers_them(
    colour_segmenter: Any, reference: Reference, targets: list[Path], tmp_path: Path
):
    settings = RunSettings(objects=ObjectOptions(prompts=True))
    run = FolderRun.of(reference, targets[:1], tmp_path, settings)
    with pytest.raises(ConfigError, match="leave prompts out"):
        list(run.carry_out(colour_segmenter))


def test_an_object_across_four_tiles_has_one_id(
    colour_segmenter, tmp_path: Path, reference: Reference
):
    plane = np.zeros((90, 90), np.uint16) + 200
    plane[25:65, 25:65] = 3000
    Image.fromarray(plane).save(tmp_path / "large.png")
    settings = RunSettings(tiling=TileOptions("tiles", tile=48, overlap=8), objects=ObjectOptions())
    run = FolderRun.of(reference, [tmp_path / "large.png"], tmp_path, settings)
    (result,) = run.carry_out(colour_segmenter)
    assert isinstance(result, FileResult)
    assert len(colour_segmenter.calls) >= 4
    found = tifffile.imread(result.objects["cell"].labels)
    np.testing.assert_array_equal(found, plane == 3000)


def test_a_full_disk_fails_one_target_and_keeps_the_rest(
    colour_segmenter, reference: Reference, targets: list[Path], tmp_path: Path, monkeypatch: Any
):
    os_replace = os.replace

    def full(source: str | Path, target: str | Path) -> None:
        if Path(target).name == "a_objects.csv":
            raise OSError(28, "No space left on device")
        os_replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    run = FolderRun.of(reference, targets[:2], tmp_path / "out", SETTINGS)
    picture, stack = run.carry_out(colour_segmenter)
    assert r"a_objects.csv cannot be written (No space left on device)" in str(picture.error)
    assert stack.error is None
    assert not list((tmp_path / "out").glob(".*"))
