"""Fields of foreign JSON: what fits comes through, what does not is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.json_fields import (
    json_bool,
    json_image_shape,
    json_list,
    json_object,
    json_plain,
    json_text,
    json_whole,
)


def test_what_fits_comes_through():
    assert json_object({"a": 1}, "x") == {"a": 1}
    assert json_list([1, None], "x", 2) == [1, None]
    assert json_text("", "x") == ""
    assert json_bool(False, "x") is False
    assert json_whole(3, "x", least=3) == 3
    assert json_plain({"a": (1, 2.5, None, True, "b")}, "x") == {"a": [1, 2.5, None, True, "b"]}
    assert json_image_shape([3, 4], "x", 12) == (3, 4)
    assert json_image_shape([3, 4, 4], "x", 12) == (3, 4, 4)


@pytest.mark.parametrize(
    "check",
    [
        lambda: json_object([], "images.a"),
        lambda: json_list({}, "images.a", 2),
        lambda: json_list([1, 2, 3], "images.a", 2),
        lambda: json_text(None, "images.a"),
        lambda: json_bool(1, "images.a"),
        lambda: json_whole(True, "images.a"),
        lambda: json_whole(-1, "images.a"),
        lambda: json_whole(1.0, "images.a"),
        lambda: json_plain(float("inf"), "images.a"),
        lambda: json_plain({1: 2}, "images.a"),
        lambda: json_plain({1, 2}, "images.a"),
        lambda: json_image_shape([3, 4], "images.a", 11),
        lambda: json_image_shape([3], "images.a", 11),
        lambda: json_image_shape([3, 3, 5], "images.a", 11),
        lambda: json_image_shape([1, 2, 3, 1], "images.a", 11),
        lambda: json_image_shape([3.0, 3], "images.a", 11),
        lambda: json_image_shape([0, 3], "images.a", 11),
        lambda: json_image_shape("33", "images.a", 11),
    ],
)
def test_what_does_not_fit_is_named(check: Callable[[], object]):
    with pytest.raises(ConfigError, match=r"^images\.a is .*: expected .*use a copy"):
        check()


def test_plain_values_are_not_nested_without_end():
    deep: object = 0
    for _ in range(9):
        deep = [deep]
    with pytest.raises(ConfigError, match=r"x(\[0\]){8} is \[0\]: expected .*few levels"):
        json_plain(deep, "x")


def test_long_values_are_cut_short():
    with pytest.raises(ConfigError) as caught:
        json_bool("x" * 10_000, "label")
    assert len(str(caught.value)) < 300
