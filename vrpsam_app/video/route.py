"""In which order the planes of a stack are gone through: along one axis, both ways from a start."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from vrpsam_app.errors import ConfigError
from vrpsam_app.images import plane_key
from vrpsam_app.references import Reference
from vrpsam_app.stacks.row_reader import in_memory
from vrpsam_app.stacks.stack import Stack

Index = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Leg:
    """Planes that are gone through in one go.

    Attributes
    ----------
    indices : in order
    known : how many of the first ones another leg writes; they only show where objects are
    """

    indices: tuple[Index, ...]
    known: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """All legs.

    Attributes
    ----------
    axis : along which
    start : plane at which every leg begins
    legs : tuple of Leg
    """

    axis: str
    start: int
    legs: tuple[Leg, ...]

    @classmethod
    def along(cls, stack: Stack, axis: str | None = None, start: int = 0) -> Route:
        """Plan the way through a stack.

        Parameters
        ----------
        stack : with one axis or more; those beside `axis` are gone through one by one
        axis : None takes t where there is one, else the last one
        start : plane along the axis that is marked; from there it goes on to the end, and then
            back to the beginning

        Raises
        ------
        ConfigError
            If there is no such axis or plane.
        """
        if not stack.axes:
            raise ConfigError(
                f"{stack.name} is a single plane: a memory needs an axis to go along."
            )
        axis = axis or ("t" if "t" in stack.axes else stack.axes[-1])
        if axis not in stack.axes:
            raise ConfigError(
                f"{stack.name} has no axis {axis!r}: expected one of {', '.join(stack.axes)}."
            )
        place = stack.axes.index(axis)
        length = stack.leading_shape[place]
        if not 0 <= start < length:
            raise ConfigError(
                f"Plane {start} of axis {axis} of {stack.name}: expected 0 to {length - 1}."
            )
        others = [range(n) for i, n in enumerate(stack.leading_shape) if i != place]
        legs = []
        for rest in itertools.product(*others):

            def at(number: int, rest: Index = rest) -> Index:
                return (*rest[:place], number, *rest[place:])

            legs.append(Leg(tuple(at(n) for n in range(start, length))))
            if start:
                legs.append(Leg(tuple(at(n) for n in range(start, -1, -1)), known=1))
        return cls(axis, start, tuple(legs))

    def __len__(self) -> int:
        return sum(len(leg.indices) for leg in self.legs)

    def leg_of(self, position: int) -> tuple[int, int]:
        """Return which leg a position belongs to, and at which position that leg begins."""
        begin = 0
        for number, leg in enumerate(self.legs):
            if position < begin + len(leg.indices):
                return number, begin
            begin += len(leg.indices)
        raise ConfigError(f"Position {position}: the way has {len(self)}.")


def marked_plane(stack: Stack, axis: str, references: Sequence[Reference]) -> int:
    """Return where along an axis the first plane is that a reference shows; 0 if none shows one.

    Planes are compared by their pixels, and read for that only if the references have their size
    and type.
    """
    place = stack.axes.index(axis)
    shape, dtype = stack.data.shape[len(stack.axes) :], stack.dtype.newbyteorder("=")
    keys = {
        r.image_key
        for r in references
        if r.positive.any() and r.image.shape == shape and r.image.dtype == dtype
    }
    if not keys:
        return 0
    for index in sorted(stack.indices(), key=lambda index: index[place]):
        if plane_key(in_memory(stack.data[index])) in keys:
            return index[place]
    return 0
