"""Which class each number of a result is: kept beside the pixels, in features and in metadata."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.label_images import MOST_OBJECTS, count_objects
from vrpsam_app.objects.tables import classes_in

INDEX, CLASS = "index", "class"
"""Columns of features: the number, as napari wants it, and the class."""


class NumberClasses:
    """The numbers of one result: the class of each, where there are several, and the largest.

    A worker writes while the window reads. A number that has a class keeps it until all numbers
    are given anew, so that what Ctrl+Z brings back is still of its class.

    Parameters
    ----------
    named : class by number; empty where nobody knows
    highest : largest number that was given
    """

    def __init__(self, named: Mapping[int, str] | None = None, highest: int = 0) -> None:
        self._lock = threading.Lock()
        self._named = dict(named or {})
        self._highest = max([highest, *self._named])

    def __bool__(self) -> bool:
        return bool(self._named)

    @property
    def highest(self) -> int:
        """The largest number that was given."""
        return self._highest

    def now(self) -> dict[int, str]:
        """Return class by number, as it is now."""
        with self._lock:
            return dict(self._named)

    def take(self, named: Mapping[int, str], highest: int = 0) -> None:
        """Take classes of numbers, and that numbers were given up to `highest`."""
        with self._lock:
            self._named |= named
            self._highest = max([self._highest, highest, *named])

    def replace(self, named: Mapping[int, str], highest: int) -> None:
        """Take the classes of all numbers; those before are gone."""
        with self._lock:
            self._named = dict(named)
            self._highest = highest


def class_plane(
    values: NDArray[Any], named: Mapping[int, str], labels: tuple[str, ...]
) -> NDArray[np.int32]:
    """Return the class of each pixel, shape (rows, cols): 1 + its place in `labels`.

    0 where nothing is, 1 + the number of labels where nobody knows.
    """
    counts = count_objects(values)
    places = {label: place for place, label in enumerate(labels, start=1)}
    unknown = 1 + len(labels)
    table = [0, *(places.get(named.get(n, ""), unknown) for n in counts.ids.tolist())]
    return np.asarray(table, np.int32)[counts.dense]


def as_features(named: Mapping[int, str]) -> dict[str, list[Any]]:
    """Return the features of a layer that name classes and nothing else."""
    numbers = sorted(named)
    return {INDEX: numbers, CLASS: [named[number] for number in numbers]}


def from_features(features: Any) -> dict[int, str]:
    """Return class by number as a layer's features name them; empty where they do not."""
    return {} if features is None else classes_in(features, INDEX)


def name_only(features: Any) -> bool:
    """Whether features hold nothing beside numbers and classes, so that nothing was measured."""
    return features is None or not len(features) or set(features.columns) <= {INDEX, CLASS}


def as_metadata(named: Mapping[int, str]) -> dict[str, list[int]]:
    """Return the numbers of each class, as a layer's metadata hold them."""
    said: dict[str, list[int]] = {}
    for number in sorted(named):
        said.setdefault(named[number], []).append(number)
    return said


def from_metadata(said: object) -> dict[int, str]:
    """Return class by number; what metadata of others hold there is left alone."""
    named: dict[int, str] = {}
    if isinstance(said, Mapping):
        for name, numbers in said.items():
            if isinstance(numbers, list | tuple):
                named |= {n: str(name) for n in numbers if _is_number(n)}
    return named


def _is_number(value: object) -> bool:
    return isinstance(value, int) and 0 < value <= MOST_OBJECTS
