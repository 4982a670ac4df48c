"""Zarr arrays and OME-Zarr images, versions 2 and 3, with the attributes that OME asks for."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import zarr

from vrpsam_app.errors import ImageError, ImageFileError
from vrpsam_app.readers import zarr_arrays
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.stacks.stack_files import open_stack

RNG = np.random.default_rng(0)
TCZYX = RNG.integers(0, 60_000, (2, 3, 4, 20, 30)).astype(np.uint16)
AXES = [
    {"name": "t", "type": "time", "unit": "second"},
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "nanometer"},
    {"name": "x", "type": "space", "unit": "nanometer"},
]


def multiscales(version, axes=AXES, scale=(1, 1, 2, 650, 500), whole=None):
    described = {
        "axes": axes,
        "datasets": [
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [s * 2**level for s in scale]}
                ],
            }
            for level in (0, 1)
        ],
    }
    if whole is not None:
        described["coordinateTransformations"] = [{"type": "scale", "scale": whole}]
    omero = {"channels": [{"label": name} for name in ("DAPI", "GFP", "RFP")]}
    if version == "0.5":
        return {"ome": {"version": "0.5", "multiscales": [described], "omero": omero}}
    return {"multiscales": [{"version": version, **described}], "omero": omero}


def write_ome(path, version="0.4", array=TCZYX, chunks=(1, 1, 1, 20, 30), **options):
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    for level, data in enumerate((array, array[..., ::2, ::2])):
        size = tuple(min(c, n) for c, n in zip(chunks, data.shape, strict=True))
        group.create_array(str(level), data=data, chunks=size)
    group.attrs.update(multiscales(version, **options))
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr(tmp_path, version, everything):
    stack = open_stack(write_ome(tmp_path / "a.ome.zarr", version), channels=["gfp"])
    assert stack.axes == ("t", "z")
    assert stack.name == "a.ome.zarr"
    assert stack.pixel_size == PixelSize(650, 500, 2000, "nm")
    assert np.array_equal(everything(stack), TCZYX[:, 1])
    coloured = open_stack(tmp_path / "a.ome.zarr")
    assert np.array_equal(everything(coloured), np.moveaxis(TCZYX, 1, -1))


def test_scales_of_the_image_and_of_the_level_multiply(tmp_path):
    path = write_ome(tmp_path / "a.zarr", "0.4", whole=[0.1, 1, 1, 2, 2])
    assert open_stack(path).pixel_size == PixelSize(1300, 1000, 2000, "nm")


def test_axes_without_units_are_no_sizes(tmp_path):
    axes = [{"name": axis["name"], "type": axis["type"]} for axis in AXES]
    assert open_stack(write_ome(tmp_path / "a.zarr", axes=axes)).pixel_size is None


def test_axes_of_version_three_are_names_and_before_it_they_are_fixed(tmp_path):
    path = write_ome(tmp_path / "a.zarr", "0.3", axes=["t", "c", "z", "y", "x"])
    assert open_stack(path).axes == ("t", "z")
    group = zarr.open_group(path)
    early = [{"version": "0.1", "datasets": [{"path": "0"}]}]
    group.attrs.put({"multiscales": early})
    assert open_stack(path, channels=[0]).axes == ("t", "z")


def test_axes_are_known_by_their_type(tmp_path):
    axes = [
        {**axis, "name": {"c": "stain", "t": "when"}.get(axis["name"], axis["name"])}
        for axis in AXES
    ]
    assert open_stack(write_ome(tmp_path / "a.zarr", axes=axes), channels=[0]).axes == ("t", "z")


def test_a_description_that_makes_no_sense_is_refused(tmp_path):
    path = write_ome(tmp_path / "a.zarr")
    zarr.open_group(path).attrs.put({"multiscales": [{"version": "0.9", "datasets": [{}]}]})
    with pytest.raises(ImageFileError, match=r"OME-Zarr 0\.9 whose description cannot be read"):
        open_stack(path)


def test_plates_wells_labels_and_collections(tmp_path, everything):
    plate = tmp_path / "plate.zarr"
    root = zarr.open_group(plate, mode="w", zarr_format=2)
    root.attrs.update({"plate": {"wells": [{"path": "A/1"}, {"path": "B/2"}]}})
    well = root.create_group("A").create_group("1")
    well.attrs.update({"well": {"images": [{"path": "0"}, {"path": "1"}]}})
    write_ome(plate / "A" / "1" / "0")
    write_ome(plate / "A" / "1" / "1", array=TCZYX + 1)
    with pytest.raises(ImageFileError, match=r"plate of 2 wells.*A/1/0"):
        open_stack(plate)
    with pytest.raises(ImageFileError, match=r"holds 2 images: 0 '0', 1 '1'"):
        open_stack(plate / "A" / "1")
    chosen = open_stack(plate / "A" / "1", scene=1, channels=[0])
    assert np.array_equal(everything(chosen), TCZYX[:, 0] + 1)
    field = plate / "A" / "1" / "0"
    zarr.open_group(field / "labels", mode="w", zarr_format=2).attrs.update({"labels": ["cells"]})
    labels = TCZYX[:, 0].astype(np.int32)
    spatial = [axis for axis in AXES if axis["name"] != "c"]
    write_ome(
        field / "labels" / "cells",
        array=labels,
        chunks=(1, 1, 20, 30),
        axes=spatial,
        scale=(1, 2, 650, 500),
    )
    found = open_stack(field / "labels")
    assert found.dtype == np.int32
    assert np.array_equal(everything(found), labels)


def test_a_collection_of_images_is_chosen_from_in_natural_order(tmp_path, everything):
    path = tmp_path / "a.zarr"
    zarr.open_group(path, mode="w", zarr_format=2).attrs.update({"bioformats2raw.layout": 3})
    for name in ("10", "2"):
        write_ome(path / name, array=TCZYX + int(name))
    with pytest.raises(ImageFileError, match="0 '2', 1 '10'"):
        open_stack(path)
    assert np.array_equal(everything(open_stack(path, scene="10", channels=[0])), TCZYX[:, 0] + 10)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("chunks", [(1, 20, 30), (3, 7, 8), (4, 20, 30)])
def test_plain_arrays(tmp_path, version, chunks, everything):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=TCZYX[0, 0], chunks=chunks, zarr_format=version)
    stack = open_stack(path)
    assert stack.axes == ("z",)
    assert stack.pixel_size is None
    assert stack.data.chunksize == (1, 20, 30)
    assert np.array_equal(everything(stack), TCZYX[0, 0])


def test_dimension_names_and_those_of_xarray(tmp_path, everything):
    data = np.moveaxis(TCZYX[0, 0], 0, -1)  # row, column, plane
    zarr.create_array(tmp_path / "3.zarr", data=data, dimension_names=("Y", "X", "Time"))
    two = zarr.create_array(tmp_path / "2.zarr", data=data, zarr_format=2)
    two.attrs["_ARRAY_DIMENSIONS"] = ["row", "col", "depth"]
    for name, axis in (("3.zarr", "t"), ("2.zarr", "z")):
        stack = open_stack(tmp_path / name)
        assert stack.axes == (axis,)
        assert np.array_equal(everything(stack), TCZYX[0, 0])


def test_sharded_and_big_endian_arrays(tmp_path, everything):
    zarr.create_array(tmp_path / "s.zarr", data=TCZYX[0, 0], chunks=(1, 10, 15), shards=(4, 20, 30))
    assert np.array_equal(everything(open_stack(tmp_path / "s.zarr")), TCZYX[0, 0])
    zarr.create_array(tmp_path / "b.zarr", data=TCZYX[0, 0].astype(">u2"), zarr_format=2)
    stack = open_stack(tmp_path / "b.zarr")
    assert np.array_equal(everything(stack), TCZYX[0, 0])
    assert stack.plane((0,)).dtype.isnative


def test_groups_with_one_array_or_several(tmp_path, everything):
    group = zarr.open_group(tmp_path / "g.zarr", mode="w")
    group.create_array("inner/pixels", data=TCZYX[0, 0])
    assert np.array_equal(everything(open_stack(tmp_path / "g.zarr")), TCZYX[0, 0])
    group.create_array("inner/mask", data=TCZYX[0, 0] > 9)
    with pytest.raises(ImageFileError, match="0 'inner/mask', 1 'inner/pixels'"):
        open_stack(tmp_path / "g.zarr")
    assert open_stack(tmp_path / "g.zarr", scene="inner/mask").dtype == bool
    assert open_stack(tmp_path / "g.zarr" / "inner" / "mask").dtype == bool


def test_zip_files(tmp_path, everything):
    with zarr.storage.ZipStore(tmp_path / "a.zarr.zip", mode="w") as store:
        group = zarr.create_group(store, attributes=multiscales("0.5"))
        group.create_array("0", data=TCZYX)
    stack = open_stack(tmp_path / "a.zarr.zip", channels=[2])
    assert np.array_equal(everything(stack), TCZYX[:, 2])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros(5, np.uint8), "expected planes of"),
        (np.zeros((4, 5), np.complex64), "type complex64"),
    ],
)
def test_arrays_that_are_no_planes_are_refused(tmp_path, data, message):
    zarr.create_array(tmp_path / "a.zarr", data=data)
    with pytest.raises(ImageFileError, match=message):
        open_stack(tmp_path / "a.zarr")


def test_huge_chunks_and_empty_groups_are_refused(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=TCZYX[0, 0], chunks=(4, 20, 30))
    with pytest.raises(ImageFileError, match=r"chunks of \(4, 20, 30\): at most 2000"):
        open_stack(tmp_path / "a.zarr", max_pixels=2000)
    zarr.open_group(tmp_path / "g.zarr", mode="w")
    with pytest.raises(ImageFileError, match="group without an array"):
        open_stack(tmp_path / "g.zarr")


def test_a_damaged_chunk_is_named_when_it_is_read(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=TCZYX[0, 0], chunks=(1, 20, 30))
    (chunk,) = (tmp_path / "a.zarr" / "c" / "2").rglob("0/0")
    chunk.write_bytes(chunk.read_bytes()[:20])
    stack = open_stack(tmp_path / "a.zarr")
    stack.plane((1,))
    with pytest.raises(ImageFileError, match=r"a\.zarr is damaged"):
        stack.plane((2,))


def test_chunks_over_several_planes_are_decoded_once(tmp_path, monkeypatch, everything):
    zarr.create_array(tmp_path / "a.zarr", data=TCZYX[0, 0], chunks=(2, 20, 30))
    read = []
    original = zarr_arrays._OpenArray.read
    monkeypatch.setattr(
        zarr_arrays._OpenArray, "read", lambda *a: read.append(a[1][0]) or original(*a)
    )
    stack = open_stack(tmp_path / "a.zarr")
    assert read == []
    assert np.array_equal(everything(stack), TCZYX[0, 0])
    assert read == [slice(0, 2), slice(2, 4)]
    monkeypatch.setattr(zarr_arrays, "_KEPT_BYTES", 100)  # too little for two planes
    assert np.array_equal(stack.plane((3,)), TCZYX[0, 0, 3])
    assert read[2:] == [slice(3, 4)]


def test_large_planes_are_read_in_multiples_of_chunks(tmp_path, monkeypatch, everything):
    monkeypatch.setattr("vrpsam_app.stacks.lazy_planes.PLANE_VALUES", 256)
    zarr.create_array(tmp_path / "a.zarr", data=TCZYX[0, 0], chunks=(1, 5, 6))
    stack = open_stack(tmp_path / "a.zarr")
    assert stack.data.chunksize == (1, 20, 12)
    assert np.array_equal(everything(stack), TCZYX[0, 0])


def test_a_stack_can_be_sent_to_another_process(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=TCZYX[0, 0], chunks=(2, 20, 30))
    stack = open_stack(tmp_path / "a.zarr")
    stack.plane((0,))
    assert np.array_equal(pickle.loads(pickle.dumps(stack)).plane((3,)), TCZYX[0, 0, 3])


def test_axes_can_be_named_by_the_caller(tmp_path, everything):
    zarr.create_array(tmp_path / "a.zarr", data=TCZYX[0])
    stack = open_stack(tmp_path / "a.zarr", axes="czyx", channels=[1])
    assert stack.axes == ("z",)
    assert np.array_equal(everything(stack), TCZYX[0, 1])
    with pytest.raises(ImageError, match="has axes t, z, z, x"):
        open_stack(tmp_path / "a.zarr", axes="tzzx")
