"""The four kinds of annotation - point, box, scribble, mask - and the rules each must satisfy.

Coordinates are continuous and in (row, column) order: pixel i covers [i, i + 1), so the centre of
the first pixel is 0.5. Boxes are half-open.
"""

from __future__ import annotations

import numbers
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.errors import AnnotationError

Kind = Literal["point", "scribble", "box", "mask"]

# Coordinates beyond this are refused, so that no later product of two of them overflows.
MAX_COORDINATE = 1e9


@dataclass(frozen=True, slots=True)
class Point:
    """A click, drawn as a disc of `radius` pixels.

    A `radius` of None stands for :func:`default_point_radius`.
    """

    row: float
    col: float
    positive: bool = True
    radius: float | None = None

    def __post_init__(self) -> None:
        _store_numbers(self, "row", "col")
        _store_size(self, "radius")
        _store_sign(self)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle [top, bottom) x [left, right) that an object fills for the most part."""

    top: float
    left: float
    bottom: float
    right: float
    positive: bool = True

    def __post_init__(self) -> None:
        _store_numbers(self, "top", "left", "bottom", "right")
        _store_sign(self)
        for low, high in (("top", "bottom"), ("left", "right")):
            a, b = getattr(self, low), getattr(self, high)
            if a == b:
                raise AnnotationError(
                    f"Box ({low}={a:g}, {high}={b:g}) is empty: {high} must be greater than {low}. "
                    "Draw it larger."
                )
            if a > b:
                state = "upside down" if low == "top" else "mirrored"
                raise AnnotationError(
                    f"Box ({low}={a:g}, {high}={b:g}) is {state}: {high} must be greater than "
                    f"{low}. Swap the two values."
                )


@dataclass(frozen=True, slots=True)
class Scribble:
    """A stroke along `vertices`, each (row, col).

    `width` is its diameter in pixels; None stands for twice :func:`default_point_radius`. Strokes
    thinner than one pixel are drawn one pixel wide, so that they stay connected.
    """

    vertices: tuple[tuple[float, float], ...]
    width: float | None = None
    positive: bool = True

    def __post_init__(self) -> None:
        try:
            array = np.asarray(self.vertices)
        except ValueError:  # rows of different length
            array = np.empty(0)
        if (
            array.ndim != 2
            or array.shape[1] != 2
            or not array.size
            or array.dtype.kind not in "iuf"
        ):
            raise AnnotationError(
                f"Scribble has the vertices {reprlib.repr(self.vertices)}: expected one or more "
                "pairs of numbers (row, col)."
            )
        array = array.astype(np.float64)
        if not (np.abs(array) <= MAX_COORDINATE).all():
            raise AnnotationError(
                "Scribble has a vertex that is not finite or lies beyond "
                f"{MAX_COORDINATE:g} pixels: expected positions in pixels of the image."
            )
        object.__setattr__(self, "vertices", tuple((row, col) for row, col in array.tolist()))
        _store_size(self, "width")
        _store_sign(self)


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A mask of the image's size, shape (H, W): anything not zero is marked.

    It is kept as a read-only boolean copy.
    """

    mask: NDArray[np.bool_]
    positive: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask", as_mask(self.mask))
        _store_sign(self)


Annotation = Point | Box | Scribble | Mask


def default_point_radius(hw: tuple[int, int]) -> float:
    """Return the radius in pixels of a click's disc on an image of size (height, width)."""
    return max(2.0, max(hw) / 128)


def as_annotations(annotations: Iterable[Any]) -> tuple[Annotation, ...]:
    """Return annotations as a tuple.

    Raises
    ------
    AnnotationError
        If it is a single one, or something else is among them.
    """
    try:
        given = tuple(annotations)
    except TypeError as error:
        raise AnnotationError(
            f"The annotations are {reprlib.repr(annotations)}: expected a list of them, such as "
            "[Point(row=20, col=30)]."
        ) from error
    for index, annotation in enumerate(given):
        if not isinstance(annotation, Annotation):
            raise AnnotationError(
                f"annotations[{index}] is {reprlib.repr(annotation)}: expected a Point, Box, "
                "Scribble or Mask, such as Point(row=20, col=30)."
            )
    return given


def as_mask(mask: ArrayLike) -> NDArray[np.bool_]:
    """Return a read-only boolean (H, W) mask, True where `mask` is not zero.

    It is a copy unless `mask` already is a read-only boolean array that owns its data.

    Raises
    ------
    AnnotationError
        If it is not two-dimensional, is empty, or holds NaN or anything but numbers.
    """
    try:
        array = np.asarray(mask)
    except (ValueError, TypeError, RuntimeError) as error:  # the last two: tensors of torch
        raise AnnotationError(f"Mask is no array ({error}): expected shape (H, W).") from error
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "buif":
        raise AnnotationError(
            f"Mask has shape {array.shape} and type {array.dtype}: expected (H, W) of booleans or "
            "numbers, zero where nothing is marked."
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise AnnotationError("Mask holds NaN: expected zero where nothing is marked.")
    if array.dtype == np.bool_ and array.base is None and not array.flags.writeable:
        return array
    marked: NDArray[np.bool_] = array.astype(np.bool_)
    marked.flags.writeable = False
    return marked


def check_same_size(
    shape: tuple[int, ...], expected: tuple[int, ...], what: str, other: str
) -> None:
    """Raise :class:`AnnotationError` if two (H, W) sizes differ; `what` measures `shape`."""
    if tuple(shape) != tuple(expected):
        raise AnnotationError(
            f"{what} has {shape[0]} x {shape[1]} pixels (rows x columns), {other} has "
            f"{expected[0]} x {expected[1]}: they must agree. Was one resized, cropped or turned?"
        )


def check_kind(kind: str) -> None:
    """Raise :class:`AnnotationError` if `kind` is not one of the four kinds of annotation."""
    if kind not in get_args(Kind):
        raise AnnotationError(f"Kind {kind!r} is unknown: expected {', '.join(get_args(Kind))}.")


def _store_numbers(annotation: Point | Box, *names: str) -> None:
    """Turn the named fields into plain floats, refusing what is no finite number."""
    for name in names:
        value = getattr(annotation, name)
        number = _as_float(value)
        if number is None:
            raise AnnotationError(
                f"{type(annotation).__name__} has {name}={reprlib.repr(value)}: expected a finite "
                f"number of pixels, at most {MAX_COORDINATE:g}."
            )
        object.__setattr__(annotation, name, number)


def _store_size(annotation: Point | Scribble, name: str) -> None:
    """Turn an optional radius or width into a plain float, refusing what is not positive."""
    value = getattr(annotation, name)
    if value is None:
        return
    number = _as_float(value)
    if number is None or number <= 0:
        raise AnnotationError(
            f"{type(annotation).__name__} has {name}={reprlib.repr(value)}: expected a number of "
            "pixels greater than zero, or None for the default."
        )
    object.__setattr__(annotation, name, number)


def _store_sign(annotation: Annotation) -> None:
    """Turn `positive` into a plain bool, refusing numbers and strings that only look like one."""
    value = annotation.positive
    if not isinstance(value, bool | np.bool_):
        raise AnnotationError(
            f"{type(annotation).__name__} has positive={reprlib.repr(value)}: expected True (the "
            "object) or False (not the object)."
        )
    object.__setattr__(annotation, "positive", bool(value))


def _as_float(value: object) -> float | None:
    """Return `value` as a float, or None if it is no finite number of a sensible size."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) <= MAX_COORDINATE else None
