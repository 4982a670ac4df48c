"""Names of results never collide, and nothing that exists is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from vrpsam_app.errors import OutputError
from vrpsam_app.output_paths import (
    by_result_stem,
    check_outputs,
    may_name_results_of,
    plan_outputs,
    prepare_folder,
    result_stems,
)

OUT = Path("out")


def mask_names(targets: list[str], labels: tuple[str, ...] = ("object",)) -> list[str]:
    plan = plan_outputs([Path(target) for target in targets], OUT, labels)
    return [path.name for outputs in plan for path in outputs.masks.values()]


def test_simple_names():
    (outputs,) = plan_outputs([Path("a/cells.tif")], OUT, ["object"], overlay=True)
    assert list(outputs) == [OUT / "cells_mask.png", OUT / "cells_overlay.png"]
    assert outputs.labels is None


def test_several_classes():
    (outputs,) = plan_outputs([Path("x.png")], OUT, ["cell", "dust"])
    assert list(outputs) == [OUT / f"x_{end}.png" for end in ("cell_mask", "dust_mask", "labels")]


def test_equal_stems_get_folder_and_ending():
    assert mask_names(["a/x.png", "b/x.png", "b/x.tif", "y.png"]) == [
        "a_x_png_mask.png",
        "b_x_png_mask.png",
        "b_x_tif_mask.png",
        "y_mask.png",
    ]


@pytest.mark.parametrize(
    "targets", [["a/x.png", "b/x.png", "b/x.ome.tif", "y.png"], ["x.png"], ["/x.png", "a/x.png"]]
)
def test_a_target_is_found_again_by_the_names_of_its_results(targets: list[str]):
    for name, target in zip(mask_names(targets), map(Path, targets), strict=True):
        stem = name.removesuffix("_mask.png")
        assert stem in result_stems(target)
        others = [Path(t) for t in targets if Path(t) != target]
        assert may_name_results_of(stem, target)
        assert not any(may_name_results_of(stem, other) for other in others)
        assert by_result_stem(map(Path, targets))[stem] == [target]


def test_folders_that_say_nothing_are_left_out():
    targets = [Path(t) for t in ("tmp7f/x.jpg", "tmp7f/x.tif", "tmp8a/x.jpg", "tmp8a/y.jpg")]
    plan = plan_outputs(targets, OUT, ["object"], by_folder=False)
    assert [outputs.masks["object"].name for outputs in plan] == [
        "x_jpg_mask.png", "x_tif_mask.png", "x_jpg-2_mask.png", "y_mask.png",
    ]  # fmt: skip


def test_endings_of_two_parts():
    assert mask_names(["a.ome.tif", "b.1.tif"]) == ["a_mask.png", "b.1_mask.png"]
    assert mask_names(["p/a.ome.tif", "p/a.tif"]) == ["p_a_ome_tif_mask.png", "p_a_tif_mask.png"]


@pytest.mark.parametrize(
    "targets",
    [
        ["x.png", "X.png"],
        ["a/x.png", "b/x.png", "a_x_png.png"],
        ["p/a/x.png", "q/a/x.png", "r/a/x.png"],
        ["a/x.png", "b/x.png", "c/x-2.png", "d/x-2.png"],
        ["x", "x.png"],
    ],
)
@pytest.mark.parametrize("labels", [("object",), ("cell", "Cell", "cell!", "cell?", "!")])
def test_names_never_collide(targets: list[str], labels: tuple[str, ...]):
    plan = plan_outputs([Path(t) for t in targets], OUT, labels, overlay=True)
    names = [path.name.casefold() for outputs in plan for path in outputs]
    assert len(set(names)) == len(names) == len(targets) * (2 if len(labels) == 1 else 7)
    assert [outputs.target for outputs in plan] == [Path(t) for t in targets]


def test_label_and_name_do_not_run_into_each_other():
    names = mask_names(["x.png", "x_y.png"], ("y_z", "z"))
    assert len(set(names)) == 4


def test_labels_cannot_leave_the_folder():
    (outputs,) = plan_outputs([Path("x.png")], OUT, ["../../etc", "a/b\\c", ".."])
    assert {path.parent for path in outputs} == {OUT}


def test_inputs_are_never_written_over(tmp_path: Path):
    target = tmp_path / "x_mask.png"
    target.touch()
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="one of the inputs"):
            check_outputs(
                [tmp_path / "y.png", tmp_path / "sub" / ".." / "x_mask.png"],
                [target],
                overwrite=overwrite,
            )


def test_existing_results_are_kept_unless_allowed(tmp_path: Path):
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    check_outputs(paths, [], overwrite=False)
    paths[1].touch()
    with pytest.raises(OutputError, match=r"b\.png exists already.*results, or .*--overwrite"):
        check_outputs(paths, [], overwrite=False)
    with pytest.raises(OutputError, match=r"--resume.*--overwrite"):
        check_outputs(paths, [], overwrite=False, may_resume=True)
    paths[2].touch()
    with pytest.raises(OutputError, match=r"b\.png \(and 1 other results?\) exists already"):
        check_outputs(paths, [], overwrite=False)
    check_outputs(paths, [], overwrite=True)


def test_folder_is_made_or_named(tmp_path: Path):
    assert prepare_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        prepare_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be made"):
        prepare_folder(tmp_path / "file" / "below")


def test_a_folder_that_may_not_be_written_to_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OutputError, match=r"Nothing can be written to .* \(Permission denied\)"):
        prepare_folder(tmp_path)
