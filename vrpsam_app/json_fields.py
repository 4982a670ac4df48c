"""Fields of a JSON document that may come from anyone, checked one by one."""

from __future__ import annotations

import math
from typing import Any

from vrpsam_app.errors import ConfigError


def json_object(value: object, where: str) -> dict[str, Any]:
    """Return `value` if it is a JSON object.

    Raises
    ------
    ConfigError
        If it is anything else; the message names the field by `where`, as those below do.
    """
    if not isinstance(value, dict):
        raise _unexpected(value, where, "a JSON object")
    return value


def json_list(value: object, where: str, most: int) -> list[object]:
    """Return `value` if it is a list of at most `most` items."""
    if not isinstance(value, list) or len(value) > most:
        raise _unexpected(value, where, f"a list of at most {most} items")
    return value


def json_text(value: object, where: str) -> str:
    """Return `value` if it is a string."""
    if not isinstance(value, str):
        raise _unexpected(value, where, "text")
    return value


def json_bool(value: object, where: str) -> bool:
    """Return `value` if it is true or false."""
    if not isinstance(value, bool):
        raise _unexpected(value, where, "true or false")
    return value


def json_whole(value: object, where: str, *, least: int = 0) -> int:
    """Return `value` if it is a whole number of at least `least`."""
    if type(value) is not int or value < least:
        raise _unexpected(value, where, f"a whole number of at least {least}")
    return value


def json_plain(value: object, where: str, depth: int = 8) -> Any:
    """Return `value` if it consists of JSON values only, nested at most `depth` deep.

    Numbers must be finite, keys text; tuples become lists, as a file would give them back.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if depth > 0 and isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: json_plain(item, f"{where}.{key}", depth - 1) for key, item in value.items()}
    if depth > 0 and isinstance(value, list | tuple):
        return [json_plain(item, f"{where}[{i}]", depth - 1) for i, item in enumerate(value)]
    raise _unexpected(
        value, where, "text, a finite number, true, false, null, or few levels of these"
    )


def json_image_shape(value: object, where: str, max_pixels: int) -> tuple[int, ...]:
    """Return `value` as (H, W) or (H, W, channels) of an image of at most `max_pixels`."""
    if (
        not isinstance(value, list)
        or len(value) not in (2, 3)
        or not all(type(n) is int and n > 0 for n in value)
        or value[0] * value[1] > max_pixels
        or (len(value) == 3 and value[2] > 4)
    ):
        raise _unexpected(value, where, "[height, width] or [height, width, channels]")
    return tuple(value)


def _unexpected(value: object, where: str, expected: str) -> ConfigError:
    came = repr(value)
    came = came if len(came) <= 60 else came[:57] + "..."
    return ConfigError(
        f"{where} is {came}: expected {expected}. The file is damaged, was edited, or is not what "
        "it was taken for: use a copy of the original."
    )
