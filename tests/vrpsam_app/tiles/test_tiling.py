"""Planes in tiles: the same answer, without seams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.annotations import Box, Point
from vrpsam_app.errors import AnnotationError, Cancelled, EmptyReferenceError, ImageError
from vrpsam_app.progress import CancelToken, Progress
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction
from vrpsam_app.stacks.stack import PixelSize, Stack
from vrpsam_app.tiles.grid import TileGrid
from vrpsam_app.tiles.plan import TileOptions
from vrpsam_app.tiles.rows import PlaneBlender, TileTask, predict_tile_row
from vrpsam_app.tiles.tiling import predict_classes_tiled, predict_tiled

TILES = TileOptions("tiles", tile=64, overlap=16)


def plane(hw: tuple[int, int] = (190, 230)) -> NDArray[np.uint8]:
    """Noise with two bright squares, one of them across four tiles."""
    image = np.random.default_rng(0).integers(0, 40, hw).astype(np.uint8)
    image[40:80, 35:75] += 150
    image[150:160, 200:210] += 150
    return image


def reference(label: str = "square") -> Reference:
    return Reference.from_annotations(plane(), [Box(150, 200, 160, 210)], label=label)


class Tilted:
    """Answers a smooth ramp, and is wrong by an amount of its own in each tile."""

    def __init__(self, wrong: float = 0.0) -> None:
        self.wrong = wrong

    def predict(self, target: Any, references: Any, **settings: Any) -> Prediction:
        bias = self.wrong * np.sin(float(target[0, 0]) * 12.9898)
        probability = 1 / (1 + np.exp(-(target / 50.0 - 2 + bias)))
        present = bool(target.max() > 100)
        return Prediction(
            mask=(probability > 0.5) & present,
            probability=probability.astype(np.float32),
            score=0.5,
            presence=float(present),
            present=present,
            pseudo_mask=probability.astype(np.float32)[::4, ::4],
            label="ramp",
            made_by={},
        )


def test_a_plane_that_is_shown_whole_gets_the_same_bytes(colour_segmenter):
    marked = Reference.from_annotations(plane(), [Box(40, 35, 80, 75)])
    alone = colour_segmenter.predict(plane(), [marked])
    for tiling in ("auto", "whole", "tiles", TileOptions("tiles", tile=400)):
        found = predict_tiled(colour_segmenter, plane(), marked, tiling=tiling)
        assert found.probability.tobytes() == alone.probability.tobytes()
        assert found.mask.tobytes() == alone.mask.tobytes()
        assert found.found_in is None


def test_several_tiles_give_the_same_mask(colour_segmenter):
    whole = colour_segmenter.predict(plane(), [reference()])
    found = predict_tiled(colour_segmenter, plane(), reference(), tiling=TILES)
    np.testing.assert_array_equal(found.mask, whole.mask)
    np.testing.assert_allclose(found.probability, whole.probability, atol=1e-3)
    assert (found.present, found.label, found.threshold) == (True, "square", 0.5)
    assert found.presence == pytest.approx(whole.presence)
    assert found.score == pytest.approx(0.5)
    assert found.made_by["tile_hw"] == [64, 64]
    assert found.made_by["method"] == "colour"


def test_an_object_across_four_tiles_is_one(colour_segmenter):
    found = predict_tiled(colour_segmenter, plane(), reference(), tiling=TILES)
    assert len(colour_segmenter.calls) > 4
    assert ndimage.label(found.mask)[1] == 2


@pytest.mark.parametrize("kind", ["dask", "zarr", "stack"])
def test_lazy_planes(colour_segmenter, tmp_path: Path, kind: str):
    lazy: Any = da.from_array(plane(), chunks=(50, 60))
    if kind == "zarr":
        lazy = zarr.create_array(tmp_path / "p.zarr", data=plane(), chunks=(50, 60))
    elif kind == "stack":
        lazy = Stack(lazy, (), pixel_size=PixelSize(1, 1))
    for tiling in ("whole", TILES):
        expected = predict_tiled(colour_segmenter, plane(), reference(), tiling=tiling)
        found = predict_tiled(colour_segmenter, lazy, reference(), tiling=tiling)
        assert found.probability.tobytes() == expected.probability.tobytes()


def test_a_lazy_plane_of_more_bits_has_the_range_it_has_in_memory(colour_segmenter):
    deep = plane().astype(np.uint16) * 100
    marked = Reference.from_annotations(deep, [Box(150, 200, 160, 210)])
    predict_tiled(colour_segmenter, deep, marked, tiling=TILES)
    predict_tiled(colour_segmenter, da.from_array(deep, chunks=64), marked, tiling=TILES)
    assert len({call["intensity_range"] for call in colour_segmenter.calls}) == 1


def test_a_seam_is_no_larger_step_than_elsewhere():
    """Each tile is wrong by up to one logit; hard borders would step by as much."""
    rows, cols = np.mgrid[:200, :260]
    ramp = (rows * 0.4 + cols * 0.3).astype(np.float32)
    shown = Reference.from_annotations(ramp, [Box(150, 200, 160, 210)], label="ramp")
    found = predict_tiled(Tilted(1.0), ramp, shown, tiling=TILES)
    logits = np.log(found.probability / (1 - found.probability))
    right = ramp / 50 - 2
    assert np.abs(logits - right).max() > 0.5  # the tiles do disagree
    grid = TileGrid.over(ramp.shape, 64, 16)
    for axis, starts in ((0, grid.row_starts), (1, grid.col_starts)):
        steps = np.abs(np.diff(logits - right, axis=axis)).max(axis=1 - axis)
        edges = {e for s in starts for e in (s - 1, s + 63) if 0 <= e < len(steps)}
        inside = [step for i, step in enumerate(steps) if i not in edges]
        assert max(steps[list(edges)]) <= max(inside)


def test_tiles_may_be_computed_in_any_order(colour_segmenter):
    grid = TileGrid.over((190, 230), 64, 16)
    task = TileTask.of([reference()], None, 0.5, in_tiles=True)
    order = np.random.default_rng(1).permutation(len(grid.row_starts))
    rows = {
        int(i): predict_tile_row(colour_segmenter, plane()[grid.rows(i)], [reference()], grid, task)
        for i in order
    }
    blender = PlaneBlender(grid, task)
    parts = [blender.add(rows[i]).probability["square"] for i in range(len(rows))]
    found = predict_tiled(colour_segmenter, plane(), reference(), tiling=TILES)
    assert np.concatenate(parts).tobytes() == found.probability.tobytes()


def test_where_no_tile_found_it_the_mask_is_empty():
    ramp = np.tile(np.linspace(0, 130, 300, dtype=np.float32), (60, 1))
    ramp[:, :150] = 100.0  # above the threshold, but no tile of these finds the object there
    ramp[0, :150] = 99.0
    shown = Reference.from_annotations(ramp, [Box(10, 250, 40, 290)], label="ramp")
    found = predict_tiled(Tilted(), ramp, shown, tiling=TILES)
    assert found.present
    assert found.found_in is not None
    assert not found.found_in[:, :130].any()
    assert not found.mask[:, :130].any()
    assert (found.probability[:, :130] > 0.45).all()
    assert found.mask[:, 299].all()
    lower = found.at_threshold(0.1)
    assert not lower.mask[:, :130].any()
    assert lower.mask.sum() >= found.mask.sum()


def test_an_empty_plane_holds_nothing(colour_segmenter):
    found = predict_tiled(
        colour_segmenter, np.zeros((200, 200), np.uint8), reference(), tiling=TILES
    )
    assert colour_segmenter.calls == []
    assert (found.present, found.presence, found.score) == (False, 0, 0)
    assert not found.mask.any()
    assert found.probability.max() < 0.01
    assert found.pseudo_mask.max() == 0


def test_a_large_object_of_one_colour_has_no_hole(colour_segmenter):
    image = np.zeros((300, 300), np.uint8)
    image[20:280, 20:280] = 200
    marked = Reference.from_annotations(image, [Box(20, 20, 280, 280)])
    found = predict_tiled(colour_segmenter, image, marked, tiling=TILES)
    np.testing.assert_array_equal(found.mask, image == 200)


def test_classes_compete(colour_segmenter):
    image = np.dstack([plane()] * 3)
    image[100:140, 100:140] = (200, 30, 30)
    red = Reference.from_annotations(image, [Box(100, 100, 140, 140)], label="red")
    white = Reference.from_annotations(image, [Box(40, 35, 80, 75)], label="white")
    whole = colour_segmenter.predict_classes(image, [red, white])
    found = predict_classes_tiled(colour_segmenter, image, [red, white], tiling=TILES)
    assert found.names == ("red", "white")
    np.testing.assert_array_equal(found.labels, whole.labels)
    assert found.predictions["red"].mask.sum() == 1600


def test_progress_and_cancel(colour_segmenter):
    told: list[Progress] = []
    predict_tiled(colour_segmenter, plane(), reference(), tiling=TILES, progress=told.append)
    total = len(TileGrid.over((190, 230), 64, 16))
    assert [(p.done, p.total) for p in told] == [(i, total) for i in range(total + 1)]
    token = CancelToken()

    def stop(progress: Progress) -> None:
        if progress.done == 3:
            token.cancel()

    colour_segmenter.calls.clear()
    with pytest.raises(Cancelled):
        predict_tiled(
            colour_segmenter, plane(), reference(), tiling=TILES, progress=stop, cancel=token
        )
    assert len(colour_segmenter.calls) <= 3


def test_the_pseudo_masks_of_tiles_are_put_together():
    ramp = np.tile(np.linspace(0, 130, 256, dtype=np.float32), (128, 1))
    shown = Reference.from_annotations(ramp, [Box(10, 200, 40, 240)], label="ramp")
    found = predict_tiled(Tilted(), ramp, shown, tiling=TILES)
    assert found.pseudo_mask.shape == (128, 256)
    np.testing.assert_allclose(found.pseudo_mask, found.probability, atol=0.05)


def test_what_is_refused(colour_segmenter):
    with pytest.raises(ImageError, match="predict_stack"):
        predict_tiled(colour_segmenter, da.zeros((5, 50, 50)), reference())
    with pytest.raises(ImageError, match="axes z"):
        predict_tiled(colour_segmenter, Stack.from_array(np.zeros((4, 50, 50))), reference())
    with pytest.raises(ImageError, match="booleans, integers or floats"):
        predict_tiled(colour_segmenter, da.zeros((50, 50), dtype="complex64"), reference())
    with pytest.raises(EmptyReferenceError):
        predict_tiled(colour_segmenter, plane(), [])
    two = [reference("a"), Reference.from_annotations(plane(), [Point(5, 5)], label="b")]
    with pytest.raises(AnnotationError, match="'a', 'b'"):
        predict_tiled(colour_segmenter, plane(), two)
