"""A lazy array in, a lazy array out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest

from vrpsam_app.annotations import Box
from vrpsam_app.errors import ConfigError, EmptyReferenceError, ImageError
from vrpsam_app.images import IntensityRange
from vrpsam_app.references import Reference
from vrpsam_app.stack_runs import lazy_result as stacks
from vrpsam_app.stack_runs.lazy_result import best_batch_size, estimate_seconds, predict_stack
from vrpsam_app.stacks.stack import Stack
from vrpsam_app.tiles.plan import TileOptions

TILES = TileOptions("tiles", tile=32, overlap=8)


def movie(shape: tuple[int, ...] = (2, 5, 60, 70)) -> np.ndarray:
    """Noise with a bright square that moves."""
    values = np.random.default_rng(0).integers(0, 400, shape).astype(np.uint16)
    for index in np.ndindex(shape[:-2]):
        step = sum(index)
        values[(*index, slice(20 + step, 40 + step), slice(10, 30))] += 3000
    return values


def reference(values: np.ndarray, index: tuple[int, ...], label: str = "object") -> Reference:
    step = sum(index)
    box = Box(20 + step, 10, 40 + step, 30)
    return Reference.from_annotations(values[index], [box], label=label)


@pytest.mark.parametrize("tiling", ["auto", TILES])
@pytest.mark.parametrize("shape", [(60, 70), (6, 60, 70), (2, 3, 60, 70), (2, 1, 3, 60, 70)])
def test_any_leading_axes(colour_segmenter, shape: tuple[int, ...], tiling: Any):
    values = movie(shape)
    first = (0,) * (len(shape) - 2)
    found = predict_stack(colour_segmenter, values, reference(values, first), tiling=tiling)
    assert isinstance(found, da.Array)
    assert (found.shape, found.dtype) == (shape, np.uint8)
    np.testing.assert_array_equal(found.compute(), values > 2000)


def test_nothing_is_asked_before_it_is_wanted(colour_segmenter):
    values = movie()
    found = predict_stack(colour_segmenter, values, reference(values, (0, 0)))
    assert colour_segmenter.calls == []
    found[1, 2].compute()
    assert len(colour_segmenter.calls) == 1


@pytest.mark.parametrize("tiling", ["whole", TILES])
@pytest.mark.parametrize("planes", [1, 3])
def test_each_chunk_is_read_once_beyond_the_sample(colour_segmenter, planes: int, tiling: Any):
    values, reads = movie((12, 60, 70)), Counter()

    def read(start: int) -> np.ndarray:
        reads[start] += 1
        return values[start : start + planes]

    parts = [
        da.from_delayed(dask.delayed(read)(z), (planes, 60, 70), np.uint16)
        for z in range(0, 12, planes)
    ]
    found = predict_stack(
        colour_segmenter, da.concatenate(parts), reference(values, (0,)), tiling=tiling
    )
    sampled = reads.copy()
    assert sum(sampled.values()) <= 8
    np.testing.assert_array_equal(found.compute(), values > 2000)
    assert set((reads - sampled).values()) == {1}


def test_one_range_for_the_stack(colour_segmenter):
    values = movie((10, 60, 70))
    values[9] //= 10
    predict_stack(colour_segmenter, values, reference(values, (0,))).compute()
    (shown,) = {call["intensity_range"] for call in colour_segmenter.calls}
    assert shown.high > 3000
    given = IntensityRange(5, 9)
    colour_segmenter.calls.clear()
    predict_stack(
        colour_segmenter, values, reference(values, (0,)), intensity_range=given
    ).compute()
    assert {call["intensity_range"] for call in colour_segmenter.calls} == {given}


def test_references_of_several_slices_and_classes(colour_segmenter):
    values = movie((6, 60, 70))
    values[:, 50:58, 50:60] = 1600
    dim = Reference.from_annotations(values[4], [Box(50, 50, 58, 60)], label="dim")
    several = [reference(values, (0,)), reference(values, (3,)), dim]
    found = predict_stack(colour_segmenter, values, several).compute()
    expected = np.where(values > 2000, 1, np.where(values == 1600, 2, 0))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("tiling", ["whole", TILES])
def test_masks_and_probabilities(colour_segmenter, tiling: Any):
    values = movie()
    settings = {"references": reference(values, (0, 0)), "tiling": tiling}
    mask = predict_stack(colour_segmenter, values, output="mask", **settings)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask.compute(), values > 2000)
    probability = predict_stack(colour_segmenter, values, output="probability", **settings)
    assert probability.dtype == np.float32
    np.testing.assert_array_equal(probability.compute() > 0.5, values > 2000)


def test_colour_planes(colour_segmenter):
    values = np.random.default_rng(0).integers(0, 40, (4, 60, 70, 3)).astype(np.uint8)
    values[:, 20:40, 10:30, 0] = 220
    marked = Reference.from_annotations(values[1], [Box(20, 10, 40, 30)])
    found = predict_stack(colour_segmenter, values, marked).compute()
    np.testing.assert_array_equal(found, values[..., 0] == 220)


def test_planes_without_a_value_hold_nothing(colour_segmenter):
    values = movie((3, 60, 70)).astype(np.float32)
    values[1] = np.nan
    for tiling in ("whole", TILES):
        found = predict_stack(colour_segmenter, values, reference(values, (0,)), tiling=tiling)
        counts = found.compute().sum(axis=(1, 2))
        assert counts.tolist() == [400, 0, 400]


def test_a_plane_equals_what_predict_says(colour_segmenter):
    values = movie((60, 70))
    alone = colour_segmenter.predict(
        values, [reference(values, ())], intensity_range=IntensityRange(0, 3000)
    )
    found = predict_stack(
        colour_segmenter, values, reference(values, ()), output="probability",
        intensity_range=IntensityRange(0, 3000),
    )  # fmt: skip
    assert found.compute().tobytes() == alone.probability.tobytes()


def test_planes_in_tiles_come_in_bands(colour_segmenter):
    values = movie((2, 60, 70))
    found = predict_stack(colour_segmenter, values, reference(values, (0,)), tiling=TILES)
    assert max(found.chunks[1]) <= 32
    colour_segmenter.calls.clear()
    found[0, :10].compute()
    assert len(colour_segmenter.calls) == 3  # one row of tiles


def test_what_is_refused(colour_segmenter):
    values = movie()
    both = [reference(values, (0, 0), "a"), reference(values, (0, 1), "b")]
    with pytest.raises(ConfigError, match="of one class"):
        predict_stack(colour_segmenter, values, both, output="probability")
    with pytest.raises(ConfigError, match="expected one of labels"):
        predict_stack(colour_segmenter, values, both[0], output="image")  # type: ignore[arg-type]
    with pytest.raises(EmptyReferenceError):
        predict_stack(colour_segmenter, values, [])
    with pytest.raises(ImageError, match="rows, cols"):
        predict_stack(colour_segmenter, np.zeros(5), both[0])


@pytest.mark.parametrize(("tiling", "pieces"), [("whole", 10), (TILES, 90)])
def test_how_long_it_will_take(colour_segmenter, monkeypatch, tiling: Any, pieces: int):
    """The second of two pictures is timed, and all are taken to be like it."""
    predict, clock = colour_segmenter.predict, iter([0.0, 50.0, 100.0, 100.5])

    def timed(picture: np.ndarray, *arguments: Any, **settings: Any) -> Any:
        assert picture.shape == ((60, 70) if tiling == "whole" else (32, 32))
        return predict(picture, *arguments, **settings)

    monkeypatch.setattr(colour_segmenter, "predict", timed)
    monkeypatch.setattr(stacks.time, "perf_counter", lambda: next(clock))
    values = movie()
    seconds = estimate_seconds(colour_segmenter, values, reference(values, (0, 0)), tiling=tiling)
    assert seconds == pytest.approx(0.5 * pieces)


def test_planes_are_encoded_in_batches_of_the_size_that_the_segmenter_names(colour_segmenter):
    assert best_batch_size(colour_segmenter) == 1
    colour_segmenter.batch_size = 8
    assert best_batch_size(colour_segmenter) == 8


def test_a_stack_keeps_its_axes(colour_segmenter):
    values = movie((3, 60, 70))
    stack = Stack.from_array(values, axes=["t"])
    found = predict_stack(colour_segmenter, stack, reference(values, (0,)))
    np.testing.assert_array_equal(found.compute(), values > 2000)
