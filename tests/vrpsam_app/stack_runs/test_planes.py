"""Planes given back as they are found, in blocks, with nothing written."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest

from vrpsam_app.annotations import Box
from vrpsam_app.errors import Cancelled, ConfigError
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.progress import CancelToken, Progress
from vrpsam_app.references import Reference
from vrpsam_app.stack_runs import result_array
from vrpsam_app.stack_runs.lazy_result import predict_stack
from vrpsam_app.stack_runs.planes import segment_planes
from vrpsam_app.tiles.plan import TileOptions

TILES = TileOptions("tiles", tile=32, overlap=8)
COMPONENTS = ObjectOptions(method="components")


def movie() -> np.ndarray:
    """Noise with a bright square that moves, and another one in each last slice."""
    values = np.random.default_rng(0).integers(0, 400, (2, 3, 60, 70)).astype(np.uint16)
    for t, z in np.ndindex(2, 3):
        values[t, z, 20 + t : 40 + t, 10 + z : 30 + z] += 3000
    values[:, 2, 5:15, 45:60] += 3000
    return values


def reference(values: np.ndarray, label: str = "object") -> Reference:
    return Reference.from_annotations(values[0, 0], [Box(20, 10, 40, 30)], label=label)


@pytest.mark.parametrize("tiling", ["auto", TILES])
def test_each_plane_is_what_a_run_stores(colour_segmenter, tiling: Any):
    values = movie()
    blocks = list(segment_planes(colour_segmenter, values, reference(values), tiling=tiling))
    assert [block.note.index for block in blocks] == list(np.ndindex(2, 3))
    stored = predict_stack(colour_segmenter, values, reference(values), tiling=tiling).compute()
    found = np.stack([block.values for block in blocks]).reshape(stored.shape)
    assert found.dtype == stored.dtype
    np.testing.assert_array_equal(found, stored)
    assert [block.note.pixels for block in blocks] == [
        {"object": int((values[index] > 2000).sum())} for index in np.ndindex(2, 3)
    ]
    assert all(block.objects is None for block in blocks)


def test_only_what_is_wanted_is_asked_in_the_order_of_the_chunks(colour_segmenter):
    values = movie()
    chunked = da.from_array(values, chunks=(1, 3, 60, 70))
    wanted = [(1, 0), (0, 2), (1, 2)]
    blocks = list(segment_planes(colour_segmenter, chunked, reference(values), planes=wanted))
    assert [block.note.index for block in blocks] == [(0, 2), (1, 0), (1, 2)]
    assert len(colour_segmenter.calls) == 3
    for block in blocks:
        np.testing.assert_array_equal(block.values, values[block.note.index] > 2000)


@pytest.mark.parametrize("tiling", ["auto", TILES])
def test_large_planes_come_in_bands_from_the_top(colour_segmenter, monkeypatch, tiling: Any):
    monkeypatch.setattr(result_array, "MOST_BYTES_OF_CHUNK", 1000)
    monkeypatch.setattr(result_array, "BAND_ROWS", 25)
    values = movie()
    asked = {"planes": [(1, 2)], "tiling": tiling}
    blocks = list(segment_planes(colour_segmenter, values, reference(values), **asked))
    assert [len(block.values) for block in blocks] == [25, 25, 10]
    assert [block.note.blocks for block in blocks] == [(0,), (1,), (2,)]
    np.testing.assert_array_equal(np.vstack([b.values for b in blocks]), values[1, 2] > 2000)


def test_objects_count_from_1_in_each_plane(colour_segmenter):
    values = movie()
    marked = [reference(values), reference(values, "same again")]
    blocks = list(segment_planes(colour_segmenter, values, marked, objects=COMPONENTS))
    for block in blocks:
        assert block.objects is not None
        assert (block.objects.shape, block.objects.dtype) == ((2, 60, 70), np.int32)
        # The classes see the same pixels, and each pixel is given to one of them.
        both = block.objects.max(axis=0)
        np.testing.assert_array_equal(both > 0, values[block.note.index] > 2000)
        assert both.max() == 1 + (block.note.index[1] == 2)


def test_what_tiles_cannot_tell_is_refused_before_anything_is_asked(colour_segmenter):
    values = movie()
    by_probability = ObjectOptions(method="probability")
    found = segment_planes(
        colour_segmenter, values, reference(values), tiling=TILES, objects=by_probability
    )
    with pytest.raises(ConfigError, match="shown in tiles"):
        next(found)
    assert colour_segmenter.calls == []


def test_progress_names_the_plane_and_counts_tiles(colour_segmenter):
    values, told = movie(), list[Progress]()
    wanted = {"planes": [(0, 1), (1, 2)], "progress": told.append}
    list(segment_planes(colour_segmenter, values, reference(values), **wanted))
    assert [(p.done, p.total, p.message) for p in told] == [
        (0, 2, ""), (1, 2, "t 0, z 1"), (2, 2, "t 1, z 2"),
    ]  # fmt: skip
    told.clear()
    list(segment_planes(colour_segmenter, values, reference(values), tiling=TILES, **wanted))
    assert [p.done for p in told] == list(range(len(colour_segmenter.calls[2:]) + 1))
    assert {p.total for p in told} == {told[-1].done}


@pytest.mark.parametrize("tiling", ["auto", TILES])
def test_a_token_stops_it_after_the_plane_at_hand(colour_segmenter, tiling: Any):
    values, token = movie(), CancelToken()
    found = segment_planes(colour_segmenter, values, reference(values), tiling=tiling, cancel=token)
    np.testing.assert_array_equal(next(found).values, values[0, 0] > 2000)
    token.cancel()
    with pytest.raises(Cancelled):
        list(found)


def test_who_looks_no_further_leaves_nothing_running(colour_segmenter):
    values = movie()
    found = segment_planes(colour_segmenter, values, reference(values))
    next(found)
    found.close()
    assert len(colour_segmenter.calls) == 1
