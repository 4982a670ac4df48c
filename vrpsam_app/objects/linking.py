"""One id for one object through the planes of a stack, by what overlaps from plane to plane."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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

NARROW, WIDER = 0.5, 1.2
"""A neck: narrowed to this share of the largest area, and then wider by this factor."""


@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    """Objects of a plane, the ids they were given, and how large each has been at most."""

    counts: ObjectCounts
    ids: NDArray[np.int64]
    largest: NDArray[np.int64]


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
        ``separate``: nothing is linked, and each plane counts from 1.
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

    def along(self, axis: str) -> LinkOptions:
        """Return the options for an axis: only along z does a neck say that there are two."""
        return self if axis == "z" else replace(self, through_necks=True)


DEFAULT_LINKS = LinkOptions()


class Linker:
    """Gives ids to the objects of one plane after the other.

    It holds the last plane, and one more for each gap that is allowed, however long the stack is.
    The same planes in the same order give the same ids.

    Parameters
    ----------
    options : LinkOptions

    Examples
    --------
    >>> linker = Linker()
    >>> linker.add([[1, 1, 0, 2]]).tolist(), linker.add([[9, 9, 0, 0]]).tolist()
    ([[1, 1, 0, 2]], [[1, 1, 0, 0]])
    """

    def __init__(self, options: LinkOptions = DEFAULT_LINKS) -> None:
        self.options = options
        self._last_id = 0
        self._planes = 0
        self._recent: deque[_Plane] = deque(maxlen=options.gaps + 1)  # the newest first

    def add(self, labels: ArrayLike) -> NDArray[np.int32]:
        """Give the objects of the next plane their ids.

        Parameters
        ----------
        labels : shape (H, W), or (planes, H, W) to link whole volumes, integer
            Any numbers, 0 for background; the same shape each time.

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
        plane = _Plane(counts, np.zeros(len(counts.ids), np.int64), counts.pixels.copy())
        if self.options.rule == "match":
            self._continue(plane)
        elif self.options.rule == "separate":
            self._last_id = 0
        new = plane.ids == 0
        if self._last_id + new.sum() > MOST_OBJECTS:
            raise ImageError(f"There are more than {MOST_OBJECTS} objects: link shorter stacks.")
        plane.ids[new] = self._last_id + np.arange(1, new.sum() + 1)
        self._last_id += int(new.sum())
        self._planes += 1
        self._recent.appendleft(plane)
        table = np.concatenate([[0], plane.ids]).astype(np.int32)
        return renumbered(counts.dense, table)

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
        # Of equally good ones that with the lower id, and the first object.
        order = np.lexsort((pairs.second, earlier.ids[pairs.first], -pairs.iou))
        for index in order[allowed[order]].tolist():
            yield int(pairs.first[index]), int(pairs.second[index])


def link_planes(
    planes: Iterable[ArrayLike],
    options: LinkOptions = DEFAULT_LINKS,
    *,
    axes: Sequence[str] = ("z",),
    leading_shape: Sequence[int] | None = None,
) -> Iterator[NDArray[np.int32]]:
    """Give the objects of planes their ids as they come.

    Parameters
    ----------
    planes : each of shape (H, W), integer
        From anywhere: an array, a file read plane by plane, a segmentation under way.
    options : LinkOptions
    axes : names of the leading axes, such as ``("t", "z")``, the last one running fastest
        Along ``z`` planes are linked to volumes, which are then linked along ``t``.
    leading_shape : their lengths, where there are several

    Yields
    ------
    linked : shape (H, W), int32
        One for each plane; as soon as it was read for one axis, after each volume for several. No
        more than two volumes are held, and one more for each gap.

    Raises
    ------
    ImageError
        As for :meth:`Linker.add`, or if planes are lacking.
    """
    linker = Linker(options.along(axes[0]))
    if len(axes) == 1:
        for plane in planes:
            yield linker.add(plane)
        return
    if leading_shape is None or len(leading_shape) != len(axes):
        raise ImageError(
            f"The axes are {', '.join(axes)} and their lengths {leading_shape}: expected one for "
            "each axis."
        )
    source, inner = iter(planes), leading_shape[1:]
    for _ in range(leading_shape[0]):
        part = itertools.islice(source, math.prod(inner))
        volume = list(link_planes(part, options, axes=axes[1:], leading_shape=inner))
        if len(volume) != math.prod(inner):
            raise ImageError(
                f"The stack ends after {len(volume)} of {math.prod(inner)} planes along "
                f"{', '.join(axes[1:])}: expected {tuple(leading_shape)} planes along "
                f"{', '.join(axes)}."
            )
        yield from linker.add(np.stack(volume))


def link(
    labels: ArrayLike,
    options: LinkOptions = DEFAULT_LINKS,
    *,
    axes: Sequence[str] | None = None,
) -> NDArray[np.int32]:
    """Give the objects of a stack in memory their ids.

    Parameters
    ----------
    labels : shape (planes, H, W), or with more leading axes, such as (t, z, H, W), integer
    options : LinkOptions
    axes : names of the leading axes; None takes ``z`` for one, ``t, z`` for two

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
    for index, plane in enumerate(link_planes(planes, options, axes=names, leading_shape=leading)):
        linked[index] = plane
    return linked.reshape(stack.shape)
