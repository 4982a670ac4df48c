"""What a tile says, and which tiles are not asked."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vrpsam_app.annotations import Box
from vrpsam_app.images import IntensityRange
from vrpsam_app.references import Reference
from vrpsam_app.tiles.grid import TileGrid
from vrpsam_app.tiles.rows import TileTask, Verdict, is_empty, predict_tile_row

RANGE = IntensityRange(0, 1000)


def task(value: float = 800, **settings: int) -> TileTask:
    image = np.full((30, 30), 100.0)
    image[5:15, 5:15] = np.linspace(value, value + 90, 100).reshape(10, 10)
    reference = Reference.from_annotations(image, [Box(5, 5, 15, 15)])
    return TileTask.of([reference], RANGE, 0.5, in_tiles=True, **settings)


def tile(value: float = 100) -> NDArray[np.float64]:
    return np.full((40, 40), value)


def test_one_colour_in_8_bits_is_empty():
    noise = np.random.default_rng(0).uniform(0, 1.5, (40, 40))
    assert is_empty(tile(), task())
    assert is_empty(tile() + noise, task())  # below half a grey level of the range
    assert is_empty(tile(-5000) + noise, task())  # black, whatever is below the range


def test_a_single_other_pixel_is_not_empty():
    other = tile()
    other[7, 11] = 900
    assert not is_empty(other, task())
    other = tile()
    other[0, 16] = 900
    assert not is_empty(other, task())


def test_no_finite_value_is_empty():
    assert is_empty(tile(np.nan), task())
    some = tile(np.nan)
    some[1, 1] = 100  # as black, which NaN counts as, is another colour
    assert not is_empty(some, task())


def test_the_colour_of_the_object_may_be_the_object():
    image = np.zeros((30, 30), np.uint8)
    image[5:15, 5:15] = 200
    image[5:8, 5:9] = 90  # an eighth of what is marked
    reference = Reference.from_annotations(image, [Box(5, 5, 15, 15)])
    own = TileTask.of([reference], None, 0.5, in_tiles=True)
    for value, empty in ((200, False), (90, False), (0, True), (199, True)):
        assert is_empty(np.full((40, 40), value, np.uint8), own) == empty
    against = TileTask.of([reference.as_not_this()], None, 0.5, in_tiles=True)
    assert is_empty(np.full((40, 40), 200, np.uint8), against)


def test_empty_tiles_are_not_asked_and_hold_nothing(colour_segmenter):
    plane = np.zeros((32, 128), np.uint8)
    plane[8:20, 70:90] = 200
    reference = Reference.from_annotations(plane, [Box(8, 70, 20, 90)])
    grid = TileGrid.over((32, 128), 32, 0)
    asked = []
    row = predict_tile_row(
        colour_segmenter, plane, [reference],
        grid, TileTask.of([reference], None, 0.5, in_tiles=True),
        lambda column, found: asked.append((column, len(found))),
    )  # fmt: skip
    assert asked == [(0, 0), (1, 0), (2, 1), (3, 0)]
    assert len(colour_segmenter.calls) == 1
    assert len(row.verdicts["object"]) == 1
    assert row.present["object"].tolist() == [False] * 64 + [True] * 32 + [False] * 32
    assert ((row.logits["object"] > 0) == (plane == 200)).all()


def test_tiles_are_encoded_in_batches(colour_segmenter):
    batches: list[int] = []
    colour_segmenter.prepare_many = lambda images, intensity_range: batches.append(len(images))
    plane = np.random.default_rng(0).integers(0, 255, (8, 40)).astype(np.uint8)
    plane[:, 8:16] = 0
    grid = TileGrid.over((8, 40), 8, 0)
    reference = Reference.from_annotations(plane, [Box(0, 0, 4, 4)])
    for size in (1, 3):
        batched = TileTask.of([reference], None, 0.5, in_tiles=True, batch_size=size)
        predict_tile_row(colour_segmenter, plane, [reference], grid, batched)
    assert batches == [3, 1]


def test_a_plane_is_judged_by_its_tiles():
    tiles = [
        Verdict(0.9, True, 0.8, 300),
        Verdict(0.2, False, 0.1, 0),
        Verdict(0.6, True, 0.4, 100),
    ]
    assert Verdict.together(tiles) == Verdict(0.9, True, pytest.approx(0.7), 400)
    assert Verdict.together(tiles[1:2]) == tiles[1]
    assert Verdict.together([]) == Verdict(0.0, False, 0.0, 0)
    nothing = [Verdict(0.1, False, 0.5, 0), Verdict(0.3, False, 0.6, 0)]
    assert Verdict.together(nothing) == Verdict(0.3, False, 0.6, 0)
