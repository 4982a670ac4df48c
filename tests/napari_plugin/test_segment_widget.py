"""The segment widget in a real viewer: from marks to results, whatever happens meanwhile."""

from __future__ import annotations

import shlex
import threading
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_plugin.layer_planes import LayerPlanes
from napari_plugin.preview import NAME as LIVE
from napari_plugin.session import Session


def brush(viewer: Any, widget: Any, plane: int = 2) -> Any:
    """Brush the middle of a disc, as a person does."""
    viewer.dims.set_point(0, plane * float(viewer.layers[0].scale[0]))
    widget.pick_tool("brush")
    marks = viewer.layers.selection.active
    marks.brush_size = 5
    marks.paint((plane, 14, 14 + plane), 1)
    return marks


def bright(stack: NDArray[Any]) -> NDArray[np.bool_]:
    return stack > 100


def test_nothing_is_computed_when_it_opens(viewer, make_widget, settle, disc_stack, grey):
    viewer.add_image(disc_stack)
    widget = make_widget(viewer)
    settle(widget)
    assert grey.asked == grey.prepared == 0
    assert len(viewer.layers) == 1


def test_an_image_that_comes_and_goes_takes_its_words_and_its_answer_along(
    viewer, make_widget, settle, qtbot, disc_stack
):
    widget = make_widget(viewer)
    assert widget.form.status.text() == "Open an image first."
    image = viewer.add_image(disc_stack)
    assert widget.form.status.text() == "Mark one object, on any slice."
    marks = brush(viewer, widget)
    settle(widget)
    assert "found" in widget.form.status.text()
    viewer.layers.remove(image)
    assert widget.form.status.text() == "Open an image first."
    qtbot.waitUntil(lambda: LIVE not in viewer.layers)
    again = viewer.add_image(disc_stack)
    marks.paint((2, 14, 17), 1)
    settle(widget)
    assert viewer.layers[LIVE].visible
    viewer.layers.selection = {again, viewer.layers[LIVE]}
    viewer.layers.remove_selected()
    settle(widget)
    assert list(viewer.layers) == [marks]


def test_a_stroke_is_answered_live(viewer, make_widget, settle, disc_stack, grey):
    viewer.add_image(disc_stack)
    widget = make_widget(viewer)
    marks = brush(viewer, widget)
    settle(widget)
    live = viewer.layers[LIVE]
    assert np.array_equal(live.data[0] > 0, bright(disc_stack)[2])
    assert np.allclose(live.translate, [2, 0, 0])
    assert viewer.layers.selection.active is marks  # it stays in a person's hands
    assert "found" in widget.form.status.text()


def test_live_follows_the_slider_and_the_threshold_without_the_model(
    viewer, make_widget, settle, disc_stack, grey
):
    viewer.add_image(disc_stack)
    widget = make_widget(viewer)
    brush(viewer, widget)
    settle(widget)
    viewer.dims.set_point(0, 4)
    settle(widget)
    assert np.array_equal(viewer.layers[LIVE].data[0] > 0, bright(disc_stack)[4])
    asked = grey.asked
    widget.form.threshold.setValue(0.9)
    widget.form.show_as.setCurrentIndex(1)
    widget.advanced.min_area.value = 10_000
    widget.form.show_as.setCurrentIndex(0)
    settle(widget)
    assert grey.asked == asked
    assert not viewer.layers[LIVE].data.any()  # every object is smaller than that


def test_all_slices(viewer, make_widget, settle, disc_stack):
    viewer.add_image(disc_stack, scale=(3, 0.5, 0.5), translate=(1, 2, 3), units=("um",) * 3)
    widget = make_widget(viewer)
    brush(viewer, widget)
    widget.segment_all()
    settle(widget)
    (record,) = widget.session.results
    layer = record.layer
    assert np.array_equal(layer.data > 0, bright(disc_stack))
    assert [len(np.unique(layer.data[:, :, :28])), int(layer.data.max())] == [2, 2]  # linked
    assert np.allclose(layer.scale, (3, 0.5, 0.5))
    assert np.allclose(layer.translate, (1, 2, 3))
    assert {str(u) for u in layer.units} == {"micrometer"}
    assert record.missing == ()
    assert layer.metadata["vrpsam-app"]["recipe"]["sections"]["objects"]


@pytest.fixture
def answered(viewer, make_widget, settle, disc_stack):
    """Return a panel that has answered one slice of a stack."""
    viewer.add_image(disc_stack)
    widget = make_widget(viewer)
    brush(viewer, widget)
    widget.segment_slice()
    settle(widget)
    return widget


def test_all_slices_fill_one_that_ctrl_z_took_back(answered, settle, disc_stack):
    (record,) = answered.session.results
    record.layer.undo()
    assert record.missing == tuple((z,) for z in range(len(disc_stack)))
    answered.segment_all()
    settle(answered)
    assert np.array_equal(record.layer.data > 0, bright(disc_stack))
    assert record.missing == ()


def test_ctrl_z_takes_a_slice_back_and_revert_a_run(answered, settle, disc_stack):
    (record,) = answered.session.results
    assert np.array_equal(record.layer.data[2] > 0, bright(disc_stack)[2])
    record.layer.undo()
    assert not record.layer.data.any()
    record.layer.redo()
    before = record.layer.data.copy()
    answered.segment_all()
    settle(answered)
    assert np.array_equal(record.layer.data > 0, bright(disc_stack))
    record.layer.mode = "paint"
    record.layer.undo()  # there is nothing of these data yet
    assert np.array_equal(record.layer.data > 0, bright(disc_stack))
    record.layer.paint((1, 40, 5), 9)
    answered.ask_about_edited = lambda planes, edited: "overwrite"
    answered.revert()
    assert np.array_equal(record.layer.data, before)
    assert set(record.findings) == {(2,)}
    record.layer.undo()
    assert np.array_equal(record.layer.data, before)
    assert record.layer.mode == "paint"
    assert record.layer.editable


def test_revert_asks_about_slices_that_were_edited_since(viewer, make_widget, settle, disc_stack):
    viewer.add_image(disc_stack)
    widget = make_widget(viewer)
    brush(viewer, widget)
    widget.segment_all()
    settle(widget)
    (record,) = widget.session.results
    record.layer.paint((0, 40, 5), 5)  # before the run: it stays whatever is done
    before = record.layer.data.copy()
    widget.form.threshold.setValue(0.7)
    widget.segment_all()
    settle(widget)
    record.layer.data[4] = 0
    record.layer.paint((4, 5, 50), 7)
    record.mark_edited([(1,)])  # accepted: Revert does not change what it shows
    asked, said = [], ["cancel", "leave"]

    def ask(planes: Any, edited: Any) -> str:
        asked.append(tuple(edited))
        return said.pop(0)

    widget.ask_about_edited = ask
    widget.revert()
    assert record.can_revert
    assert record.layer.data[4, 5, 50] == 7
    found = record.findings[4,]
    painted = record.layer.data[4] > 0
    widget.revert()
    assert asked == [((4,),)] * 2
    assert not record.can_revert
    assert np.array_equal(record.layer.data[4] > 0, painted)
    assert np.array_equal(np.delete(record.layer.data, 4, 0), np.delete(before, 4, 0))
    assert record.layer.data[4, 5, 50] == 6  # new among the numbers that came back
    assert record.edited == {(0,), (1,), (4,)}
    assert record.findings[4,] is found


def test_edited_slices_are_left_alone_until_that_is_asked_for(
    viewer, make_widget, settle, disc_stack, monkeypatch
):
    viewer.add_image(disc_stack)
    widget = make_widget(viewer)
    brush(viewer, widget)
    widget.segment_all()
    settle(widget)
    (record,) = widget.session.results
    record.layer.data_setitem((np.array([4]), np.array([0]), np.array([0])), 77)
    assert record.edited == {(4,)}
    widget.form.threshold.setValue(0.7)
    widget.segment_all()
    settle(widget)
    assert record.layer.data[4, 0, 0] == 77
    assert record.edited == {(4,)}
    monkeypatch.setattr(widget, "ask_about_edited", lambda planes, edited: "cancel")
    viewer.dims.set_point(0, 4)
    widget.segment_slice()
    settle(widget)
    assert record.layer.data[4, 0, 0] == 77
    monkeypatch.setattr(widget, "ask_about_edited", lambda planes, edited: "overwrite")
    widget.segment_planes([(4,)], again=True)
    settle(widget)
    assert record.layer.data[4, 0, 0] == 0
    assert record.edited == frozenset()
    widget.revert()
    assert record.layer.data[4, 0, 0] == 77
    assert record.edited == {(4,)}


def test_the_window_lives_while_a_run_is_stopped_and_resumed(
    viewer, make_widget, settle, qtbot, grey, make_discs
):
    viewer.add_image(make_discs(20))
    widget = make_widget(viewer)
    brush(viewer, widget)
    widget.form.live.setChecked(False)
    settle(widget)
    grey.seconds = 0.05
    ticks: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(10)
    widget.segment_all()
    (record,) = widget.session.results
    qtbot.waitUntil(lambda: len(record.findings) >= 3, timeout=20_000)
    asked = grey.asked
    widget.stop()
    settle(widget)
    timer.stop()
    assert len(ticks) > 5
    assert grey.asked <= asked + 2  # within one slice, and the one that it was at
    done = len(record.findings)
    assert 3 <= done < 20
    assert all(record.layer.data[i].any() for i in record.findings)
    grey.seconds, grey.asked = 0.0, 0
    widget.segment_all()
    settle(widget)
    assert grey.asked == 20 - done
    assert len(record.findings) == 20
    assert int(record.layer.data.max()) == 2


def test_a_layer_that_is_deleted_stops_its_run(
    viewer, make_widget, settle, make_discs, grey, qtbot
):
    stack = make_discs(40)
    image = viewer.add_image(stack)
    widget = make_widget(viewer)
    brush(viewer, widget)
    settle(widget)
    grey.seconds = 0.05
    widget.segment_all()
    (record,) = widget.session.results
    qtbot.waitUntil(lambda: bool(record.findings), timeout=20_000)
    viewer.layers.remove(record.layer)
    settle(widget)
    said = widget.form.status.text()
    assert said == "The layer of the result was deleted: the run was stopped."
    viewer.layers.remove(image)
    settle(widget)
    assert len(record.findings) < len(stack)
    assert widget.session.results == ()
    assert not widget.form.all_slices.isEnabled()


def test_what_was_run_is_copied_whatever_image_is_chosen_now(
    viewer, make_widget, settle, disc_stack, tmp_path
):
    colours = np.stack([disc_stack, disc_stack // 2])
    for name in ("first.tif", "second.tif"):
        tifffile.imwrite(tmp_path / name, colours)
    first, second = (
        viewer.open(tmp_path / name, plugin="napari")[0] for name in ("first.tif", "second.tif")
    )
    widget = make_widget(viewer)
    widget.form.image.choose(first)
    widget.advanced.channel_axis.value = 0
    widget.advanced.channels.value = "0"
    brush(viewer, widget)
    widget.segment_slice()
    settle(widget)
    widget.form.image.choose(second)
    widget.advanced.channels.value = "1"
    recipe = tmp_path / "recipe.json"
    command = shlex.split(widget.copy_text("command", recipe))
    assert command[command.index("--target") + 1] == str(tmp_path / "first.tif")
    assert command[command.index("--channels") + 1] == "0"
    said = widget.form.status.text()
    assert said == f"Copied; the recipe is in {recipe}."
    assert f"open_stack({str(tmp_path / 'first.tif')!r}, channels=(0,))" in widget.copy_text(
        "python", recipe
    )
    first.data = colours + 1  # another image, and no file holds it
    assert LayerPlanes.of(first).source is None


@pytest.mark.parametrize("closed", ["panel", "napari"])
def test_a_window_that_is_closed_leaves_no_thread(
    closed, make_viewer, make_widget, make_discs, grey, qtbot
):
    viewer = make_viewer()
    stack = make_discs(40)
    viewer.add_image(stack)
    widget = make_widget(viewer)
    brush(viewer, widget)
    widget.marks.read()
    grey.seconds = 0.1
    widget.segment_all()
    (record,) = widget.session.results
    qtbot.waitUntil(lambda: bool(record.findings), timeout=20_000)
    (widget if closed == "panel" else viewer).close()
    assert not [t for t in threading.enumerate() if t.name.startswith("vrpsam")]
    assert len(record.findings) < len(stack)


def test_two_viewers_share_nothing(make_viewer, make_widget, settle, disc_stack):
    first, second = make_viewer(), make_viewer()
    for viewer in (first, second):
        viewer.add_image(disc_stack)
    one, other = make_widget(first), make_widget(second)
    brush(first, one)
    one.segment_all()
    settle(one)
    settle(other)
    assert Session.of(first) is one.session is not other.session
    assert len(one.session.references) == 1
    assert other.session.references == ()
    assert other.session.results == ()
    assert LIVE not in second.layers


def test_several_classes_are_shown_as_classes(viewer, make_widget, settle):
    stack = np.full((3, 40, 40), 20, np.uint8)
    stack[:, 5:15, 5:15], stack[:, 25:35, 25:35] = 200, 110
    viewer.add_image(stack)
    widget = make_widget(viewer)
    widget.pick_tool("brush")
    marks = viewer.layers.selection.active
    marks.brush_size = 4
    shown = viewer.dims.current_step[0]
    marks.paint((shown, 10, 10), 1)
    marks.paint((shown, 30, 30), 2)
    settle(widget)
    assert {i.reference.label for i in widget.session.references} == {"object", "class 2"}
    widget.segment_all()
    settle(widget)
    (record,) = widget.session.results
    assert np.array_equal(record.layer.data, 1 * (stack == 200) + 2 * (stack == 110))


@pytest.mark.parametrize("tool", ["points", "box", "outline", "stroke"])
def test_every_tool_marks(tool, viewer, make_widget, settle, disc_stack):
    viewer.add_image(disc_stack, scale=(1, 0.5, 0.5))
    viewer.dims.set_point(0, 2)
    widget = make_widget(viewer)
    widget.pick_tool(tool)
    marks = viewer.layers.selection.active
    corners = np.array([[2, 11.5, 13.5], [2, 11.5, 18.5], [2, 16.5, 18.5], [2, 16.5, 13.5]])
    if tool == "points":
        marks.add(np.array([2.0, 14, 16]))
    elif tool == "box":
        marks.add_rectangles([corners])
    elif tool == "outline":
        marks.add_polygons([corners])
    else:
        marks.add_paths([corners[:2]], edge_width=3)
    settle(widget)
    (item,) = widget.session.references
    assert item.reference.positive.any()
    assert bright(disc_stack)[2][item.reference.positive].all()
    assert np.array_equal(viewer.layers[LIVE].data[0] > 0, bright(disc_stack)[2])
    marks.selected_data = {0}
    colour = "face_color" if tool == "points" else "edge_color"
    drawn = getattr(marks, colour).copy()
    widget.form.beside_object.setChecked(True)  # of the next mark, not of this one
    assert np.array_equal(getattr(marks, colour), drawn)
    assert marks.features["positive"].tolist() == [True]
    marks.selected_data = {0}
    marks.remove_selected()
    settle(widget)
    assert widget.session.references == ()
    assert not viewer.layers[LIVE].visible
