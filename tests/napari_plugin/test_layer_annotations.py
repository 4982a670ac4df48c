"""Marks on layers become annotations on the pixels that they were drawn on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_plugin.layer_annotations import (
    CLASS,
    NOT_VALUE,
    POSITIVE,
    LabelsMeaning,
    marks_on,
    references_of,
)
from napari_plugin.layer_planes import LayerPlanes
from vrpsam_app.annotations import Box, Mask, Point, Scribble
from vrpsam_app.errors import AnnotationError

SCALE, SHIFT = (2.0, 0.5, 0.5), (10.0, 3.0, 4.0)
PLACED: dict[str, Any] = {"scale": SCALE, "translate": SHIFT}


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def planes(viewer: ViewerModel) -> LayerPlanes:
    return LayerPlanes.of(viewer.add_image(np.zeros((6, 40, 60), np.uint8), **PLACED))


def world(plane: float, row: float, col: float) -> list[float]:
    return [s + p * n for s, p, n in zip(SHIFT, SCALE, (plane, row, col), strict=True)]


def test_points_lie_on_pixels_whatever_the_scale(viewer, planes):
    layer = viewer.add_points(
        [world(4, 20, 7), world(4, 30, 8), world(1, 0, 0)],
        features={POSITIVE: [True, False, True], CLASS: ["a", "a", "b"]},
    )
    first, second = marks_on(layer, planes)
    assert (first.index, first.label) == ((1,), "b")
    assert second.annotations == (Point(20.5, 7.5), Point(30.5, 8.5, positive=False))


@pytest.mark.parametrize("start", range(4))
@pytest.mark.parametrize("turn", [1, -1])
def test_rectangles_whatever_corner_they_were_drawn_from(viewer, planes, start, turn):
    corners = [[4, 19.5, 9.5], [4, 19.5, 29.5], [4, 25.5, 29.5], [4, 25.5, 9.5]]
    drawn = np.roll(corners, start, axis=0)[::turn]
    layer = viewer.add_shapes([drawn], shape_type="rectangle", **PLACED)
    (mark,) = marks_on(layer, planes)
    assert mark.annotations == (Box(top=20, left=10, bottom=26, right=30),)


def test_a_turned_rectangle_is_an_outline(viewer, planes):
    layer = viewer.add_shapes(
        [np.array([[4, 10, 20], [4, 15, 25], [4, 10, 30], [4, 5, 25]])], shape_type="rectangle"
    )
    layer.scale, layer.translate = SCALE, SHIFT
    (mark,) = marks_on(layer, planes)
    (mask,) = mark.annotations
    assert isinstance(mask, Mask)
    assert mask.mask[10, 25]
    assert not mask.mask[5, 20]


def test_ellipses_and_polygons_are_filled(viewer, planes):
    layer = viewer.add_shapes(ndim=3, **PLACED)
    layer.add_ellipses([np.array([[4, 10, 10], [4, 10, 30], [4, 20, 30], [4, 20, 10]])])
    layer.add_polygons([np.array([[5, 5, 5], [5, 5, 15], [5, 15, 15]])])
    ellipse, polygon = (m.annotations[0].mask for m in marks_on(layer, planes))
    assert abs(int(ellipse.sum()) - np.pi * 10 * 5) < 15
    assert ellipse[15, 20]
    assert not ellipse[10, 10]
    assert polygon[7, 10]
    assert not polygon[13, 7]


def test_a_path_has_the_width_it_is_drawn_with(viewer, planes):
    layer = viewer.add_shapes(
        [np.array([[2, 10, 10], [2, 10, 30]])], shape_type="path", edge_width=5, **PLACED
    )
    (mark,) = marks_on(layer, planes)
    assert mark.annotations == (Scribble(((10.5, 10.5), (10.5, 30.5)), width=5.0),)
    ((_, reference),) = references_of([mark], planes)
    assert reference.positive[:, 20].sum() == 5
    coarse = viewer.add_shapes(  # the same stroke on a layer of other pixels
        [np.array([[world(2, 10, 10)], [world(2, 10, 30)]]).reshape(2, 3)],
        shape_type="path",
        edge_width=2.5,
    )
    (mark,) = marks_on(coarse, planes)
    assert mark.annotations[0].width == 5.0


def test_shapes_beside_the_image_are_passed_over(viewer, planes):
    layer = viewer.add_shapes(
        [np.array([[4, 100, 100], [4, 100, 120], [4, 120, 120], [4, 120, 100]])], **PLACED
    )
    assert marks_on(layer, planes) == []


def test_marks_with_fewer_axes_lie_on_the_plane_that_is_shown(viewer, planes):
    layer = viewer.add_points([[3 + 0.5 * 20, 4 + 0.5 * 7]])
    (mark,) = marks_on(layer, planes, point=world(3, 0, 0))
    assert (mark.index, mark.annotations) == ((3,), (Point(20.5, 7.5),))


def test_brushed_values_are_classes_and_one_says_not_this(viewer, planes):
    data = np.zeros(planes.shape, np.uint8)
    data[3, 5:9, 5:9], data[3, 20:24, 20:24], data[3, 30], data[5, 1, 1] = 1, 2, NOT_VALUE, 1
    layer = viewer.add_labels(data, **planes.like_layer())
    marks = marks_on(layer, planes, classes={2: "rod"})
    assert [(m.index, m.label) for m in marks] == [
        ((3,), "object"),
        ((3,), "rod"),
        ((5,), "object"),
    ]
    references = [r for _, r in references_of(marks, planes)]
    assert [int(r.positive.sum()) for r in references] == [16, 16, 1]
    assert int(references[0].negative.sum()) == 60
    assert references[0].kind == "scribble"  # a stroke's width is not the object's
    assert marks_on(layer, planes, only=(5,))[0].index == (5,)


def test_objects_of_another_program_are_one_class(viewer, planes):
    data = np.zeros(planes.shape, np.int32)
    data[3, 5:9, 5:9], data[3, 20:24, 20:24] = 17, 300
    layer = viewer.add_labels(data, **planes.like_layer())
    (mark,) = marks_on(layer, planes, meaning=LabelsMeaning(objects=True))
    assert mark.annotations[0].mask.sum() == 32
    (one,) = marks_on(layer, planes, meaning=LabelsMeaning(True, frozenset({300})))
    assert one.annotations[0].mask.sum() == 16
    ((_, reference),) = references_of([mark], planes, exhaustive=True)
    assert reference.kind == "mask"
    assert reference.exhaustive


def test_labels_of_another_resolution_cover_the_same_pixels(viewer, planes):
    coarse = np.zeros((6, 20, 30), np.uint8)
    coarse[3, 5:9, 5:9] = 1
    layer = viewer.add_labels(coarse, scale=(2, 1, 1), translate=(10, 3.25, 4.25))
    (mark,) = marks_on(layer, planes)
    expected = np.zeros((40, 60), bool)
    expected[10:18, 10:18] = True
    assert np.array_equal(mark.annotations[0].mask, expected)


def test_an_image_is_no_marks(viewer, planes):
    with pytest.raises(AnnotationError, match="points, shapes or labels"):
        marks_on(viewer.layers[0], planes)
