"""What a run may go on with, and what it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from vrpsam_app.annotations import Box
from vrpsam_app.errors import ConfigError, ImageError, OutputError
from vrpsam_app.images import IntensityRange
from vrpsam_app.references import Reference
from vrpsam_app.stack_runs import result_array
from vrpsam_app.stack_runs.run import segment_stack
from vrpsam_app.stacks.stack import PixelSize, Stack
from vrpsam_app.tiles.plan import TileOptions

TILES = TileOptions("tiles", tile=32, overlap=8)


def movie(shape: tuple[int, ...] = (3, 60, 70)) -> np.ndarray:
    """Noise with a bright square."""
    values = np.random.default_rng(0).integers(0, 400, shape).astype(np.uint16)
    values[..., 20:40, 10:30] += 3000
    return values


def reference(values: np.ndarray) -> Reference:
    return Reference.from_annotations(values[0], [Box(20, 10, 40, 30)])


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


@pytest.fixture
def out(colour_segmenter, tmp_path: Path) -> Path:
    values = movie()
    segment_stack(colour_segmenter, values, reference(values), tmp_path / "r.zarr")
    return tmp_path / "r.zarr"


def test_a_result_is_not_replaced_unasked(colour_segmenter, out: Path):
    values = movie()
    with pytest.raises(
        OutputError, match=r"go on with it by resume, replace it by overwrite .--resume, --o"
    ):
        segment_stack(colour_segmenter, values, reference(values), out)
    segment_stack(colour_segmenter, values, reference(values), out, overwrite=True)
    with pytest.raises(ConfigError, match="resume or overwrite"):
        segment_stack(colour_segmenter, values, reference(values), out, overwrite=True, resume=True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"threshold": 0.4}, r"another threshold \(0.5 there, 0.4 now\)"),
        ({"intensity_range": IntensityRange(0, 5)}, "another intensity_range"),
        ({"tiling": TILES}, "another tiles.tile_hw"),
        ({"output": "probability"}, "another output"),
        ({"batch_size": 3}, "another batch_size"),
    ],
)
def test_other_settings_are_named(colour_segmenter, out: Path, change: dict[str, Any], named: str):
    values = movie()
    before = contents(out)
    with pytest.raises(OutputError, match=named):
        segment_stack(colour_segmenter, values, reference(values), out, resume=True, **change)
    assert contents(out) == before


def test_other_references_models_and_stacks_are_named(colour_segmenter, out: Path):
    values = movie()
    other = Reference.from_annotations(values[1], [Box(20, 10, 40, 31)])
    shown = {"resume": True, "intensity_range": IntensityRange(0, 1)}
    with pytest.raises(OutputError, match=r"another .*references"):
        segment_stack(colour_segmenter, values, other, out, **shown)
    for plane in (0, 2):
        changed = values.copy()
        changed[plane, 0, 0] += 1
        with pytest.raises(OutputError, match=r"another .*stack\.pixels"):
            segment_stack(colour_segmenter, changed, reference(values), out, **shown)
    sized = Stack.from_array(values, pixel_size=PixelSize(3, 3, 9))
    with pytest.raises(OutputError, match=r"another stack\.pixel_size"):
        segment_stack(colour_segmenter, sized, reference(values), out, resume=True)
    with pytest.raises(OutputError, match=r"another .*stack\.shape"):
        segment_stack(colour_segmenter, values[:2], reference(values), out, **shown)
    colour_segmenter.made_by = {**colour_segmenter.made_by, "sha256": "1" * 64}
    with pytest.raises(OutputError, match=r"another .*made_by\.sha256"):
        segment_stack(colour_segmenter, values, reference(values), out, **shown)


@pytest.mark.parametrize("gone", [False, True])
def test_the_recipe_is_that_of_who_asked(colour_segmenter, out: Path, gone: bool):
    values, recipe = movie(), out.with_name("r_recipe.json")
    before = recipe.read_bytes()
    said = {"reading": {"scene": 0}}
    if gone:
        recipe.unlink()
    segment_stack(colour_segmenter, values, reference(values), out, resume=True, sections=said)
    assert (recipe.read_bytes() == before) is not gone


def test_what_is_not_ours_is_left_alone(colour_segmenter, tmp_path: Path):
    values = movie()
    zarr.create_array(tmp_path / "theirs.zarr", shape=(3,), dtype="u1")
    (tmp_path / "theirs.tif").write_bytes(b"theirs")
    before = contents(tmp_path)
    for name in ("theirs.zarr", "theirs.tif"):
        for how in ("overwrite", "resume"):
            with pytest.raises(OutputError, match="was not written by this program"):
                segment_stack(
                    colour_segmenter, values, reference(values), tmp_path / name, **{how: True}
                )
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["r.png", "r", ".zarr", "no/r.zarr"])
def test_impossible_names(colour_segmenter, tmp_path: Path, name: str):
    values = movie()
    with pytest.raises(OutputError, match=r"expected a name|does not exist"):
        segment_stack(colour_segmenter, values, reference(values), tmp_path / name)


def test_a_full_disk_is_said_and_what_is_stored_stays(
    colour_segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    values = movie((6, 60, 70))
    write = result_array.ResultArray.write
    count = 0

    def full(self: Any, *args: Any) -> None:
        nonlocal count
        count += 1
        if count > 3:
            raise result_array.cannot_write(self.folder, OSError(28, "No space left on device"))
        write(self, *args)

    monkeypatch.setattr(result_array.ResultArray, "write", full)
    with pytest.raises(OutputError, match=r"No space left on device.*resume"):
        segment_stack(colour_segmenter, values, reference(values), tmp_path / "r.zarr")
    monkeypatch.setattr(result_array.ResultArray, "write", write)
    result = segment_stack(
        colour_segmenter, values, reference(values), tmp_path / "r.zarr", resume=True
    )
    assert result.asked == 3


def test_what_is_no_stack_or_no_form(colour_segmenter, tmp_path: Path):
    values = movie()
    with pytest.raises(ImageError, match="rows, cols"):
        segment_stack(colour_segmenter, np.zeros(4), reference(values), tmp_path / "r.zarr")
    with pytest.raises(ConfigError, match="labels or probability"):
        segment_stack(
            colour_segmenter, values, reference(values), tmp_path / "r.zarr", output="mask"
        )
