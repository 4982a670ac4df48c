"""Marks and live answers lie over the image that is chosen, and over no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_plugin.preview import NAME as LIVE
from tests.napari_plugin.test_segment_layers import mark, result


def lies_on(layer: Any, image: Any, first: tuple[int, ...] = (0, 0, 0)) -> bool:
    """Tell whether a layer's first and last pixels lie on those of an image."""
    end = np.array(layer.data.shape) - 1
    ends = (np.zeros(3), end)
    return all(
        np.allclose(layer.data_to_world(e), image.data_to_world(e + np.array(first))) for e in ends
    )


def test_another_image_has_layers_of_its_own(viewer, make_widget, settle, disc_stack):
    one = viewer.add_image(disc_stack, name="one")
    other = viewer.add_image(disc_stack, name="other", scale=(1, 3, 3), translate=(0, 100, 0))
    widget = make_widget(viewer)
    widget.form.image.choose(one)
    widget.pick_tool("brush")
    brushed = viewer.layers.selection.active
    dots = mark(viewer, widget, (2, 14, 16))
    settle(widget)
    assert lies_on(viewer.layers[LIVE], one, (2, 0, 0))
    dots.selected_data = {0}
    dots.remove_selected()
    widget.form.image.choose(other)
    assert mark(viewer, widget, (2, 14, 16)) is not dots
    settle(widget)
    live = viewer.layers[LIVE]
    assert lies_on(live, other, (2, 0, 0))
    assert np.array_equal(live.data[0] > 0, disc_stack[2] > 100)
    widget.pick_tool("brush")
    assert lies_on(viewer.layers.selection.active, other)
    widget.form.image.choose(one)
    widget.pick_tool("brush")
    assert viewer.layers.selection.active is brushed


def test_a_stack_is_not_marked_on_points_of_a_single_picture(
    viewer, make_widget, settle, disc_stack
):
    picture = viewer.add_image(disc_stack[2], name="picture")
    stack = viewer.add_image(disc_stack, name="stack")
    widget = make_widget(viewer)
    widget.form.image.choose(picture)
    flat = mark(viewer, widget, (14, 16))
    flat.selected_data = {0}
    flat.remove_selected()
    widget.form.image.choose(stack)
    mark(viewer, widget, (1, 14, 15))
    viewer.dims.set_point(0, 4)
    settle(widget)
    assert [item.where for item in widget.session.references] == ["stack, z 1"]


@pytest.mark.parametrize("placed", ["scale", "affine"])
def test_an_image_that_is_placed_anew_is_followed(placed, viewer, make_widget, settle, disc_stack):
    image = viewer.add_image(disc_stack)
    widget = make_widget(viewer)
    widget.pick_tool("brush")
    marks = viewer.layers.selection.active
    marks.data_setitem((np.array([2]), np.array([14]), np.array([16])), 1)
    viewer.dims.set_point(0, 2)
    widget.segment_slice()
    settle(widget)
    first = result(widget).layer
    value = (1, 0.5, 0.5) if placed == "scale" else np.diag([1, 0.5, 0.5, 1])
    for layer in (marks, image):
        setattr(layer, placed, value)
    settle(widget)
    assert lies_on(viewer.layers[LIVE], image, (2, 0, 0))
    (item,) = widget.session.references
    assert item.reference.positive[14, 16]
    widget.segment_slice()
    settle(widget)
    assert lies_on(result(widget).layer, image)
    assert result(widget).layer is not first
