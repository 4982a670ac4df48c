"""One id for one object through the planes of a stack, by what overlaps from plane to plane."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.errors import ConfigError, ImageError
from vrpsam_app.label_images import (
    MOST_OBJECTS,
    ObjectCounts,
    count_objects,
    renumbered,
    shared_pixels,
)
from vrpsam_app.option_text import TextOptions, check_choice, check_number, check_switch

LinkRule = Literal["match", "unique", "separate"]
Classes = Mapping[int, str]
"""Class by number; of a number that is not in it, or has an empty one, nobody knows."""

NARROW, WIDER = 0.5, 1.2
"""A neck: narrowed to this share of the largest area, and then wider by this factor."""


@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    """Objects of a plane, the ids they were given, and how large each has been at most.

    `kinds` are numbers of their classes, 0 where nobody knows.
    """

    counts: ObjectCounts
    ids: NDArray[np.int64]
    largest: NDArray[np.int64]
    kinds: NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions(TextOptions):
    """What the numbers of objects mean from one plane to the next.

    Attributes
    ----------
    rule : {"match", "unique", "separate"}
        ``match``: an object keeps its id where it goes on in the next plane. Each object goes on in
        one other at most; pairs that overlap best are linked first. What appears is new, and where
        an object divides the part that overlaps best keeps the id.
        ``unique``: nothing is linked, and no id comes twice in the stack.
        ``separate``: nothing is linked, and each plane counts from 1; where classes are known,
        each of them in ids of its own.
    min_overlap : share of the smaller of two objects that the other must cover to be the same
        Not their IoU, which is small above and below the middle of a round object.
    gaps : planes that an object may be missing in and still be the same
    through_necks : whether an object may narrow to less than half of its largest area and widen
        again; without, what widens is another one that lies on it

    Raises
    ------
    ConfigError
        If a value makes no sense.
    """

    rule: LinkRule = "match"
    min_overlap: float = 0.7
    gaps: int = 0
    through_necks: bool = False

    def __post_init__(self) -> None:
        check_choice(self, "rule")
        check_number(self, "min_overlap", 0, 1)
        check_number(self, "gaps", 0, 1000, whole=True)
        check_switch(self, "through_necks")
        if self.min_overlap is None or self.gaps is None:
            raise ConfigError("Min-overlap or gaps is None: expected a number.")

    def goes_through(self, axes: Sequence[str]) -> bool:
        """Tell whether an id is that of one object in several planes along these axes."""
        return bool(axes) and self.rule == "match"

    def along(self, axis: str) -> LinkOptions:
        """Return the options for an axis: only along z does a neck say that there are two."""
        return self if axis == "z" else replace(self, through_necks=True)


DEFAULT_LINKS = LinkOptions()


class Linker:
    """Gives ids to the objects of one plane after the other.

    It holds the last plane, and one more for each gap that is allowed, however long the stack is.
    The same planes in the same order give the same ids.

    Where classes are told, an id is that of one class: objects of two are never linked. What nobody
    knows the class of may go on as any, and then is of that one.

    Parameters
    ----------
    options : LinkOptions
    classes : of ids that are in use already
        New ids come after them; ``separate`` gives them again, each to its class.

    Examples
    --------
    >>> linker = Linker()
    >>> linker.add([[1, 1, 0, 2]]).tolist(), linker.add([[9, 9, 0, 0]]).tolist()
    ([[1, 1, 0, 2]], [[1, 1, 0, 0]])
    >>> told = Linker()
    >>> told.add([[1, 1]], {1: "nucleus"}).tolist(), told.add([[1, 1]], {1: "rod"}).tolist()
    ([[1, 1]], [[2, 2]])
    """

    def __init__(
        self, options: LinkOptions = DEFAULT_LINKS, *, classes: Classes | None = None
    ) -> None:
        self.options = options
        self._planes = 0
        self._recent: deque[_Plane] = deque(maxlen=options.gaps + 1)  # the newest first
        self._kinds: dict[str, int] = {"": 0}
        self._classes: dict[int, str] = dict(classes or {})
        self._last_id = max(self._classes, default=0)
        # What ``separate`` may give, by kind.
        self._free: dict[int, list[int]] = {0: []}
        for number, name in sorted(self._classes.items()):
            self._free.setdefault(self._kind(name), []).append(number)

    @property
    def classes(self) -> Classes:
        """Class of each id that was given; empty where none were told."""
        return MappingProxyType(self._classes)

    def add(self, labels: ArrayLike, classes: Classes | None = None) -> NDArray[np.int32]:
        """Give the objects of the next plane their ids.

        Parameters
        ----------
        labels : shape (H, W), or (planes, H, W) to link whole volumes, integer
            Any numbers, 0 for background; the same shape each time.
        classes : of these numbers

        Returns
        -------
        linked : same shape, int32

        Raises
        ------
        ImageError
            If the shape is another than before, the numbers are no object numbers, or there are
            more objects than ids.
        """
        counts = count_objects(labels)
        if self._recent and self._recent[0].counts.dense.shape != counts.dense.shape:
            raise ImageError(
                f"Plane {self._planes} has shape {counts.dense.shape}, those before it "
                f"{self._recent[0].counts.dense.shape}: expected planes of one size."
            )
        kinds = np.zeros(len(counts.ids), np.int32)
        if classes:
            kinds[:] = [self._kind(classes.get(number, "")) for number in counts.ids.tolist()]
        plane = _Plane(counts, np.zeros(len(counts.ids), np.int64), counts.pixels.copy(), kinds)
        if self.options.rule == "match":
            self._continue(plane)
        elif self.options.rule == "separate":
            self._give_again(plane)
        new = plane.ids == 0
        plane.ids[new] = self._fresh(int(new.sum()))
        if len(self._kinds) > 1:
            names = list(self._kinds)
            named = zip(plane.ids.tolist(), plane.kinds.tolist(), strict=True)
            self._classes |= {number: names[kind] for number, kind in named}
        self._planes += 1
        self._recent.appendleft(plane)
        table = np.concatenate([[0], plane.ids]).astype(np.int32)
        return renumbered(counts.dense, table)

    def _kind(self, name: str) -> int:
        return self._kinds.setdefault(name, len(self._kinds))

    def _fresh(self, count: int) -> NDArray[np.int64]:
        """Return ids that were never given."""
        if self._last_id + count > MOST_OBJECTS:
            raise ImageError(f"There are more than {MOST_OBJECTS} objects: link shorter stacks.")
        first, self._last_id = self._last_id + 1, self._last_id + count
        return np.arange(first, first + count)

    def _give_again(self, plane: _Plane) -> None:
        """Give each class its ids from the first one on."""
        for kind in np.unique(plane.kinds).tolist():
            own = np.flatnonzero(plane.kinds == kind)
            free = self._free.setdefault(kind, [])
            free += self._fresh(max(0, len(own) - len(free))).tolist()
            plane.ids[own] = free[: len(own)]

    def _continue(self, plane: _Plane) -> None:
        """Give objects that go on their ids; the newest plane that has an object speaks for it."""
        seen: set[int] = set()
        for earlier in self._recent:
            taken = set(seen)
            for first, second in self._candidates(earlier, plane):
                number = int(earlier.ids[first])
                if number not in taken and plane.ids[second] == 0:
                    plane.ids[second] = number
                    plane.largest[second] = max(plane.largest[second], earlier.largest[first])
                    plane.kinds[second] = plane.kinds[second] or earlier.kinds[first]
                    taken.add(number)
            seen = taken | set(earlier.ids.tolist())

    def _candidates(self, earlier: _Plane, plane: _Plane) -> Iterator[tuple[int, int]]:
        """Yield pairs of objects that may be one, by their index; the best first."""
        pairs = shared_pixels(earlier.counts, plane.counts)
        before, now = earlier.counts.pixels[pairs.first], plane.counts.pixels[pairs.second]
        allowed = pairs.pixels >= self.options.min_overlap * np.minimum(before, now)
        if not self.options.through_necks:
            narrow = before < NARROW * earlier.largest[pairs.first]
            allowed &= ~(narrow & (now > WIDER * before))
        if len(self._kinds) > 1:
            kind, other = earlier.kinds[pairs.first], plane.kinds[pairs.second]
            allowed &= (kind == other) | (kind == 0) | (other == 0)
        # Of equally good ones that with the lower id, and the first object.
        order = np.lexsort((pairs.second, earlier.ids[pairs.first], -pairs.iou))
        for index in order[allowed[order]].tolist():
            yield int(pairs.first[index]), int(pairs.second[index])


class LinkedPlanes(Iterator[NDArray[np.int32]]):
    """Planes with their ids, as they come.

    Parameters
    ----------
    planes : with ids, as the linker gives them
    linker : that gives the ids
    """

    def __init__(self, planes: Iterator[NDArray[np.int32]], linker: Linker) -> None:
        self._planes, self._linker = planes, linker

    def __next__(self) -> NDArray[np.int32]:
        """Return the next plane, shape (H, W)."""
        return next(self._planes)

    @property
    def classes(self) -> Classes:
        """Class of each id that came so far; empty where none were told."""
        return self._linker.classes


def link_planes(
    planes: Iterable[ArrayLike],
    options: LinkOptions = DEFAULT_LINKS,
    *,
    axes: Sequence[str] = ("z",),
    leading_shape: Sequence[int] | None = None,
    classes: Iterable[Classes] | None = None,
) -> LinkedPlanes:
    """Give the objects of planes their ids as they come.

    Parameters
    ----------
    planes : each of shape (H, W), integer
        From anywhere: an array, a file read plane by plane, a segmentation under way.
    options : LinkOptions
    axes : names of the leading axes, such as ``("t", "z")``, the last one running fastest
        Along ``z`` planes are linked to volumes, which are then linked along ``t``.
    leading_shape : their lengths, where there are several
    classes : of the numbers of each plane; objects of two classes are never linked
        ``itertools.repeat(classes)`` where a number is of the same class in all planes.

    Returns
    -------
    linked : yields int32 of shape (H, W), and knows the class of each id
        One for each plane; as soon as it was read for one axis, after each volume for several. No
        more than two volumes are held, and one more for each gap.

    Raises
    ------
    ImageError
        As for :meth:`Linker.add`, or if planes or their classes are lacking.
    """
    return _link(_paired(planes, classes), options, axes, leading_shape)


def _link(
    planes: Iterator[tuple[ArrayLike, Classes | None]],
    options: LinkOptions,
    axes: Sequence[str],
    leading_shape: Sequence[int] | None,
) -> LinkedPlanes:
    linker = Linker(options.along(axes[0]))
    if len(axes) == 1:
        return LinkedPlanes((linker.add(plane, names) for plane, names in planes), linker)
    if leading_shape is None or len(leading_shape) != len(axes):
        raise ImageError(
            f"The axes are {', '.join(axes)} and their lengths {leading_shape}: expected one for "
            "each axis."
        )
    return LinkedPlanes(_volumes(planes, linker, options, axes, leading_shape), linker)


def _volumes(
    planes: Iterator[tuple[ArrayLike, Classes | None]],
    linker: Linker,
    options: LinkOptions,
    axes: Sequence[str],
    leading_shape: Sequence[int],
) -> Iterator[NDArray[np.int32]]:
    """Link the planes of each volume, and then the volumes."""
    inner = leading_shape[1:]
    for _ in range(leading_shape[0]):
        part = _link(itertools.islice(planes, math.prod(inner)), options, axes[1:], inner)
        volume = list(part)
        if len(volume) != math.prod(inner):
            raise ImageError(
                f"The stack ends after {len(volume)} of {math.prod(inner)} planes along "
                f"{', '.join(axes[1:])}: expected {tuple(leading_shape)} planes along "
                f"{', '.join(axes)}."
            )
        yield from linker.add(np.stack(volume), part.classes)


def _paired(
    planes: Iterable[ArrayLike], classes: Iterable[Classes] | None
) -> Iterator[tuple[ArrayLike, Classes | None]]:
    """Yield each plane with the classes of its numbers."""
    names = None if classes is None else iter(classes)
    for number, plane in enumerate(planes):
        told = None if names is None else next(names, None)
        if names is not None and told is None:
            raise ImageError(
                f"There are no classes for plane {number}: expected those of each plane's numbers."
            )
        yield plane, told


def link(
    labels: ArrayLike,
    options: LinkOptions = DEFAULT_LINKS,
    *,
    axes: Sequence[str] | None = None,
    classes: Classes | None = None,
) -> NDArray[np.int32]:
    """Give the objects of a stack in memory their ids.

    Parameters
    ----------
    labels : shape (planes, H, W), or with more leading axes, such as (t, z, H, W), integer
    options : LinkOptions
    axes : names of the leading axes; None takes ``z`` for one, ``t, z`` for two
    classes : of the numbers, the same in all planes; objects of two classes are never linked
        :func:`link_planes` tells the class of each id as well.

    Returns
    -------
    linked : same shape, int32

    Raises
    ------
    ImageError
        If it is no stack of object numbers, or an axis has no name.

    Examples
    --------
    >>> link([[[1, 0, 2]], [[0, 0, 1]]]).tolist()
    [[[1, 0, 2]], [[0, 0, 2]]]
    """
    stack = np.asarray(labels)
    leading = stack.shape[:-2]
    names = tuple(("t", "z")[-len(leading) :] if axes is None else axes)
    if not leading or len(names) != len(leading):
        raise ImageError(
            f"The stack has shape {stack.shape} and the axes {names}: expected (planes, H, W), or "
            "a name for each axis before the rows."
        )
    planes = stack.reshape(-1, *stack.shape[-2:])
    linked = np.empty(planes.shape, np.int32)
    told = None if classes is None else itertools.repeat(classes)
    found = link_planes(planes, options, axes=names, leading_shape=leading, classes=told)
    for index, plane in enumerate(found):
        linked[index] = plane
    return linked.reshape(stack.shape)
