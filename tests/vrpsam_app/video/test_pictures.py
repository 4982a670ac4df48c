"""What was found in a stack, to be looked at: which stacks can be drawn, and what is replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.vrpsam_app.cell_targets import Echo, cell_reference, write_targets
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.folder_run import FolderRun
from vrpsam_app.movie_files import MovieFile
from vrpsam_app.run_settings import RunSettings
from vrpsam_app.stack_runs.targets import StackTarget
from vrpsam_app.stacks.stack import Stack
from vrpsam_app.video.pictures import (
    StackPictures,
    check_drawable,
    write_mask_frames,
    write_overlay_movie,
)

LABELS = Stack.from_array(np.ones((2, 8, 8), np.uint8), axes=("t",))


def test_a_plane_without_a_value_is_black(tmp_path: Path):
    values = np.full((3, 32, 48), 0.8, np.float32)
    values[:, :16] = 0.2
    values[1] = np.nan
    nothing = Stack.from_array(np.zeros(values.shape, np.uint8), axes=("z",))
    movie = write_overlay_movie(Stack.from_array(values, axes=("z",)), nothing, tmp_path / "a.mp4")
    with MovieFile(movie) as drawn:
        assert [bool(drawn.frame(i).max() > 100) for i in range(3)] == [True, False, True]


@pytest.mark.parametrize("mine", ["notes.txt", "7.png", "00000.png.bak", "00007.png/deep.txt"])
def test_a_folder_of_a_person_is_not_replaced(tmp_path: Path, mine: str):
    folder = write_mask_frames(LABELS, tmp_path / "s_masks")
    (folder / mine).parent.mkdir(exist_ok=True)
    (folder / mine).write_text("mine")
    target = StackTarget(tmp_path / "s.tif", LABELS, tmp_path / "s_labels.tif")
    with pytest.raises(OutputError, match="which this program did not write"):
        StackPictures(target, mask_frames=True, overwrite=True).check()
    with pytest.raises(OutputError, match="which this program did not write"):
        write_mask_frames(LABELS, folder, overwrite=True)
    assert (folder / mine).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["s_masks"]


def test_what_was_written_here_is_replaced(tmp_path: Path):
    more = Stack.from_array(np.zeros((4, 8, 8), np.uint8), axes=("t",))
    folder = write_mask_frames(more, tmp_path / "s_masks")
    write_mask_frames(LABELS, folder, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == ["00000.png", "00001.png"]


def test_pictures_do_not_outlive_what_they_were_drawn_of(tmp_path: Path):
    (stack,) = write_targets(tmp_path / "targets")[1:2]
    out = tmp_path / "out"

    def run(threshold: float = 0.5, **choices: Any) -> set[str]:
        settings = RunSettings(threshold=threshold)
        made = FolderRun.of(cell_reference(), [stack], out, settings, **choices)
        (outcome,) = made.carry_out(Echo())
        assert outcome.error is None
        return {path.name for path in out.iterdir()}

    plain = run()
    (out / "s_overlay.mp4").write_bytes(b"theirs")
    assert run(0.4, overwrite=True) == plain | {"s_overlay.mp4"}
    drawn = run(0.4, resume=True, overlay=True, mask_frames=True)
    assert drawn == plain | {"s_overlay.mp4", "s_masks"}
    theirs = {"notes.txt", "99999.png"}
    for name in theirs:
        (out / "s_masks" / name).write_text("theirs")
    assert run(0.3, overwrite=True) == plain | {"s_masks"}
    assert {path.name for path in (out / "s_masks").iterdir()} == theirs
    (out / "s_masks/notes.txt").unlink()
    target = StackTarget(stack, LABELS, out / "s_labels.tif")
    with pytest.raises(OutputError, match=r"99999\.png, which this program did not write"):
        StackPictures(target, mask_frames=True, overwrite=True).check()


def test_which_stacks_can_be_drawn():
    check_drawable([LABELS, Stack.from_array(np.ones((8, 8), np.uint8))])
    with pytest.raises(ConfigError, match="axes t, z: expected one"):
        check_drawable([LABELS, Stack.from_array(np.ones((2, 2, 8, 8), np.uint8))])
