"""References survive as JSON, whatever their pixels are; damaged ones are refused by name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Point, Scribble
from vrpsam_app.errors import ConfigError
from vrpsam_app.references import Reference
from vrpsam_app.stored_references import references_from_json, references_to_json


def picture(dtype: str, channels: int | None = None) -> np.ndarray:
    shape = (20, 31) if channels is None else (20, 31, channels)
    values = np.random.default_rng(3).random(shape)
    if dtype == "bool":
        return values > 0.5
    kind = np.dtype(dtype)
    return (values * (1 if kind.kind == "f" else np.iinfo(kind).max)).astype(kind)


def reference(image: np.ndarray, **settings: Any) -> Reference:
    return Reference.from_annotations(
        image, [Box(2, 3, 9, 12), Point(15, 20, positive=False)], **settings
    )


def through_json(*references: Reference) -> tuple[Reference, ...]:
    return references_from_json(json.loads(json.dumps(references_to_json(references))))


@pytest.mark.parametrize("channels", [None, 3, 4])
@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int16", "uint16", "uint32", "float16", "float32", "float64", ">u2"]
)
def test_references_come_back_equal(dtype: str, channels: int | None):
    before = reference(picture(dtype, channels), exhaustive=True, label="Zellkern ø")

    (after,) = through_json(before)

    assert after.content_key == before.content_key
    assert after.image.dtype == before.image.dtype
    np.testing.assert_array_equal(after.image, before.image)
    np.testing.assert_array_equal(after.positive, before.positive)
    np.testing.assert_array_equal(after.negative, before.negative)
    assert (after.kind, after.exhaustive, after.label) == ("box", True, "Zellkern ø")


def test_not_a_number_survives():
    image = picture("float32")
    image[0, :3] = np.nan, np.inf, -np.inf
    (after,) = through_json(reference(image))
    np.testing.assert_array_equal(after.image, image)


def test_not_this_references_come_back():
    before = reference(picture("uint8", 3)).as_not_this()
    (after,) = through_json(before)
    assert after.is_not_this
    assert after.content_key == before.content_key


def test_one_picture_with_several_references_is_stored_once():
    image = picture("uint8", 3)
    several = [
        reference(image, label="a"),
        Reference.from_annotations(image, [Scribble(((3, 3), (9, 9)), width=2)], label="b"),
    ]
    data = references_to_json(several)
    assert len(data["images"]) == 1
    assert [r.label for r in references_from_json(data)] == ["a", "b"]


def damaged(change: Any) -> dict[str, Any]:
    data = json.loads(json.dumps(references_to_json([reference(picture("uint16"))])))
    change(data)
    return data


def first_image(data: dict[str, Any]) -> dict[str, Any]:
    return next(iter(data["images"].values()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("references"), "references is None"),
        (lambda d: d.update(references={}), "references is {}"),
        (lambda d: d.update(images=[]), r"images is \[\]"),
        (lambda d: d["references"][0].update(kind="circle"), "Kind 'circle' is unknown"),
        (lambda d: d["references"][0].update(exhaustive=1), "exhaustive is 1"),
        (lambda d: d["references"][0].update(label=None), "label is None"),
        (lambda d: d["references"][0].update(label="  "), "label"),
        (lambda d: d["references"][0].update(image="gone"), "its image gone is missing"),
        (lambda d: d["references"][0].update(positive="?"), r"references\[0\] cannot be read"),
        (lambda d: d["references"][0].update(positive="AAAA"), r"references\[0\] cannot be read"),
        (lambda d: d["references"][0].update(exhaustive=True), "not what was recorded"),
        (lambda d: first_image(d).update(format="gif"), "expected 'png' or 'zlib'"),
        (lambda d: first_image(d).update(data="AAAA"), "cannot be read"),
        (lambda d: first_image(d).update(dtype="O"), "cannot be read"),
        (lambda d: first_image(d).update(dtype="nonsense"), "cannot be read"),
        (lambda d: first_image(d).update(shape=[20, 32]), "bytes of pixels"),
        (lambda d: first_image(d).update(shape=[10, 31]), "bytes of pixels"),
        (lambda d: first_image(d).update(shape=[10**6, 10**6]), "shape is"),
        (lambda d: first_image(d).update(shape=[20, 31, -1]), "shape is"),
    ],
)
def test_damaged_references_are_refused(change: Any, message: str):
    with pytest.raises(ConfigError, match=message):
        references_from_json(damaged(change))
