"""Every kind of image layer becomes planes, and each plane has its place in the layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray
import zarr
from napari.components import ViewerModel
from numpy.typing import NDArray

from napari_plugin.layer_planes import LayerPlanes
from vrpsam_app.errors import ImageError
from vrpsam_app.stacks.stack import PixelSize


@pytest.fixture
def volume() -> NDArray[np.uint16]:
    return np.random.default_rng(0).integers(0, 4000, (5, 12, 16)).astype(np.uint16)


def planes_of(data: Any, *, shown: Any = None, level: int = 0, axis: Any = None, **arguments: Any):
    layer = ViewerModel().add_image(data, **arguments)
    return LayerPlanes.of(layer, shown=shown, level=level, channel_axis=axis), layer


def edges(layer: Any) -> NDArray[np.float64]:
    """Return where the first pixel begins and the last one ends, in the world."""
    shape = np.array(layer.data.shape[: layer.ndim])
    return np.array([layer.data_to_world(shape * 0 - 0.5), layer.data_to_world(shape - 0.5)])


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr", "xarray", "xarray of dask"])
def test_a_stack_of_any_kind(kind: str, volume: NDArray[np.uint16], tmp_path: Path):
    data: Any = volume
    if kind == "dask":
        data = da.from_array(volume, chunks=(1, 12, 16))
    elif kind == "zarr":
        data = zarr.create_array(tmp_path / "a.zarr", shape=volume.shape, dtype=volume.dtype)
        data[:] = volume
    elif kind.startswith("xarray"):
        held = da.from_array(volume, chunks=(1, 12, 16)) if kind.endswith("dask") else volume
        data = xarray.DataArray(held, dims=("z", "y", "x"))
    planes, _ = planes_of(data)
    assert planes.stack.axes == ("z",)
    assert planes.stack.dtype == np.uint16
    assert np.array_equal(planes.stack.plane((3,)), volume[3])
    result = np.zeros(planes.shape, int)
    result[planes.place((3,))] = 7
    assert (result[3] == 7).all()
    assert result.sum() == 7 * volume[3].size


def test_a_plane_of_a_lazy_stack_is_read_alone(volume: NDArray[np.uint16]):
    read: list[Any] = []

    def block(part: NDArray[Any], block_id: Any = None) -> NDArray[Any]:
        read.append(block_id)
        return part

    lazy = da.from_array(volume, chunks=(1, 12, 16)).map_blocks(block, dtype=volume.dtype)
    layer = ViewerModel().add_image(lazy, contrast_limits=(0, 4000))
    planes = LayerPlanes.of(layer)
    read.clear()
    planes.stack.plane((2,))
    assert read == [(2, 0, 0)]


def test_time_and_depth_with_units():
    planes, layer = planes_of(
        np.zeros((3, 4, 8, 9), np.uint8),
        scale=(60, 2, 0.5, 0.5),
        units=("s", "um", "um", "um"),
        axis_labels=("t", "z", "y", "x"),
    )
    assert planes.stack.axes == ("t", "z")
    assert planes.stack.pixel_size == PixelSize(0.5, 0.5, 2, "um")
    assert planes.index_at((60, 4, 0, 0)) == (1, 2)
    assert planes.words((1, 2)) == "t 1, z 2"
    assert planes.indices_in((slice(1, 2), slice(0, 2), slice(3, 5), slice(0, 9))) == {
        (1, 0),
        (1, 1),
    }
    assert planes.like_layer()["axis_labels"] == layer.axis_labels


def test_axes_of_length_one_are_left_out_and_keep_their_place():
    planes, _ = planes_of(np.zeros((1, 5, 1, 8, 9), np.uint8))
    assert planes.stack.leading_shape == (5,)
    assert planes.shape == (1, 5, 1, 8, 9)
    assert planes.place((3,)) == (0, 3, 0, slice(None), slice(None))


def test_colours_are_no_axis():
    planes, _ = planes_of(np.zeros((5, 8, 9, 3), np.uint8), rgb=True)
    assert planes.stack.color
    assert planes.shape == (5, 8, 9)


def test_a_picture_whose_last_axis_is_short_is_no_colour():
    planes, _ = planes_of(np.zeros((5, 8, 3), np.uint8), rgb=False)
    assert not planes.stack.color
    assert planes.stack.plane_hw == (8, 3)


@pytest.mark.parametrize("axis", [0, 1])
def test_channels_of_one_layer(axis: int):
    data = np.zeros((5, 8, 9), np.uint8)
    both = np.stack([data, data + 9], axis=axis)
    planes, layer = planes_of(both, axis=axis)
    assert planes.stack.color
    assert planes.stack.plane((0,))[0, 0].tolist() == [0, 9, 0]  # magenta and green
    labels = ViewerModel().add_labels(np.zeros(planes.shape, int), **planes.like_layer())
    if axis == 0:
        assert planes.shape == (5, 8, 9)
    else:  # one pixel that covers both channels
        assert planes.shape == (5, 1, 8, 9)
        assert np.allclose(edges(labels)[:, 1], edges(layer)[:, 1])


def test_channels_in_several_layers():
    viewer = ViewerModel()
    layers = [viewer.add_image(np.full((4, 8, 9), i, np.uint16)) for i in range(3)]
    planes = LayerPlanes.of(layers)
    assert planes.stack.plane((1,))[0, 0].tolist() == [0, 1, 2]
    other = viewer.add_image(np.zeros((4, 8, 8), np.uint16), name="other")
    with pytest.raises(ImageError, match=r"'other' has shape \(4, 8, 8\)"):
        LayerPlanes.of([layers[0], other])


def test_resolutions_lie_over_each_other():
    levels = [np.zeros((2, 64, 48)), np.zeros((2, 32, 24)), np.zeros((1, 16, 12))]
    viewer = ViewerModel()
    layer = viewer.add_image(levels, multiscale=True, scale=(2, 0.1, 0.1), translate=(0, 5, 6))
    planes = LayerPlanes.of(layer, level=2)
    assert planes.stack.plane_hw == (16, 12)
    labels = viewer.add_labels(np.zeros(planes.shape, int), **planes.like_layer())
    assert np.allclose(edges(labels), edges(layer))
    with pytest.raises(ImageError, match="3 resolutions"):
        LayerPlanes.of(layer, level=3)


@pytest.mark.parametrize("shown", [(0, 2), (2, 0)])
def test_planes_across_a_turned_stack(shown: tuple[int, int], volume: NDArray[np.uint16]):
    planes, _ = planes_of(volume, shown=shown)
    assert planes.is_turned
    assert planes.stack.leading_shape == (12,)
    assert np.array_equal(planes.stack.plane((4,)), volume[:, 4])
    assert planes.place((4,)) == (slice(None), 4, slice(None))


def test_axes_that_the_layer_lacks_are_refused():
    with pytest.raises(ImageError, match="the viewer shows others"):
        planes_of(np.zeros((8, 9)), shown=(-3, 1))


@pytest.mark.parametrize("rotated", [False, True])
def test_positions_survive_scale_translation_and_rotation(rotated: bool):
    arguments: dict[str, Any] = {"scale": (2, 0.5, 0.25), "translate": (10, 3, 4)}
    if rotated:
        angle = np.deg2rad(30)
        turn = np.eye(3)
        turn[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        arguments["rotate"] = turn
    planes, layer = planes_of(np.zeros((5, 20, 30)), **arguments)
    world = np.array([layer.data_to_world((3, 7.25, 11))])
    indices, row_col = planes.positions(world)
    assert indices == [(3,)]
    assert np.allclose(row_col, [[7.75, 11.5]])  # pixel i covers [i, i + 1)
    labels = ViewerModel().add_labels(np.zeros(planes.shape, int), **planes.like_layer())
    assert np.allclose(labels.data_to_world((3, 7, 11)), layer.data_to_world((3, 7, 11)))
    shape, like = planes.like_plane((3,))
    plane = ViewerModel().add_labels(np.zeros(shape, int), **like)
    assert np.allclose(plane.data_to_world((0, 7, 11)), layer.data_to_world((3, 7, 11)))
    assert np.allclose(labels.rotate, layer.rotate)


def test_a_layer_lies_like_the_image_or_elsewhere():
    turn = [[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]
    place = {"scale": (2, 0.5, 0.25), "translate": (10, 3, 4), "rotate": turn}
    planes, image = planes_of(np.zeros((5, 20, 30)), **place)
    viewer = ViewerModel()
    shape, like = planes.like_plane((3,))
    plane = viewer.add_labels(np.zeros(shape, int), **like)
    points = viewer.add_points(ndim=3, **planes.like_layer())
    assert planes.lie_like(image)
    assert planes.lie_like(points)
    assert planes.lie_like(plane, (3,))
    assert not planes.lie_like(plane, (2,))
    assert not planes.lie_like(plane)
    assert not planes.lie_like(viewer.add_points(ndim=2))
    for name, value in (
        ("scale", (2, 0.5, 0.3)),
        ("translate", (10, 3, 4.1)),
        ("rotate", np.eye(3)),
        ("shear", [0, 0, 0.1]),
        ("affine", np.diag([1, 1, 3, 1])),
    ):
        other = viewer.add_points(ndim=3, **planes.like_layer())
        setattr(other, name, value)
        assert not planes.lie_like(other), name
    stack, channels = planes_of(np.zeros((2, 5, 20, 30)), axis=0, scale=(1, 2, 0.5, 0.5))
    assert stack.lie_like(viewer.add_labels(np.zeros((5, 20, 30), int), scale=(2, 0.5, 0.5)))
    assert not stack.lie_like(channels)


def test_unknown_units_are_no_sizes():
    planes, _ = planes_of(np.zeros((5, 8, 9)), scale=(1, 0.2, 0.2))
    assert planes.stack.pixel_size is None
