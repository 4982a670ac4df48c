"""From disk to disk: everything stored once, whatever stops the run."""

from __future__ import annotations

import csv
import tracemalloc
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr

from vrpsam_app.annotations import Box
from vrpsam_app.errors import Cancelled
from vrpsam_app.images import IntensityRange
from vrpsam_app.progress import CancelToken, Progress, ProgressMeter
from vrpsam_app.recipe import Recipe, TargetRecord
from vrpsam_app.references import Reference
from vrpsam_app.stack_runs import reading as stack_reading
from vrpsam_app.stack_runs import result_array, run
from vrpsam_app.stack_runs.lazy_result import predict_stack
from vrpsam_app.stack_runs.run import segment_stack
from vrpsam_app.stacks.stack import PixelSize, Stack
from vrpsam_app.tiles.plan import TileOptions

TILES = TileOptions("tiles", tile=32, overlap=8)
OUT = ("r.ome.zarr", "r.zarr", "r.tif")


def movie(shape: tuple[int, ...] = (2, 5, 60, 70)) -> np.ndarray:
    """Noise with a bright square; each plane has a corner of its own."""
    values = np.random.default_rng(0).integers(0, 400, shape).astype(np.uint16)
    values[..., 20:40, 10:30] += 3000
    return values


def reference(values: np.ndarray) -> Reference:
    first = values[(0,) * (values.ndim - 2)]
    return Reference.from_annotations(first, [Box(20, 10, 40, 30)])


def found_in(path: Path) -> np.ndarray:
    if path.suffix == ".tif":
        return tifffile.imread(path)
    opened = zarr.open(path, mode="r")
    return np.asarray(opened["0"] if path.name.endswith(".ome.zarr") else opened)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


class Stopping:
    """Stops after some planes, by a token or by an error."""

    def __init__(self, segmenter: Any, after: int, token: CancelToken | None = None) -> None:
        self._segmenter, self._after, self._token = segmenter, after, token
        self.seen: Counter[bytes] = Counter()

    def describe(self) -> dict[str, Any]:
        return self._segmenter.describe()

    def predict(self, target: Any, references: Any, **settings: Any) -> Any:
        self.seen[target.tobytes()] += 1
        if self.seen.total() > self._after:
            if self._token is None:
                raise MemoryError("as if killed")
            self._token.cancel()
        return self._segmenter.predict(target, references, **settings)


@pytest.mark.parametrize("tiling", ["auto", TILES])
@pytest.mark.parametrize("name", OUT)
def test_what_is_stored_equals_the_lazy_answer(
    colour_segmenter, tmp_path: Path, name: str, tiling: Any
):
    values = movie()
    result = segment_stack(
        colour_segmenter, values, reference(values), tmp_path / name, tiling=tiling
    )
    lazy = predict_stack(colour_segmenter, values, reference(values), tiling=tiling).compute()
    stored = found_in(tmp_path / name)
    assert stored.dtype == np.uint8
    np.testing.assert_array_equal(stored, lazy)
    assert result.asked == 10
    assert [p.index for p in result.planes] == list(np.ndindex(2, 5))
    assert all(p.verdicts["object"].pixels == 400 for p in result.planes)
    beside = {"r_planes.csv", "r_recipe.json", name} | ({"r_run.json"} if "tif" in name else set())
    assert {p.name for p in tmp_path.iterdir()} == beside


def test_the_table_and_the_recipe(colour_segmenter, tmp_path: Path):
    values = movie()
    stack = Stack.from_array(values, pixel_size=PixelSize(0.5, 0.5), name="cells")
    result = segment_stack(
        colour_segmenter, stack, reference(values), tmp_path / "r.zarr", threshold=0.4
    )
    with open(tmp_path / "r_planes.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 10
    assert (lines[7]["t"], lines[7]["z"], lines[7]["label"]) == ("1", "2", "object")
    assert (lines[7]["present"], lines[7]["pixels"]) == ("1", "400")
    recipe = Recipe.load(tmp_path / "r_recipe.json")
    assert recipe.threshold == 0.4
    assert recipe.intensity_range == result.intensity_range
    assert recipe.targets == (result.record,)
    assert (result.record.name, result.record.shape) == ("cells", (2, 5, 60, 70))
    assert recipe.sections["stack"] == {"axes": ["t", "z"], "planes": 10, "output": "labels"}
    assert TileOptions.from_json(recipe.sections["tiling"]) == TileOptions()


def test_a_single_plane_is_recognised_as_the_picture_it_is(colour_segmenter, tmp_path: Path):
    values = movie((60, 70))
    result = segment_stack(
        colour_segmenter, Stack.from_array(values, name="p"), reference(values), tmp_path / "r.tif"
    )
    assert result.record == TargetRecord.from_image("p", values)


@pytest.mark.parametrize("tiling", ["whole", TILES])
@pytest.mark.parametrize("name", OUT)
def test_a_stopped_run_goes_on_and_asks_nothing_twice(
    colour_segmenter, tmp_path: Path, name: str, tiling: Any
):
    values = movie()
    for folder in ("smooth", "rough"):
        (tmp_path / folder).mkdir()
    marked = reference(values)
    segment_stack(colour_segmenter, values, marked, tmp_path / "smooth" / name, tiling=tiling)
    rough = tmp_path / "rough" / name
    stops = (4,) if tiling == "whole" else (4, 0, 17, 3)
    for part, after in enumerate(stops):
        stopping = Stopping(colour_segmenter, after)
        with pytest.raises(MemoryError):
            segment_stack(stopping, values, marked, rough, tiling=tiling, resume=part > 0)
    segment_stack(colour_segmenter, values, marked, rough, tiling=tiling, resume=True)
    assert contents(tmp_path / "rough") == contents(tmp_path / "smooth")
    if tiling == "whole":
        assert len(colour_segmenter.calls) == 10 + 10  # as many as without a stop
    for folder in ("smooth", "rough"):
        (tmp_path / folder / "r_recipe.json").write_text("of the run that asked")
    again = segment_stack(stopping, values, marked, rough, tiling=tiling, resume=True)
    assert again.asked == 0
    assert contents(tmp_path / "rough") == contents(tmp_path / "smooth")


def test_planes_that_are_stored_are_not_asked_about_again(colour_segmenter, tmp_path: Path):
    values = movie((9, 60, 70))
    marked, out = reference(values), tmp_path / "r.zarr"
    with pytest.raises(MemoryError):
        segment_stack(Stopping(colour_segmenter, 5), values, marked, out)
    stored = [z for z in range(9) if (out / "c" / str(z) / "0" / "0").is_file()]
    assert stored == [0, 1, 2, 3, 4]
    rest = Stopping(colour_segmenter, 99)
    result = segment_stack(rest, values, marked, out, resume=True)
    assert result.asked == 4
    assert set(rest.seen) == {values[z].tobytes() for z in range(5, 9)}


def test_a_stored_plane_without_its_note_is_asked_again(colour_segmenter, tmp_path: Path):
    values = movie((4, 60, 70))
    marked, out = reference(values), tmp_path / "r.zarr"
    segment_stack(colour_segmenter, values, marked, out)
    before = contents(tmp_path)
    notes = (out / "planes.jsonl").read_text().splitlines(keepends=True)
    (out / "planes.jsonl").write_text("".join(notes[:2]) + notes[2][:20])
    (out / "c" / "0" / "0" / "0").write_bytes(b"")  # as a power failure leaves it
    assert segment_stack(colour_segmenter, values, marked, out, resume=True).asked == 3
    assert contents(tmp_path) == before


def test_bands_of_a_large_plane_go_on_in_the_middle(
    colour_segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(result_array, "MOST_BYTES_OF_CHUNK", 1000)
    monkeypatch.setattr(result_array, "BAND_ROWS", 32)
    monkeypatch.setattr(stack_reading, "MOST_BYTES_OF_PLANE", 1000)
    values = movie((2, 300, 70))
    values[:, ::7] += 500
    lazy = da.from_array(values, chunks=(1, 50, 70))
    marked = reference(values)
    folders = [tmp_path / "smooth", tmp_path / "rough"]
    for folder in folders:
        folder.mkdir()
    segment_stack(colour_segmenter, lazy, marked, folders[0] / "r.zarr", tiling=TILES)
    whole = len(colour_segmenter.calls)
    out = folders[1] / "r.zarr"
    asked = 0
    for after in (11, 7, 25):
        stopping = Stopping(colour_segmenter, after)
        with pytest.raises(MemoryError):
            segment_stack(stopping, lazy, marked, out, tiling=TILES, resume=out.exists())
        asked += stopping.seen.total() - 1
    stored = sum(1 for p in out.rglob("*") if p.is_file() and p.parent.name.isdecimal())
    assert 3 < stored < 20
    rest = Stopping(colour_segmenter, 10**6)
    segment_stack(rest, lazy, marked, out, tiling=TILES, resume=True)
    # Each stop costs the rows of tiles that overlap, and the one that was under way.
    assert asked + rest.seen.total() <= whole + 3 * 3 * 3
    assert contents(folders[1]) == contents(folders[0])


def test_cancelling_stops_within_a_plane_and_can_go_on(colour_segmenter, tmp_path: Path):
    values = movie((9, 60, 70))
    out, token = tmp_path / "r.zarr", CancelToken()
    stopping = Stopping(colour_segmenter, 3, token)
    with pytest.raises(Cancelled, match=r"4 of 9 planes are in"):
        segment_stack(stopping, values, reference(values), out, cancel=token)
    assert stopping.seen.total() == 4
    result = segment_stack(colour_segmenter, values, reference(values), out, resume=True)
    assert result.asked == 5
    np.testing.assert_array_equal(found_in(out), values > 2000)


def test_cancelling_stops_within_a_tile(colour_segmenter, tmp_path: Path):
    values = movie((2, 60, 70))
    token = CancelToken()
    stopping = Stopping(colour_segmenter, 1, token)
    with pytest.raises(Cancelled, match="0 of 2 planes"):
        segment_stack(
            stopping, values, reference(values), tmp_path / "r.zarr", cancel=token, tiling=TILES
        )
    assert stopping.seen.total() == 2


@pytest.mark.parametrize(("tiling", "steps"), [("whole", 10), (TILES, 90)])
def test_progress_counts_planes_or_tiles(colour_segmenter, tmp_path: Path, tiling: Any, steps: int):
    values, told = movie(), []
    segment_stack(
        colour_segmenter, values, reference(values), tmp_path / "r.zarr", tiling=tiling,
        progress=told.append,
    )  # fmt: skip
    assert [(p.done, p.total) for p in told] == [(i, steps) for i in range(steps + 1)]
    assert told[0].seconds_left is None
    assert told[1].seconds_left is not None
    assert told[-1].message == "t 1, z 4"
    again: list[Progress] = []
    segment_stack(
        colour_segmenter, values, reference(values), tmp_path / "r.zarr", tiling=tiling,
        progress=again.append, resume=True,
    )  # fmt: skip
    assert [(p.done, p.total) for p in again] == [(steps, steps)]


@pytest.mark.parametrize("planes", [1, 4])
def test_each_chunk_is_read_once_beyond_the_sample(colour_segmenter, tmp_path: Path, planes: int):
    values, reads = movie((20, 60, 70)), Counter()

    def read(start: int) -> np.ndarray:
        reads[start] += 1
        return values[start : start + planes]

    parts = [
        da.from_delayed(dask.delayed(read)(z), (planes, 60, 70), np.uint16)
        for z in range(0, 20, planes)
    ]
    segment_stack(colour_segmenter, da.concatenate(parts), reference(values), tmp_path / "r.zarr")
    sampled = np.unique(
        np.linspace(0, 19, 8).round().astype(int) // planes * planes, return_counts=True
    )
    beyond = reads - Counter(dict(zip(*(part.tolist() for part in sampled), strict=True)))
    assert set(beyond.values()) == {1}
    assert len(beyond) == len(parts)


def test_memory_does_not_grow_with_the_stack(colour_segmenter, tmp_path: Path):
    """A plane of 512 KB, of which a handful is in memory at a time, whatever the length."""

    def peak(planes: int) -> int:
        def make(block_info: Any = None) -> np.ndarray:
            (z, _), *_ = block_info[None]["array-location"]
            image = np.full((1, 512, 512), z, np.uint16)
            image[0, 100:200, 100:200] = 3000
            return image

        stack = da.map_blocks(make, chunks=((1,) * planes, 512, 512), dtype=np.uint16)
        marked = Reference.from_annotations(stack[0].compute(), [Box(100, 100, 200, 200)])
        colour_segmenter.calls.clear()
        tracemalloc.start()
        segment_stack(colour_segmenter, stack, marked, tmp_path / f"{planes}.zarr")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few, many = peak(12), peak(36)
    assert many < few * 1.25 + 2**19


def test_equal_batches_give_equal_bytes_after_a_stop(colour_segmenter, tmp_path: Path):
    """Places of stored planes in a batch are filled, so that its size stays the same."""
    sizes: list[int] = []
    colour_segmenter.prepare_many = lambda images, intensity_range: sizes.append(len(images))
    values = movie((10, 60, 70))
    out = tmp_path / "r.zarr"

    class StopsWithBatches(Stopping):
        def prepare_many(self, images: Any, intensity_range: Any) -> None:
            sizes.append(len(images))

    with pytest.raises(MemoryError):
        segment_stack(
            StopsWithBatches(colour_segmenter, 6), values, reference(values), out, batch_size=4
        )
    sizes.clear()
    segment_stack(colour_segmenter, values, reference(values), out, batch_size=4, resume=True)
    assert sizes == [4, 2]


def test_the_time_left_counts_whole_batches(
    colour_segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Planes of a batch end one right after the other: their pace would promise too much."""
    clock = [0.0]

    class Batches(Stopping):
        def prepare_many(self, images: Any, intensity_range: Any) -> None:
            clock[0] += 4.0 * len(images)

    monkeypatch.setattr(run, "ProgressMeter", partial(ProgressMeter, clock=lambda: clock[0]))
    monkeypatch.setattr(run, "ahead", lambda items, depth: (item for item in items))
    values, told = movie((12, 60, 70)), []
    segment_stack(
        Batches(colour_segmenter, 99), values, reference(values), tmp_path / "r.zarr",
        batch_size=4, progress=told.append,
    )  # fmt: skip
    assert [p.done for p in told] == list(range(13))
    for progress in told[5:]:
        left = 4.0 * (12 - progress.done)
        assert progress.seconds_left == pytest.approx(left, abs=8.0)


def test_a_probability_is_stored_as_it_is(colour_segmenter, tmp_path: Path):
    values = movie((3, 60, 70))
    shown = IntensityRange(0, 3400)
    for name in ("r.zarr", "r.tif"):
        segment_stack(
            colour_segmenter, values, reference(values), tmp_path / name, output="probability",
            intensity_range=shown, overwrite=True,
        )  # fmt: skip
        alone = colour_segmenter.predict(values[1], [reference(values)], intensity_range=shown)
        np.testing.assert_array_equal(found_in(tmp_path / name)[1], alone.probability)
