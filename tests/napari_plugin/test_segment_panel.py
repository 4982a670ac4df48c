"""What the segment widget shows before a button is pressed: which image, which tool, how long."""

from __future__ import annotations

import threading
from typing import Any

import dask.array as da
import numpy as np
import pytest


@pytest.fixture
def pictures(viewer: Any) -> tuple[Any, Any]:
    """Return two images that lie on each other; the upper one is selected."""
    below = viewer.add_image(np.full((40, 40), 20, np.uint8), name="below")
    above = viewer.add_image(np.full((40, 40), 90, np.uint8), name="above")
    return below, above


def test_the_image_that_is_selected_is_marked(viewer, make_widget, pictures):
    below, above = pictures
    widget = make_widget(viewer)
    assert widget.form.image.layer is above
    assert not widget.form.about_image.isVisibleTo(widget)
    viewer.layers.selection.active = below
    assert widget.form.image.layer is below
    newest = viewer.add_image(np.zeros((30, 30), np.uint8))
    assert widget.form.image.layer is newest


def test_marks_stay_with_their_image_and_who_cannot_see_it_is_told(
    viewer, make_widget, settle, pictures
):
    below, above = pictures
    widget = make_widget(viewer)
    widget.form.live.setChecked(False)
    said = widget.form.about_image
    widget.form.image.choose(below)  # though another one is selected
    assert said.text() == "Marks go to 'below', which is hidden by 'above'."
    assert said.isVisibleTo(widget)
    widget.pick_tool("brush")
    viewer.layers.selection.active.paint((20, 20), 1)
    viewer.layers.selection.active = above
    assert widget.form.image.layer is below
    settle(widget)
    assert (widget.session.references[0].reference.image == 20).all()
    above.visible = False
    assert not said.isVisibleTo(widget)
    above.visible = True
    viewer.layers.move(viewer.layers.index(above), 0)
    assert not said.isVisibleTo(widget)


def test_channels_are_no_slices(viewer, make_widget, settle, make_discs):
    stack = make_discs(6)
    both = da.from_array(np.stack([stack, 255 - stack], axis=1), chunks=(1, 1, 48, 64))
    viewer.add_image(both, contrast_limits=(0, 255), axis_labels=("z", "c", "y", "x"))
    widget = make_widget(viewer)
    assert widget.form.about_image.text() == "2 channels as one image."
    assert widget.form.all_slices.text() == "All 6 slices"
    widget.advanced.channel_axis.value = -1
    assert widget.form.all_slices.text() == "All 12 slices"
    assert widget.form.about_image.text() == ""


def test_the_tool_in_hand_is_down(viewer, make_widget, disc_stack):
    image = viewer.add_image(disc_stack)
    widget = make_widget(viewer)
    widget.form.live.setChecked(False)
    buttons = widget.form.tools.buttons

    def down() -> list[str]:
        return [tool for tool, button in buttons.items() if button.isChecked()]

    assert down() == []
    for tool, button in buttons.items():
        button.click()
        assert down() == [tool]
    button.click()  # the same one again
    assert down() == ["stroke"]
    shapes = viewer.layers.selection.active
    shapes.mode = "add_rectangle"
    assert down() == ["box"]
    shapes.mode = "pan_zoom"
    assert down() == []
    viewer.layers.selection.active = viewer.layers["Marks"]
    assert down() == ["brush"]
    viewer.layers.selection.active = image
    assert down() == []
    widget.close()
    viewer.layers.selection.active = viewer.layers["Marks"]
    assert down() == []


def test_what_is_done_meanwhile_does_not_hide_what_to_do(
    viewer, make_widget, settle, qtbot, disc_stack, grey
):
    viewer.add_image(disc_stack)
    widget = make_widget(viewer)
    shelf, go_on = widget.session.shelf, threading.Event()
    shelf.loaded = lambda choice: None

    def segmenter(*_: Any) -> Any:
        go_on.wait(20)
        return grey

    shelf.segmenter = segmenter
    widget.pick_tool("brush")
    qtbot.waitUntil(lambda: widget.form.doing.text() == "Loading the model ...", timeout=20_000)
    assert widget.form.status.text() == "Mark one object, on any slice."
    go_on.set()
    settle(widget)
    assert widget.form.doing.text() == ""


def test_the_first_answer_says_nothing_of_all_slices(viewer, make_widget, settle, disc_stack, grey):
    viewer.add_image(disc_stack)
    widget = make_widget(viewer)
    grey.seconds = 0.3  # it warms up
    widget.pick_tool("points")
    z = viewer.dims.current_step[0]
    viewer.layers.selection.active.add(np.array([z, 14, 14 + z]))
    settle(widget)
    said = widget.form.status.text()
    assert "found" in said
    assert "all 6 slices" not in said
    grey.seconds = 0.0
    viewer.dims.set_point(0, z + 1)
    settle(widget)
    assert "all 6 slices" in widget.form.status.text()
    assert widget.preview.shown.most_seconds < 0.3
