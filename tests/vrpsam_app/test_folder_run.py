"""Pictures and stacks into one folder, and a recipe that makes the same files again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from tests.vrpsam_app.cell_targets import (
    Bright,
    Echo,
    cell_reference,
    contents,
    scene,
    write_targets,
)
from vrpsam_app.annotations import Point
from vrpsam_app.batch import FileResult
from vrpsam_app.corrected_targets import CorrectedTargets
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import Cancelled, ConfigError, ImageFileError, OutputError
from vrpsam_app.folder_run import FolderRun, StackOutcome, reading_of, replay
from vrpsam_app.images import IntensityRange
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.linking import LinkOptions
from vrpsam_app.progress import CancelToken
from vrpsam_app.recipe import Recipe
from vrpsam_app.references import Reference
from vrpsam_app.run_settings import RunSettings
from vrpsam_app.stack_runs.targets import StackReading, UnopenedTarget
from vrpsam_app.stacks.stack import PixelSize, Stack
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


@pytest.fixture
def targets(tmp_path: Path) -> list[Path]:
    return write_targets(tmp_path / "targets")


@pytest.fixture
def reference() -> Reference:
    return cell_reference()


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
            # What only pictures are asked for stands in their recipe alone.
            assert file == "recipe.json" != name or second[file] == first[file], file


class Counting(StackReading):
    """Counts the files that are opened, to see what they hold."""

    opened: ClassVar[list[str]] = []

    def open(self, path: Path) -> Stack:
        self.opened.append(path.name)
        return super().open(path)


def test_plain_pictures_are_looked_at_once(reference: Reference, tmp_path: Path, monkeypatch: Any):
    tifffile.imwrite(tmp_path / "a.tif", scene((3, 4)))
    Image.fromarray(scene((3, 4))).save(tmp_path / "b.png")
    monkeypatch.setattr(Counting, "opened", [])
    pictures = [tmp_path / "a.tif", tmp_path / "b.png"]
    run = FolderRun.of(reference, pictures, tmp_path / "out", reading=Counting())
    assert [r.error for r in run.carry_out(Bright())] == [None, None]
    assert Counting.opened == ["a.tif"]


@pytest.fixture
def plate(tmp_path: Path) -> list[Path]:
    """Planes of equal cells: a TIFF, two channels, a Zarr with a hot row."""
    wells = [scene((3, 4), (20, 30)) + np.uint16(n) for n in range(3)]
    wells[2][0] = 60_000
    paths = [tmp_path / "a.tif", tmp_path / "b.ome.tif", tmp_path / "c.zarr"]
    tifffile.imwrite(paths[0], wells[0])
    tifffile.imwrite(paths[1], np.stack([wells[1]] * 2), metadata={"axes": "CYX"})
    zarr.create_array(paths[2], data=wells[2], chunks=(10, 10))
    return paths


@pytest.mark.parametrize("channels", [None, (0,)])
def test_planes_of_any_file_are_pictures_in_one_range(
    reference: Reference, plate: list[Path], tmp_path: Path, channels: tuple[int, ...] | None
):
    settings = RunSettings(objects=ObjectOptions(method="components", min_area=0))
    reading, out = StackReading(channels=channels), tmp_path / "out"
    run = FolderRun.of(reference, plate, out, settings, reading=reading, overlay=True)
    assert [r.error for r in run.carry_out(Bright())] == [None] * 3
    names = [f"{n}_{end}" for n in "abc" for end in ("mask.png", "overlay.png", "objects.csv")]
    assert {*names, "recipe.json"} <= set(contents(out))
    recipe = Recipe.load(out / "recipe.json")
    assert (recipe.intensity_range, len(recipe.targets)) == (run.picture_range, 3)
    assert recipe.intensity_range is not None
    assert recipe.intensity_range.high == 60_000
    tables = [(out / f"{n}_objects.csv").read_text().splitlines()[0] for n in "abc"]
    assert all(",score," in table for table in tables)
    assert [",0_mean," in t or ",channel0_mean," in t for t in tables] == [
        False,
        not channels,
        False,
    ]
    for some in (plate, plate[:1]):  # one picture alone has another range
        again = tmp_path / f"again_{len(some)}"
        replay(out / "recipe.json", Bright(), some, again, overlay=True)
        second = {k: v for k, v in contents(again).items() if k != "recipe.json"}
        assert second == {k: v for k, v in contents(out).items() if k in second}
        assert len(second) == 4 * len(some)


def test_a_plane_that_is_not_held_in_memory_has_the_range_of_the_pictures(
    reference: Reference, plate: list[Path], tmp_path: Path
):
    Image.fromarray(scene((3, 4))[:20]).save(small := tmp_path / "small.png")
    reading = StackReading(max_pixels=1000)
    run = FolderRun.of(reference, [small, plate[2]], tmp_path / "out", reading=reading)
    picture, large = run.carry_out(Bright())
    assert isinstance(large, StackOutcome)
    assert (picture.error, large.error) == (None, None)
    found = [Recipe.load(tmp_path / "out" / f"{n}recipe.json") for n in ("", "c_labels_")]
    assert found[0].intensity_range == found[1].intensity_range == run.picture_range
    assert run.picture_range != FolderRun.of(reference, [small], tmp_path / "one").picture_range
    assert not any(recipe.range_given for recipe in found)


@pytest.mark.parametrize("given", [None, IntensityRange(0, 4000)])
def test_each_stack_finds_its_range_again(
    reference: Reference, tmp_path: Path, given: IntensityRange | None
):
    stacks = [tmp_path / "s.tif", tmp_path / "t.tif"]
    for path, factor in zip(stacks, (1, 9), strict=True):
        stack = np.stack([scene((3, 4)), scene((3, 4), (20, 30))]) * np.uint16(factor)
        tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "ZYX"})
    run = FolderRun.of(reference, stacks, tmp_path / "out", RunSettings(intensity_range=given))
    assert [r.error for r in run.carry_out(Bright())] == [None, None]
    first = contents(tmp_path / "out")
    ranges = {
        Recipe.load(tmp_path / "out" / f"{n}_labels_recipe.json").intensity_range for n in "st"
    }
    assert (len(ranges), given in ranges) == ((2, False) if given is None else (1, True))
    replay(tmp_path / "out" / "s_labels_recipe.json", Bright(), stacks, tmp_path / "again")
    assert contents(tmp_path / "again") == first


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
