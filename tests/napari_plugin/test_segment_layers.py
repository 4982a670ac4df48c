"""The segment widget on every kind of image, to disk, through time, in other layers and folders."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr

from vrpsam_app.image_files import read_image, write_image


def mark(viewer: Any, widget: Any, place: tuple[int, ...]) -> Any:
    """Click on a pixel of the image that is chosen."""
    layer = widget.form.image.layer
    point = np.array(layer.data_to_world(np.array(place, float)))
    for axis, value in enumerate(point[: viewer.dims.ndim]):
        viewer.dims.set_point(axis, float(value))
    widget.pick_tool("points")
    points = viewer.layers.selection.active
    points.add(np.asarray(points.world_to_data(point)))
    return points


def result(widget: Any) -> Any:
    return widget.session.results[-1]


def test_time_depth_and_numbers_in_other_axes(viewer, make_widget, settle, make_discs):
    movie = np.stack([make_discs(3)] * 2)
    viewer.add_image(movie, axis_labels=("t", "z", "y", "x"))
    widget = make_widget(viewer)
    mark(viewer, widget, (1, 2, 14, 16))
    widget.segment_times()
    settle(widget)
    assert set(result(widget).findings) == {(0, 2), (1, 2)}
    widget.segment_all()
    settle(widget)
    data = result(widget).layer.data
    assert np.array_equal(data > 0, movie > 100)
    assert int(data.max()) == 2  # the same numbers in both times


@pytest.mark.parametrize("kind", ["rgb", "float with NaN", "uint16", "multiscale", "turned"])
def test_other_images(kind, viewer, make_widget, settle, make_discs):
    stack = make_discs(4)
    found = stack > 100
    if kind == "rgb":
        viewer.add_image(np.repeat(stack[..., None], 3, axis=-1), rgb=True)
    elif kind == "float with NaN":
        data = stack.astype(np.float32) / 7
        data[0] = np.nan
        data[1, :3] = np.nan
        found[0] = False
        viewer.add_image(data, contrast_limits=(0, 30))
    elif kind == "uint16":
        viewer.add_image(stack.astype(np.uint16) * 20)
    elif kind == "multiscale":
        fine = stack.repeat(2, axis=1).repeat(2, axis=2)
        viewer.add_image([fine, stack], multiscale=True)
    else:
        viewer.add_image(stack)
        viewer.dims.order = (1, 0, 2)
    widget = make_widget(viewer)
    if kind == "multiscale":
        widget.advanced.level.value = 1
        mark(viewer, widget, (2, 28, 32))
    else:
        mark(viewer, widget, (2, 14, 16))
    widget.form.show_as.setCurrentIndex(1)
    widget.segment_all()
    settle(widget)
    layer = result(widget).layer
    assert np.array_equal(layer.data > 0, found), widget.form.status.text()
    if kind == "multiscale":
        assert np.allclose(layer.scale, (1, 2, 2))


@pytest.mark.parametrize("kind", ["zarr", "xarray", "placed", "axis of length 1", "channels"])
def test_more_images(kind, viewer, make_widget, settle, make_discs, tmp_path: Path):
    import xarray

    stack = make_discs(4)
    placed = {
        "scale": (3.0, 0.5, 0.25), "translate": (7.0, -4.0, 100.0), "units": ("um",) * 3,
        "rotate": np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]),
        "axis_labels": ("z", "y", "x"),
    }  # fmt: skip
    if kind == "zarr":
        array = zarr.create_array(
            tmp_path / "a.zarr", shape=stack.shape, chunks=(1, 48, 64), dtype=stack.dtype
        )
        array[:] = stack
        viewer.add_image(array, contrast_limits=(0, 255))
    elif kind == "xarray":
        viewer.add_image(xarray.DataArray(stack, dims=("z", "y", "x")))
    elif kind == "placed":
        viewer.add_image(stack, **placed)
    elif kind == "axis of length 1":
        viewer.add_image(stack[:, None])
    else:
        viewer.add_image(np.stack([stack, 220 - stack]), channel_axis=0, name=["one", "two"])
    widget = make_widget(viewer)
    if kind == "channels":
        widget.form.image.choose(viewer.layers["one"])
    place = (2, 0, 14, 16) if kind == "axis of length 1" else (2, 14, 16)
    mark(viewer, widget, place)
    widget.form.show_as.setCurrentIndex(1)
    widget.segment_all()
    settle(widget)
    layer, image = result(widget).layer, widget.form.image.layer
    assert np.array_equal(np.asarray(layer.data).reshape(stack.shape) > 0, stack > 100)
    # Pixel by pixel it lies on the image.
    for pixel in (place, tuple(0 for _ in place)):
        assert np.allclose(layer.data_to_world(pixel), image.data_to_world(pixel))
    assert [str(u) for u in layer.units] == [str(u) for u in image.units]
    assert layer.axis_labels == image.axis_labels


def test_a_single_picture(viewer, make_widget, settle, make_discs):
    picture = make_discs(1)[0]
    viewer.add_image(picture)
    widget = make_widget(viewer)
    assert not widget.form.all_slices.isVisibleTo(widget.form)
    mark(viewer, widget, (14, 14))
    widget.segment_slice()
    settle(widget)
    assert np.array_equal(result(widget).layer.data > 0, picture > 100)


def test_objects_of_another_program_are_marks(viewer, make_widget, settle, disc_stack):
    viewer.add_image(disc_stack)
    cells = np.zeros(disc_stack.shape, np.int32)
    cells[1, 10:18, 10:20], cells[1, 40:, :] = 5, 9
    other = viewer.add_labels(cells, name="Cellpose")
    widget = make_widget(viewer)
    widget.advanced.ids.value = "5"
    widget.form.other_marks.choose(other)
    settle(widget)
    (item,) = widget.session.references
    assert int(item.reference.positive.sum()) == 80
    widget.form.all_marked.setChecked(True)
    settle(widget)
    assert widget.session.references[0].reference.exhaustive
    widget.form.other_marks.choose(None)
    settle(widget)
    assert widget.session.references == ()
    assert (other.data == cells).all()


def test_a_large_result_goes_to_disk_and_is_resumed_from_there(
    viewer, make_widget, settle, make_discs, grey, qtbot
):
    stack = make_discs(12)
    lazy = da.from_array(stack, chunks=(1, *stack.shape[1:]))
    viewer.add_image(lazy, contrast_limits=(0, 255), name="big")
    widget = make_widget(viewer, memory_mb=0.001)
    points = mark(viewer, widget, (2, 14, 16))
    settle(widget)
    grey.seconds = 0.05
    widget.segment_all()
    record = result(widget)
    qtbot.waitUntil(lambda: len(record.findings) > 5, timeout=20_000)
    widget.stop()
    settle(widget)
    done = len(record.findings)
    assert 5 < done < 12
    assert isinstance(record.layer.data, zarr.Array)
    # As after a crash: nothing is known but what lies on disk.
    viewer.layers.remove(record.layer)
    assert widget.session.results == ()
    grey.seconds, grey.asked = 0.0, 0
    widget.segment_all()
    settle(widget)
    # The slice that is looked at is asked about ahead of its turn, both times.
    assert grey.asked <= 12 - done + 2
    assert np.array_equal(np.asarray(result(widget).layer.data) > 0, stack > 100)
    assert len(result(widget).findings) == 12
    assert points in viewer.layers


def test_a_range_leaves_the_rest(viewer, make_widget, settle, disc_stack):
    viewer.add_image(disc_stack)
    widget = make_widget(viewer)
    mark(viewer, widget, (2, 14, 16))
    widget.segment_planes([(1,), (2,)])
    settle(widget)
    assert [bool(plane.any()) for plane in result(widget).layer.data] == [
        False, True, True, False, False, False,
    ]  # fmt: skip
    assert result(widget).missing == ((0,), (3,), (4,), (5,))


def test_other_layers(viewer, make_widget, settle, make_discs):
    viewer.add_image(make_discs(3), name="first")
    viewer.add_image(make_discs(4)[1:], name="second")
    widget = make_widget(viewer)
    widget.form.image.choose(viewer.layers["first"])
    mark(viewer, widget, (2, 14, 16))
    widget.segment_other_layers()
    settle(widget)
    assert np.array_equal(viewer.layers["second result"].data > 0, make_discs(4)[1:] > 100)
    assert "first result" not in viewer.layers


def test_a_folder(viewer, make_widget, settle, make_discs, tmp_path: Path):
    import tifffile

    folder, out = tmp_path / "plate", tmp_path / "out"
    folder.mkdir()
    write_image(folder / "a.png", make_discs(1)[0])
    tifffile.imwrite(folder / "b.tif", make_discs(3), imagej=True, metadata={"axes": "ZYX"})
    viewer.add_image(make_discs(3))
    widget = make_widget(viewer)
    widget.form.show_as.setCurrentIndex(1)
    mark(viewer, widget, (2, 14, 16))
    widget.segment_folder(folder, out)
    settle(widget)
    assert "2 files segmented" in widget.form.status.text()
    assert np.array_equal(read_image(out / "a_mask.png") > 0, make_discs(1)[0] > 100)
    assert np.array_equal(tifffile.imread(out / "b_labels.tif") > 0, make_discs(3) > 100)


def test_without_marks_or_image_it_says_what_to_do(viewer, make_widget, settle, disc_stack):
    widget = make_widget(viewer)
    assert "Open an image" in widget.form.status.text()
    assert not widget.form.this_slice.isEnabled()
    viewer.add_image(disc_stack)
    widget.segment_all()
    assert "Mark an object first" in widget.form.status.text()


def test_an_error_of_the_model_is_a_sentence(
    viewer, make_widget, settle, disc_stack, grey, monkeypatch
):
    from vrpsam_app.errors import DeviceError

    def fail(*arguments: Any, **settings: Any) -> None:
        raise DeviceError("The device ran out of memory: choose another.")

    viewer.add_image(disc_stack)
    widget = make_widget(viewer)
    mark(viewer, widget, (2, 14, 16))
    settle(widget)
    monkeypatch.setattr(grey, "predict", fail)
    widget.segment_all()
    settle(widget)
    assert widget.form.status.text() == "The device ran out of memory: choose another."
    assert widget.form.all_slices.isEnabled()


def test_a_run_reads_each_slice_of_a_lazy_stack_once(viewer, make_widget, settle, make_discs):
    stack = make_discs(24)
    read: Counter[int] = Counter()

    def block(part: Any, block_id: Any = None) -> Any:
        if part.size:  # dask asks with nothing what comes out
            read[block_id[0]] += 1
        return part

    lazy = da.from_array(stack, chunks=(1, *stack.shape[1:])).map_blocks(block, dtype=stack.dtype)
    viewer.add_image(lazy, contrast_limits=(0, 255))
    widget = make_widget(viewer)
    widget.form.live.setChecked(False)
    mark(viewer, widget, (2, 14, 16))
    settle(widget)
    viewer.dims.set_point(0, 3)
    read.clear()
    widget.segment_all()
    settle(widget)
    assert np.array_equal(result(widget).layer.data > 0, stack > 100)
    # By the first one a stack is known again; the marks are read with their slice; the shown one is
    # answered ahead of its turn as well.
    assert {z: n for z, n in read.items() if n != 1 and z not in (0, 2, 3)} == {}
    assert max(read.values()) <= 4


def test_data_that_are_replaced_are_another_image(viewer, make_widget, settle, make_discs, grey):
    stack = make_discs(4).astype(np.uint16)
    image = viewer.add_image(stack, name="image")
    widget = make_widget(viewer)
    mark(viewer, widget, (2, 14, 16))
    settle(widget)
    widget.segment_all()
    settle(widget)
    first = result(widget)
    live = viewer.layers["Live answer"].data.copy()
    assert live.any()
    flipped = np.ascontiguousarray(stack[::-1]) * 50
    image.data = flipped
    settle(widget)
    # What is marked now is what lies there now, and it is answered in the range of the new data.
    (item,) = widget.session.references
    assert np.array_equal(item.reference.image, flipped[2])
    assert grey.ranges[-1].high > stack.max()
    assert not np.array_equal(viewer.layers["Live answer"].data, live)
    widget.segment_all()
    settle(widget)
    assert len(widget.session.results) == 2
    assert np.array_equal(result(widget).layer.data > 0, flipped > 5000)
    assert np.array_equal(first.layer.data > 0, stack > 100)
    widget.close()
    image.data = stack  # nobody listens any more
    assert np.array_equal(item.reference.image, flipped[2])


def test_layers_may_be_renamed_at_any_time(viewer, make_widget, settle, make_discs, grey, qtbot):
    stack = make_discs(20)
    image = viewer.add_image(stack, name="first")
    widget = make_widget(viewer)
    points = mark(viewer, widget, (2, 14, 16))
    settle(widget)
    grey.seconds = 0.02
    widget.segment_all()
    qtbot.waitUntil(lambda: bool(result(widget).findings), timeout=20_000)
    image.name, points.name, result(widget).layer.name = "other", "dots", "answer"
    settle(widget)
    assert widget.form.image.currentText() == "other"
    assert np.array_equal(viewer.layers["answer"].data > 0, stack > 100)
    widget.segment_all()
    settle(widget)
    assert [record.layer.name for record in widget.session.results] == ["answer"]
