import json

import numpy as np
import pytest

from vrpsam_app.annotations import (
    Box,
    Marks,
    Mask,
    Point,
    Scribble,
    annotations_from_json,
    annotations_to_json,
    rasterize,
)
from vrpsam_app.errors import AnnotationError


def drawn(*annotations, hw=(8, 8)):
    return rasterize(annotations, hw).positive


def test_a_point_of_one_pixel_radius_at_a_corner_of_pixels_marks_four():
    assert np.argwhere(drawn(Point(3, 3, radius=1))).tolist() == [[2, 2], [2, 3], [3, 2], [3, 3]]


@pytest.mark.parametrize("radius", [0.01, 0.3, 0.5])
@pytest.mark.parametrize(("row", "col"), [(3, 3), (3.999, 3.001), (3.5, 3.5)])
def test_a_tiny_point_still_marks_the_pixel_it_lies_in(row, col, radius):
    assert np.argwhere(drawn(Point(row, col, radius=radius))).tolist() == [[3, 3]]


def test_a_click_on_the_far_border_marks_the_last_pixel():
    assert np.argwhere(drawn(Point(8, 8, radius=0.1))).tolist() == [[7, 7]]


def test_points_use_the_default_radius_of_the_image():
    assert (
        drawn(Point(256, 256), hw=(512, 512)).sum()
        == drawn(Point(256, 256, radius=4), hw=(512, 512)).sum()
    )


def test_a_box_marks_pixels_whose_centre_is_inside():
    mask = drawn(Box(1.5, 2.6, 3.5, 5.4))
    assert np.flatnonzero(mask.any(1)).tolist() == [1, 2]  # centres 1.5 and 2.5, not 3.5
    assert np.flatnonzero(mask.any(0)).tolist() == [3, 4]


@pytest.mark.parametrize(
    ("box", "pixel"),
    [
        (Box(2.6, 2.6, 2.9, 2.9), [2, 2]),
        (Box(-9, -9, 0.1, 0.1), [0, 0]),
        (Box(7.9, 7.9, 20, 20), [7, 7]),
    ],
)
def test_a_box_that_holds_no_centre_marks_one_pixel(box, pixel):
    assert np.argwhere(drawn(box)).tolist() == [pixel]


@pytest.mark.parametrize("width", [0.01, 1, 2.5])
@pytest.mark.parametrize("angle", np.linspace(0, np.pi, 13))
def test_thin_strokes_stay_connected(width, angle):
    from scipy import ndimage

    centre = np.array([30.2, 30.7])
    reach = 25 * np.array([np.sin(angle), np.cos(angle)])
    mask = drawn(Scribble((centre - reach, centre + reach), width), hw=(61, 61))
    assert ndimage.label(mask, np.ones((3, 3)))[1] == 1
    assert mask[tuple((centre - reach).astype(int))]
    assert mask[tuple((centre + reach).astype(int))]


def test_scribble_width_is_a_diameter():
    assert drawn(Scribble(((4, 1), (4, 7)), width=4)).sum(axis=0).max() == 4


def test_a_scribble_of_one_vertex_is_a_disc():
    assert np.array_equal(drawn(Scribble(((4, 4),), 6)), drawn(Point(4, 4, radius=3)))


def test_the_negative_mark_wins():
    marks = rasterize([Box(0, 0, 8, 8), Point(4, 4, False, 2)], (8, 8))
    assert marks.negative.sum() == 12
    assert marks.positive.sum() == 64 - 12
    assert not (marks.positive & marks.negative).any()


@pytest.mark.parametrize(
    ("annotations", "kind"),
    [
        ([], "point"),
        ([Point(1, 1)], "point"),
        ([Point(1, 1), Scribble(((1, 1),))], "scribble"),
        ([Scribble(((1, 1),)), Mask(np.ones((8, 8)))], "mask"),
        ([Mask(np.ones((8, 8))), Box(0, 0, 1, 1), Point(1, 1)], "box"),
        ([Point(1, 1), Box(0, 0, 1, 1, positive=False)], "point"),
        ([Box(0, 0, 1, 1, positive=False)], "box"),
    ],
)
def test_the_loosest_positive_kind_counts(annotations, kind):
    assert rasterize(annotations, (8, 8)).kind == kind


@pytest.mark.parametrize(
    "annotation",
    [
        Point(-3, 4, radius=2),
        Point(4, 11, radius=2),
        Box(-5, 0, 0, 8),
        Box(0, 8, 8, 9),
        Scribble(((-9, 0), (-9, 8)), 3),
    ],
)
def test_marks_outside_are_refused_with_the_image_size(annotation):
    with pytest.raises(AnnotationError, match=r"lies outside the image of 8 x 8.*Move it"):
        rasterize([annotation], (8, 8))


@pytest.mark.parametrize("hw", [(1, 1), (1, 9), (9, 1)])
def test_every_kind_works_on_tiny_images(hw):
    for annotation in (
        Point(0.5, 0.5),
        Point(0, 0, radius=0.1),
        Box(0, 0, 1, 1),
        Scribble(((0, 0), (0.5, 0.5))),
        Mask(np.ones(hw)),
    ):
        assert drawn(annotation, hw=hw)[0, 0]


def test_no_marks_give_empty_masks():
    marks = rasterize([], (3, 4))
    assert marks.positive.shape == marks.negative.shape == (3, 4)
    assert not (marks.positive | marks.negative).any()


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (Point(1, 1), r"The annotations are Point\(row=1.*expected a list of them"),
        (None, "The annotations are None"),
        ([Point(1, 1), (2, 2)], r"annotations\[1\] is \(2, 2\): expected a Point, Box"),
    ],
)
def test_what_is_no_list_of_annotations_is_refused(annotations, message):
    with pytest.raises(AnnotationError, match=message):
        rasterize(annotations, (4, 4))


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(AnnotationError, match="The mask has 8 x 9 pixels"):
        drawn(Mask(np.ones((8, 9))))


def test_an_image_without_pixels_is_refused():
    with pytest.raises(AnnotationError, match="0 x 8"):
        rasterize([], (0, 8))


def test_marks_check_their_sizes_and_kind():
    with pytest.raises(AnnotationError, match="negative mask has 2 x 3"):
        Marks(np.ones((3, 2)), np.ones((2, 3)), "mask")
    with pytest.raises(AnnotationError, match="Kind"):
        Marks(np.ones((3, 2)), np.ones((3, 2)), "blob")


ITEMS = [
    Point(3.5, 4.25),
    Point(1, 2, False, 1.5),
    Box(1, 2, 3, 4),
    Scribble(((1, 2), (3, 4)), 2.5, False),
    Scribble(((1, 2),)),
]


def test_json_returns_what_was_written():
    text = json.dumps(annotations_to_json(ITEMS))
    assert annotations_from_json(json.loads(text), (8, 9)) == tuple(ITEMS)


def test_json_returns_masks():
    mask = np.eye(8, 9, dtype=bool)
    (read,) = annotations_from_json(annotations_to_json([Mask(mask, False)]), (8, 9))
    assert np.array_equal(read.mask, mask)
    assert not read.positive


def test_json_is_in_x_y_order():
    point, box, scribble = annotations_from_json(
        [
            {"type": "point", "xy": [7, 1]},
            {"type": "box", "xyxy": [1, 2, 9, 4]},
            {"type": "scribble", "xy": [[5, 0], [6, 1]]},
        ],
        (5, 10),
    )
    assert (point.row, point.col) == (1, 7)
    assert (box.top, box.left, box.bottom, box.right) == (2, 1, 4, 9)
    assert scribble.vertices == ((0, 5), (1, 6))


def test_points_and_boxes_over_the_border_are_clipped():
    point, box = annotations_from_json(
        [
            {"type": "point", "xy": [-1, 3], "radius": 2},
            {"type": "box", "xyxy": [-5, 2, 100, 4]},
        ],
        (6, 8),
    )
    assert point == Point(3, 0, radius=2)
    assert box == Box(2, 0, 4, 8)


def test_the_message_names_the_item_that_lies_outside():
    items = [{"type": "point", "xy": [1, 1]}, {"type": "point", "xy": [900, 1]}]
    with pytest.raises(AnnotationError, match=r"annotations\[1\]: Point \(row=1, col=900\)"):
        annotations_from_json(items, (8, 8))


def test_the_message_names_the_item_that_is_wrong():
    items = [{"type": "point", "xy": [1, 1]}, {"type": "box", "xyxy": [3, 0, 1, 9]}]
    with pytest.raises(AnnotationError, match=r"annotations\[1\]: Box \(left=3, right=1\)"):
        annotations_from_json(items, (8, 8))


def test_ten_thousand_items_are_read_and_drawn():
    items = [{"type": "point", "xy": [i % 100, i // 100], "radius": 0.5} for i in range(10_000)]
    assert rasterize(annotations_from_json(items, (100, 100)), (100, 100)).positive.all()


def test_a_hundred_thousand_vertices_are_drawn():
    rng = np.random.default_rng(0)
    path = np.abs(np.cumsum(rng.normal(0, 3, (100_000, 2)), axis=0)) % 500
    near = np.abs(np.diff(path, axis=0)).max(axis=1) < 100  # lift the pen at the border
    strokes = np.split(path, np.flatnonzero(~near) + 1)
    marks = rasterize([Scribble(stroke, 2) for stroke in strokes], (500, 500))
    assert marks.positive[path[:, 0].astype(int), path[:, 1].astype(int)].all()
    assert not marks.positive.all()


def test_strokes_that_would_take_minutes_to_draw_are_refused():
    items = [{"type": "scribble", "xy": [[0, 0], [0, 5000]] * 10_000, "width": 3}]
    with pytest.raises(AnnotationError, match=r"cross .* rows of pixels"):
        annotations_from_json(items, (5000, 5000))
