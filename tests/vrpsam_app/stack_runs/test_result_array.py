"""Results as Zarr: chunks that are there whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.stack_runs import result_array
from vrpsam_app.stack_runs.result_array import (
    ResultArray,
    ResultLayout,
    abandoned_name,
    ome_attributes,
    read_manifest,
    remove_abandoned,
)
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.stacks.stack_files import open_stack

LAYOUT = ResultLayout(("t", "z"), (2, 3), (40, 50), np.dtype(np.uint8), PixelSize(0.5, 0.4, 2))


def plane(value: int = 1) -> np.ndarray:
    return np.full((40, 50), value, np.uint8)


def test_a_plain_array_opens_in_zarr(tmp_path: Path):
    result = ResultArray.create(tmp_path / "r.zarr", LAYOUT, {"a": 1})
    result.write((1, 2), 0, plane(7))
    array = zarr.open_array(tmp_path / "r.zarr", mode="r")
    assert array.shape == (2, 3, 40, 50)
    assert array.chunks == (1, 1, 40, 50)
    assert (array[1, 2] == 7).all()
    assert array.metadata.dimension_names == ("t", "z", "y", "x")
    assert read_manifest(tmp_path / "r.zarr") == {"a": 1}
    assert open_stack(tmp_path / "r.zarr").pixel_size == LAYOUT.pixel_size
    ResultArray.create(tmp_path / "s.zarr", replace(LAYOUT, pixel_size=None), {})
    assert open_stack(tmp_path / "s.zarr").pixel_size is None


def test_an_ome_zarr_has_axes_and_scales(tmp_path: Path):
    result = ResultArray.create(tmp_path / "r.ome.zarr", replace(LAYOUT, ome=True), {"a": 1})
    result.write((0, 0), 0, plane(3))
    group = zarr.open_group(tmp_path / "r.ome.zarr", mode="r")
    (scales,) = group.attrs["ome"]["multiscales"]
    assert [axis["name"] for axis in scales["axes"]] == ["t", "z", "y", "x"]
    assert scales["axes"][3] == {"name": "x", "type": "space", "unit": "micrometer"}
    (dataset,) = scales["datasets"]
    assert dataset["coordinateTransformations"] == [{"type": "scale", "scale": [1, 2, 0.5, 0.4]}]
    assert (group[dataset["path"]][0, 0] == 3).all()
    assert result.read((0, 0)).tolist() == plane(3).tolist()


def test_what_is_stored_is_known_even_if_it_is_empty(tmp_path: Path):
    result = ResultArray.create(tmp_path / "r.zarr", LAYOUT, {})
    result.write((0, 1), 0, plane(0))
    again = ResultArray(tmp_path / "r.zarr", LAYOUT)
    assert [again.stored((0, z), 0) for z in range(3)] == [False, True, False]
    again.write((0, 2), 0, plane(0))
    assert again.stored((0, 2), 0)


def test_a_large_plane_has_bands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(result_array, "MOST_BYTES_OF_CHUNK", 100)
    monkeypatch.setattr(result_array, "BAND_ROWS", 16)
    layout = replace(LAYOUT, axes=(), leading_shape=())
    assert (layout.block_rows, layout.blocks) == (16, 3)
    assert [layout.rows(i) for i in range(3)] == [slice(0, 16), slice(16, 32), slice(32, 40)]
    result = ResultArray.create(tmp_path / "r.zarr", layout, {})
    result.write((), 2, plane(5)[:8])
    assert [result.stored((), i) for i in range(3)] == [False, False, True]
    assert result.read((), slice(30, 34))[:, 0].tolist() == [0, 0, 5, 5]


def test_half_written_chunks_and_results_are_removed(tmp_path: Path):
    result = ResultArray.create(tmp_path / "r.zarr", LAYOUT, {})
    result.write((0, 0), 0, plane())
    half = tmp_path / "r.zarr" / "c" / "0" / "0" / "0" / "0.abc.partial"
    half.write_bytes(b"half")
    result.clean()
    assert not half.exists()
    assert result.stored((0, 0), 0)
    other = abandoned_name(tmp_path / "other.zarr")
    for name in (abandoned_name(tmp_path / "r.zarr"), other):
        (tmp_path / name).mkdir()
    remove_abandoned(tmp_path / "r.zarr")
    assert {p.name for p in tmp_path.iterdir()} == {"r.zarr", other}


@pytest.mark.parametrize(
    "names",
    [
        ("2024-05-01_liver_plate01_well_A01_labels.zarr", "2024-05-01_liver_plate01_well_A02.zarr"),
        ("r[ab].zarr", "ra.zarr"),
        ("r*.zarr", "r1.zarr"),
        ("r", "r-b"),
    ],
)
def test_results_of_like_names_are_left_alone(tmp_path: Path, names: tuple[str, str]):
    for one, other in (names, names[::-1]):
        (tmp_path / abandoned_name(tmp_path / one)).mkdir()
        (tmp_path / abandoned_name(tmp_path / other)).mkdir()
        remove_abandoned(tmp_path / one)
        (left,) = tmp_path.iterdir()
        remove_abandoned(tmp_path / other)
        assert not left.exists()


def test_names_of_any_length_have_room(tmp_path: Path):
    (tmp_path / abandoned_name(tmp_path / f"{'日' * 80}.zarr")).mkdir()


def test_a_result_of_another_shape_is_refused(tmp_path: Path):
    ResultArray.create(tmp_path / "r.zarr", LAYOUT, {})
    with pytest.raises(OutputError, match="was changed since"):
        ResultArray(tmp_path / "r.zarr", replace(LAYOUT, leading_shape=(2, 4)))


def test_an_unwritable_place_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"cannot be written \(Not a directory\)"):
        ResultArray.create(tmp_path / "file" / "r.zarr", LAYOUT, {})


def test_what_is_no_result_has_no_manifest(tmp_path: Path):
    assert read_manifest(tmp_path) is None
    zarr.create_array(tmp_path / "other.zarr", shape=(3,), dtype="u1")
    assert read_manifest(tmp_path / "other.zarr") is None
    (tmp_path / "zarr.json").write_text(json.dumps([1]))
    assert read_manifest(tmp_path) is None


@pytest.mark.parametrize(
    ("axes", "fits"),
    [
        ((), True),
        (("z",), True),
        (("t", "c", "z"), True),
        (("t", "position", "z"), True),
        (("z", "t"), False),
        (("i", "j", "z"), False),
        (("t", "c", "z", "k"), False),
    ],
)
def test_axes_that_ome_knows(axes: tuple[str, ...], fits: bool):
    layout = replace(LAYOUT, axes=axes, leading_shape=(2,) * len(axes), pixel_size=None)
    if fits:
        (scales,) = ome_attributes(layout, "x")["multiscales"]
        assert len(scales["axes"]) == len(axes) + 2
        assert all("unit" not in axis for axis in scales["axes"])
    else:
        with pytest.raises(ConfigError, match=r"ends in \.zarr instead"):
            ome_attributes(layout, "x")
