"""A folder of pictures that was begun: gone on with, or replaced without anything that is left."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zarr
from PIL import Image

from tests.vrpsam_app.cell_targets import (
    Echo,
    cell_reference,
    contents,
    scene,
    write_targets,
)
from vrpsam_app.annotations import Box
from vrpsam_app.begun_pictures import joined_targets
from vrpsam_app.errors import Cancelled, ConfigError, OutputError
from vrpsam_app.folder_run import FolderRun
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.progress import CancelToken
from vrpsam_app.recipe import Recipe, TargetRecord
from vrpsam_app.references import Reference
from vrpsam_app.run_settings import RunSettings
from vrpsam_app.stack_runs.run import segment_stack
from vrpsam_app.stack_runs.targets import StackReading

CUT = RunSettings(threshold=0.4, objects=ObjectOptions(method="components", min_area=5))


@pytest.fixture
def targets(tmp_path: Path) -> list[Path]:
    return write_targets(tmp_path / "targets")


@pytest.fixture
def reference() -> Reference:
    return cell_reference()


def test_everything_of_another_question_is_replaced(targets: list[Path], tmp_path: Path):
    out, other = tmp_path / "out", targets[0].with_name("b.png")
    Image.open(targets[0]).save(other)
    two = [replace(cell_reference(), label=label) for label in ("x", "y")]
    run = FolderRun.of(two, [targets[0], other], out, CUT, overlay=True)
    assert [r.error for r in run.carry_out(Echo())] == [None, None]
    theirs = {"a_z_mask.png", "a_mask.txt", "notes.png"}
    for name in theirs:
        (out / name).write_bytes(b"theirs")
    with pytest.raises(OutputError, match="one of the inputs"):
        FolderRun.of(two[0], targets[:1], out, inputs=[out / "a_y_mask.png"], overwrite=True)
    of_b = {name for name in contents(out) if name.startswith("b_")}
    (done,) = FolderRun.of(two[0], targets[:1], out, overwrite=True).carry_out(Echo())
    assert done.error is None
    assert set(contents(out)) == {"a_mask.png", "recipe.json"} | of_b | theirs


def test_pictures_that_were_not_drawn_are_not_removed(
    reference: Reference, targets: list[Path], tmp_path: Path
):
    out = tmp_path / "out"
    list(FolderRun.of(reference, targets[:1], out).carry_out(Echo()))
    (out / "a_overlay.png").write_bytes(b"theirs")
    list(FolderRun.of(reference, targets[:1], out, CUT, overwrite=True).carry_out(Echo()))
    assert (out / "a_overlay.png").read_bytes() == b"theirs"
    choice: dict[str, Any] = {"overlay": True, "overwrite": True}
    list(FolderRun.of(reference, targets[:1], out, CUT, **choice).carry_out(Echo()))
    # What goes on does not forget them, nor is it another question.
    list(FolderRun.of(reference, targets[:1], out, CUT, resume=True).carry_out(Echo()))
    assert "a_overlay.png" in contents(out)
    list(FolderRun.of(reference, targets[:1], out, overwrite=True).carry_out(Echo()))
    assert set(contents(out)) == {"a_mask.png", "recipe.json"}


def test_drawings_of_pictures_that_stay_are_remembered(targets: list[Path], tmp_path: Path):
    both, out = [targets[0], targets[0].with_name("b.png")], tmp_path / "out"
    Image.open(targets[0]).save(both[1])
    list(FolderRun.of(cell_reference(), both, out, overlay=True).carry_out(Echo()))
    list(FolderRun.of(cell_reference(), both[1:], out, overwrite=True).carry_out(Echo()))
    assert {"a_overlay.png", "b_overlay.png"} & set(contents(out)) == {"a_overlay.png"}
    list(FolderRun.of(cell_reference(), both, out, overwrite=True).carry_out(Echo()))
    assert set(contents(out)) == {"a_mask.png", "b_mask.png", "recipe.json"}
    assert [sorted(t.results) for t in Recipe.load(out / "recipe.json").targets] == [
        ["a_mask.png"], ["b_mask.png"],
    ]  # fmt: skip


def test_a_recipe_that_cannot_be_read_is_replaced_when_asked(
    reference: Reference, targets: list[Path], tmp_path: Path
):
    out = tmp_path / "out"
    list(FolderRun.of(reference, targets[:1], out).carry_out(Echo()))
    (out / "recipe.json").write_text("damaged")
    with pytest.raises(ConfigError, match="not valid JSON"):
        list(FolderRun.of(reference, targets[:1], out, resume=True).carry_out(Echo()))
    list(FolderRun.of(reference, targets[:1], out, overwrite=True).carry_out(Echo()))
    assert len(Recipe.load(out / "recipe.json").targets) == 1


def test_objects_do_not_outlive_what_they_were_cut_from(
    colour_segmenter, reference: Reference, targets: list[Path], tmp_path: Path
):
    out = tmp_path / "out"
    list(FolderRun.of(reference, targets[:2], out, CUT).carry_out(colour_segmenter))
    cut = {"a_objects.tif", "a_objects.csv"}
    cut |= {"s_objects.tif", "s_objects.csv", "s_object_planes.csv"}
    assert cut <= set(contents(out))
    plain = replace(CUT, objects=None)
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


def test_records_replace_earlier_ones_of_their_names_one_each():
    def records(text: str) -> list[TargetRecord]:
        return [TargetRecord(item[0], item, (4, 4)) for item in text.split()]

    joined = joined_targets(records("a2 b2"), records("c1 b1 a1 b1 d1"))
    assert [record.sha256 for record in joined] == ["a2", "b2", "c1", "b1", "d1"]
    of = {"z1": "p_z.png", "z2": "q_z.png"}
    earlier = [TargetRecord("z", key, (4, 4), (), {name: "0"}) for key, name in of.items()]
    again = [TargetRecord("z", key, (4, 4), (), {"z.png": "0"}) for key in ("z2", "z3")]
    assert joined_targets(again[:1], earlier) == [again[0], earlier[0]]
    assert joined_targets(again[1:], earlier) == [again[1], *earlier]
    over = replace(again[1], results={"q_z.png": "1"})
    assert joined_targets([over], earlier) == [over, earlier[0]]


def test_files_that_were_not_written_here_stay(targets: list[Path], tmp_path: Path):
    pictures = [tmp_path / folder / "x.png" for folder in "pq"]
    for path, corner in zip(pictures, (3, 20), strict=True):
        path.parent.mkdir()
        Image.fromarray(scene((corner, corner))).save(path)
    out, other = tmp_path / "out", tmp_path / "other"
    list(FolderRun.of(cell_reference(), pictures, out, CUT, overlay=True).carry_out(Echo()))
    of_q = {name for name in contents(out) if name.startswith("q_")}
    assert len(of_q) == 4
    theirs = {"x_overlay.png", "x_objects.csv", "x_objects.tif"}
    for name in theirs:
        (out / name).write_bytes(b"theirs")
    (out / "p_x_png_objects.csv").write_bytes(b"changed by a person")
    theirs.add("p_x_png_objects.csv")
    list(FolderRun.of(cell_reference(), pictures[:1], out, overwrite=True).carry_out(Echo()))
    assert set(contents(out)) == {"x_mask.png", "recipe.json"} | of_q | theirs

    # A recipe from elsewhere tells nothing of the files that it stands beside.
    list(FolderRun.of(cell_reference(), targets[:1], other, CUT, overlay=True).carry_out(Echo()))
    for name in ("a_overlay.png", "a_objects.csv"):
        (other / name).write_bytes(b"theirs")
    list(FolderRun.of(cell_reference(), targets[:1], other, overwrite=True).carry_out(Echo()))
    assert set(contents(other)) == {"a_mask.png", "a_overlay.png", "a_objects.csv", "recipe.json"}


def test_a_recipe_removes_nothing_elsewhere(
    reference: Reference, targets: list[Path], tmp_path: Path
):
    out = tmp_path / "out"
    list(FolderRun.of(reference, targets[:1], out).carry_out(Echo()))
    (mine := tmp_path / "mine.png").write_bytes((out / "a_mask.png").read_bytes())
    recipe = Recipe.load(out / "recipe.json")
    (record,) = recipe.targets
    (sum_of_it,) = record.results.values()
    names = ["../mine.png", str(mine), "", "..", "."]
    forged = replace(record, results=dict.fromkeys(names, sum_of_it))
    replace(recipe, targets=(forged,)).save(out / "recipe.json", overwrite=True)
    (done,) = FolderRun.of(reference, targets[:1], out, overwrite=True).carry_out(Echo())
    assert done.error is None
    assert mine.exists()


def test_what_cannot_be_replaced_fails_one_picture(
    targets: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    both, out = [targets[0], targets[0].with_name("b.png")], tmp_path / "out"
    Image.open(targets[0]).save(both[1])
    list(FolderRun.of(cell_reference(), both, out, overlay=True).carry_out(Echo()))
    (out / "b_overlay.png").unlink()
    (out / "b_overlay.png").mkdir()
    unlink = Path.unlink

    def refused(path: Path, missing_ok: bool = False) -> None:
        if path.name == "a_overlay.png":
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refused)
    first, second = FolderRun.of(cell_reference(), both, out, overwrite=True).carry_out(Echo())
    assert isinstance(first.error, OutputError)
    assert re.search(r"a_overlay\.png: what an earlier run left of a\.png", str(first.error))
    assert second.error is None
    assert (out / "b_overlay.png").is_dir()
    assert [t.name for t in Recipe.load(out / "recipe.json").targets] == ["a.png", "b.png"]


@pytest.mark.parametrize("form", ["tif", "ome.zarr"])
def test_a_plane_that_was_written_as_a_stack_is_replaced(
    reference: Reference, tmp_path: Path, form: str
):
    zarr.create_array(plane := tmp_path / "pl.zarr", data=scene((3, 4)), chunks=(10, 10))
    (out := tmp_path / "out").mkdir()
    stack = StackReading().open(plane)
    segment_stack(Echo(), stack, reference, out / f"pl_labels.{form}", objects=CUT.objects)
    before = set(contents(out) if form == "tif" else (path.name for path in out.iterdir()))
    assert {f"pl_labels.{form}", "pl_labels_recipe.json", "pl_objects.csv"} < before
    with pytest.raises(OutputError, match=r"pl_labels.*as of a stack.*--overwrite"):
        FolderRun.of(reference, [plane], out, CUT, resume=True)
    (other := tmp_path / "other").mkdir()
    zarr.create_array(other / "pl.ome.zarr", data=scene((3, 4)))  # not the one that it is of
    list(FolderRun.of(reference, [other / "pl.ome.zarr"], out, overwrite=True).carry_out(Echo()))
    assert before < {path.name for path in out.iterdir()}
    (done,) = FolderRun.of(reference, [plane], out, CUT, overwrite=True).carry_out(Echo())
    assert done.error is None
    assert {path.name for path in out.iterdir()} == {
        "pl_mask.png", "pl_objects.csv", "pl_objects.tif", "recipe.json",
    }  # fmt: skip
