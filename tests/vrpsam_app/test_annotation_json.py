import base64

import numpy as np
import pytest

from vrpsam_app import annotation_json
from vrpsam_app.annotation_json import annotation_from_json, check_amount
from vrpsam_app.annotation_types import Mask
from vrpsam_app.errors import AnnotationError
from vrpsam_app.image_files import encode_png


def mask_item(array):
    return {"type": "mask", "png": base64.b64encode(encode_png(array)).decode()}


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (None, "expected an object"),
        ([1, 2], "expected an object"),
        ("point", "expected an object"),
        ({}, "Type None is unknown"),
        ({"type": "circle"}, "expected one of point, box"),
        ({"type": ["point"], "xy": [1, 2]}, "is unknown"),
        ({"type": "point"}, "xy is None"),
        ({"type": "point", "xy": [1]}, "expected \\[x, y\\]"),
        ({"type": "point", "xy": [1, 2, 3]}, "expected \\[x, y\\]"),
        ({"type": "point", "xy": ["1", 2]}, "expected \\[x, y\\]"),
        ({"type": "point", "xy": [True, 2]}, "expected \\[x, y\\]"),
        ({"type": "point", "xy": {"x": 1}}, "expected \\[x, y\\]"),
        ({"type": "point", "xy": [float("nan"), 2]}, "col=nan"),
        ({"type": "point", "xy": [2, float("inf")]}, "row=inf"),
        ({"type": "point", "xy": [2, 10**400]}, "finite"),
        ({"type": "point", "xy": [1, 2], "radius": 0}, "radius=0"),
        ({"type": "point", "xy": [1, 2], "radius": "4"}, "radius='4'"),
        ({"type": "point", "xy": [1, 2], "positive": "no"}, "positive='no'"),
        ({"type": "point", "xy": [1, 2], "positive": None}, "positive=None"),
        ({"type": "point", "xy": [1, 2], "width": 3}, "no field 'width'"),
        ({"type": "point", "xy": [1, 2], 7: 3}, "no field 7"),
        ({"type": "box", "xyxy": [1, 2, 3]}, "x0, y0, x1, y1"),
        ({"type": "box", "xyxy": [1, 9, 3, 2]}, "upside down"),
        ({"type": "box", "xyxy": [1, 2, 1, 3]}, "empty"),
        ({"type": "scribble", "xy": []}, "one or more"),
        ({"type": "scribble", "xy": [1, 2]}, "A vertex is 1"),
        ({"type": "scribble", "xy": [[1, 2], [1, None]]}, "A vertex"),
        ({"type": "scribble", "xy": [[1, float("nan")]]}, "not finite"),
        ({"type": "scribble", "xy": [[1, 2]], "width": -1}, "width=-1"),
        ({"type": "mask"}, "png is None"),
        ({"type": "mask", "png": "not base64!"}, "not a base64 PNG"),
        ({"type": "mask", "png": "äöü"}, "not a base64 PNG"),
        ({"type": "mask", "png": base64.b64encode(b"text").decode()}, "not a base64 PNG"),
        ({"type": "mask", "png": "A" * 200_000}, "too many for a mask of 8 x 8"),
    ],
)
def test_what_is_no_annotation_is_refused(item, message):
    with pytest.raises(AnnotationError, match=message):
        annotation_from_json(item, (8, 8))


@pytest.mark.parametrize("items", [None, 3, "[]", {"type": "point"}], ids=repr)
def test_annotations_must_be_a_list(items):
    with pytest.raises(AnnotationError, match="expected a list"):
        check_amount(items, (8, 8))


def test_the_limits_hold_exactly():
    point, stroke = {"type": "point", "xy": [1, 1]}, {"type": "scribble", "xy": [[1, 1]] * 50_000}
    check_amount([point] * 10_000, (8, 8))
    with pytest.raises(AnnotationError, match="10001 annotations: at most 10000"):
        check_amount([point] * 10_001, (8, 8))
    check_amount([stroke, stroke], (8, 8))
    with pytest.raises(AnnotationError, match="100001 vertices: at most 100000"):
        check_amount([stroke, stroke, {"type": "scribble", "xy": [[1, 1]]}], (8, 8))


def test_masks_are_limited_by_their_pixels(monkeypatch):
    monkeypatch.setattr(annotation_json, "MAX_MASK_PIXELS", 150)
    item = mask_item(np.ones((8, 8), bool))
    check_amount([item, item], (8, 8))
    with pytest.raises(AnnotationError, match="3 masks of 8 x 8 pixels: at most 2"):
        check_amount([item] * 3, (8, 8))
    check_amount([item], (800, 800))


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.uint16])
def test_masks_of_any_depth_are_read(dtype):
    array = np.eye(6, 5).astype(dtype) * dtype(1)
    read = annotation_from_json(mask_item(array), (6, 5))
    assert isinstance(read, Mask)
    assert np.array_equal(read.mask, array != 0)


def test_opacity_alone_does_not_mark_a_pixel():
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[..., 3] = 255
    rgba[1, 2, 0] = 9
    assert np.argwhere(annotation_from_json(mask_item(rgba), (4, 4)).mask).tolist() == [[1, 2]]


def test_a_data_url_is_read():
    item = mask_item(np.eye(4, dtype=bool))
    item["png"] = "data:image/png;base64," + item["png"]
    assert annotation_from_json(item, (4, 4)).mask.sum() == 4


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(AnnotationError, match=r"The mask has 5 x 4 pixels.*the image has 4 x 5"):
        annotation_from_json(mask_item(np.ones((5, 4), bool)), (4, 5))


def test_a_mask_far_larger_than_the_image_is_refused_before_it_is_decoded():
    with pytest.raises(AnnotationError, match="900 x 900 pixels: at most 64"):
        annotation_from_json(mask_item(np.zeros((900, 900), bool)), (4, 4))
