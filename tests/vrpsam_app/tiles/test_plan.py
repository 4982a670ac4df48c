"""When a plane is cut into tiles, and how large they are."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Point
from vrpsam_app.errors import ConfigError
from vrpsam_app.references import Reference
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.tiles.plan import TileOptions, TilePlan, plan_tiles

RULE = TileOptions()


def plan(
    segmenter: Any, hw: tuple[int, int], size: int, options: TileOptions = RULE, **kw: Any
) -> TilePlan:
    image = np.zeros((600, 700), np.uint8)
    reference = Reference.from_annotations(image, [Box(50, 50, 50 + size, 50 + size)])
    return plan_tiles(segmenter, hw, [reference], options, **kw)


@pytest.mark.parametrize(
    ("longest", "size", "tile"),
    [
        (500, 40, None),  # fits in one tile
        (3000, 100, None),  # 17 pixels of the input when it is shown whole
        (3000, 80, 512),  # 14, so tiles at the scale of the plane
        (3000, 12, 256),  # enlarged twice, to 24
        (3000, 3, 128),  # enlarged four times, and no more
        (20000, 256, 1024),  # reduced to 128
        (500, 10, 213),  # small things in a small plane
        (250, 4, 128),
    ],
)
def test_the_rule(colour_segmenter, longest: int, size: int, tile: int | None):
    grid = plan(colour_segmenter, (longest // 2, longest), size).grid
    assert (None if grid is None else grid.tile_hw[1]) == tile


def test_objects_lie_wholly_in_a_tile(colour_segmenter):
    grid = plan(colour_segmenter, (3000, 3000), 128, TileOptions("tiles", tile=300)).grid
    assert grid is not None
    assert 300 - max(np.diff(grid.row_starts)) >= 150  # half a tile is the most
    grid = plan(colour_segmenter, (3000, 3000), 100, TileOptions("tiles")).grid
    assert grid is not None
    assert 512 - max(np.diff(grid.row_starts)) >= 128


@pytest.mark.parametrize(("tiling", "whole"), [("whole", True), ("tiles", False)])
def test_what_is_asked_for_is_done(colour_segmenter, tiling: Any, whole: bool):
    size = 30 if whole else 200
    made = plan(colour_segmenter, (2000, 2000), size, TileOptions(tiling))
    assert (made.grid is None) == whole


def test_one_tile_is_the_whole_plane_and_the_references_stay(colour_segmenter):
    made = plan(colour_segmenter, (400, 500), 40, TileOptions("tiles"))
    assert made.grid is None
    assert made.references[0].image.shape == (600, 700)


def test_references_are_cut_to_the_size_of_tiles(colour_segmenter):
    made = plan(colour_segmenter, (2000, 2000), 30, TileOptions("tiles", tile=200))
    assert [r.image.shape for r in made.references] == [(200, 200)]
    assert made.object_pixels == 30


def test_pixel_sizes_bring_both_to_one_scale(colour_segmenter):
    options = TileOptions("tiles", reference_pixel_size=PixelSize(0.5, 0.5))
    made = plan(colour_segmenter, (3000, 3000), 30, options, pixel_size=PixelSize(0.25, 0.25))
    assert made.object_pixels == pytest.approx(60)
    assert made.grid is not None
    assert made.grid.tile_hw == (512, 512)
    assert made.references[0].image.shape == (256, 256)


def test_a_whole_plane_at_another_scale_changes_the_references_too(colour_segmenter):
    options = TileOptions("whole", reference_pixel_size=PixelSize(1, 1))
    made = plan(colour_segmenter, (800, 800), 60, options, pixel_size=PixelSize(4, 4))
    assert made.references[0].image.shape == (2800, 2800)  # four times the longer side at most
    same = plan(colour_segmenter, (800, 800), 60, options, pixel_size=PixelSize(1, 1))
    assert same.references[0].image.shape == (600, 700)


def test_clicks_are_measured_by_the_segmenter(colour_segmenter):
    image = np.zeros((600, 600), np.uint8)
    image[100:112, 100:112] = 200
    reference = Reference.from_annotations(image, [Point(106, 106, radius=2)])
    made = plan_tiles(colour_segmenter, (3000, 3000), [reference])
    assert made.object_pixels == pytest.approx(12)
    assert made.grid is not None
    assert made.grid.tile_hw == (256, 256)


def test_nobody_knows_how_large(colour_segmenter):
    image = np.random.default_rng(0).integers(0, 255, (600, 600)).astype(np.uint8)
    against = Reference.from_annotations(image, [Point(9, 9)]).as_not_this()
    assert plan_tiles(colour_segmenter, (1000, 900), [against]).grid is None
    grid = plan_tiles(colour_segmenter, (1100, 900), [against]).grid
    assert grid is not None
    assert grid.tile_hw == (512, 512)


def test_segmenters_say_how_much_they_see(colour_segmenter):
    colour_segmenter.input_side = 100
    made = plan(colour_segmenter, (3000, 3000), 30, TileOptions("tiles"))
    assert made.grid is not None
    assert made.grid.tile_hw == (100, 100)


def test_the_size_may_be_given(colour_segmenter):
    made = plan(colour_segmenter, (3000, 3000), 100, TileOptions("tiles", object_pixels=12))
    assert made.grid is not None
    assert made.grid.tile_hw == (256, 256)


def test_options_survive_json():
    options = TileOptions("tiles", 300, 40, 12.5, PixelSize(0.5, 0.25, unit="nm"))
    assert TileOptions.from_json(json.loads(json.dumps(options.to_json()))) == options
    assert TileOptions.from_json({}) == TileOptions()


@pytest.mark.parametrize(
    "data", [{"tiling": "some"}, {"tile": 0}, {"tile": "x"}, {"reference_pixel_size": [1]}]
)
def test_damaged_options_are_refused(data: dict[str, Any]):
    with pytest.raises(ConfigError):
        TileOptions.from_json(data)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("tile", "512", "a whole number from 1"),
        ("tile", 128.5, "a whole number from 1"),
        ("overlap", "a", "a whole number from 0"),
        ("overlap", -1, "a whole number from 0"),
        ("object_pixels", "x", "a number from 1"),
        ("object_pixels", float("nan"), "a number from 1"),
        ("reference_pixel_size", 0.5, "PixelSize"),
    ],
)
def test_options_of_another_kind_are_refused(name: str, value: Any, expected: str):
    said = f"{name.replace('_', '-').capitalize()} is {value!r}: expected {expected}"
    with pytest.raises(ConfigError, match=re.escape(said)):
        TileOptions("tiles", **{name: value})


def test_numbers_of_an_array_become_plain_ones():
    options = TileOptions("tiles", tile=np.int64(512), object_pixels=np.float32(40))
    assert json.loads(json.dumps(options.to_json())) == options.to_json()


def test_the_plan_is_recorded(colour_segmenter):
    whole = plan(colour_segmenter, (400, 400), 40)
    assert whole.to_json() == {"tiling": "whole", "object_pixels": 40.0}
    tiles = plan(colour_segmenter, (3000, 3000), 40, TileOptions("tiles"))
    assert tiles.to_json() == {
        "tiling": "tiles", "tile_hw": [512, 512], "tiles": [8, 8], "object_pixels": 40.0,
    }  # fmt: skip
