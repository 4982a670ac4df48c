"""Which class each number of a result is: kept beside the pixels, in features and in metadata."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.label_images import MOST_OBJECTS, count_objects
from vrpsam_app.objects.tables import classes_in, measured_columns

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


def holds_measured(features: Any) -> bool:
    """Whether features hold what this program measures."""
    return features is not None and len(features) > 0 and bool(measured_columns(features.columns))


def without_measured(features: Any) -> Any:
    """Return the features that a person wrote beside numbers and classes, None for no such.

    A table of times keeps the columns before the number: they say of which time a row is.
    """
    if features is None or not len(features):
        return None
    if INDEX not in features:
        features = features.assign(**{INDEX: features.index})
    names = list(features.columns)
    measured = measured_columns(names)
    times = names[: names.index(INDEX)] if measured else []
    written = [name for name in names if name not in {*measured, *times, INDEX, CLASS}]
    kept = features.drop(columns=measured).dropna(how="all", subset=written)
    kept = kept[kept[INDEX].notna()].astype({INDEX: int})
    return kept if written and len(kept) else None


def named_anew(features: Any, named: Mapping[int, str]) -> Any:
    """Return features that name classes; of those of now what a person wrote stays, by number.

    Parameters
    ----------
    features : of the layer
    named : class by number; empty where numbers have none
    """
    kept = without_measured(features)
    if kept is None:
        return as_features(named)
    kept = kept.drop(columns=CLASS, errors="ignore")
    if not named:
        return kept
    kept = kept[kept[INDEX].isin(list(named))].reset_index(drop=True)
    numbers = [*kept[INDEX], *(named.keys() - set(kept[INDEX]))]
    rows = kept.reindex(range(len(numbers)))
    rows[INDEX] = numbers
    rows.insert(rows.columns.get_loc(INDEX) + 1, CLASS, rows[INDEX].map(named))
    return rows.sort_values(INDEX, kind="stable", ignore_index=True)


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
