"""The parts of a mask, cut into objects where marks touch them, while it changes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.objects.instances import width_of
from vrpsam_app.objects.watersheds import split_mask

Window = tuple[slice, slice]

REACH = 6.0
"""Half the side of what is looked at around a mark first, in typical diameters."""


class MarkedParts:
    """A mask whose connected parts are counted once, and cut only where that is asked for.

    Parameters
    ----------
    mask : shape (H, W), bool
        Copied.
    diameter : typical one, in pixels; None finds it once there is something
    objects : shape (H, W), int32
        Of a method that told objects apart: these are not cut anew.
    """

    def __init__(
        self,
        mask: NDArray[np.bool_],
        diameter: float | None,
        objects: NDArray[np.int32] | None = None,
    ) -> None:
        self.mask = mask.copy()
        self._diameter = diameter
        self._objects = None if objects is None else np.where(mask, objects, 0)
        self._labels: NDArray[np.int32] | None = None
        self._boxes: list[Window] = []
        self._sizes = np.zeros(0, np.int64)
        self._cuts: dict[int, list[tuple[Window, NDArray[np.int32]]]] = {}

    def at(self, where: NDArray[np.bool_]) -> Iterator[tuple[Window, NDArray[np.bool_]]]:
        """Yield the objects that some pixels lie in, each in its window."""
        if self._objects is None:
            yield from self._cut_at(where & self.mask)
            return
        touched = self._objects[where & self.mask]
        for number in np.unique(touched[touched > 0]):
            inside = self._objects == number
            window = window_of(inside, 1)
            yield window, inside[window]
        yield from self._cut_at(where & self.mask & (self._objects == 0))

    def whole_at(self, where: NDArray[np.bool_]) -> Iterator[tuple[Window, NDArray[np.bool_]]]:
        """Yield the connected parts that some pixels lie in."""
        for number in np.unique(self._parts()[where & self.mask]):
            window = self._window(int(number))
            yield window, (self._parts()[window] == number) & self.mask[window]

    def sizes_beside(
        self, window: Window, inside: NDArray[np.bool_]
    ) -> tuple[bool, NDArray[np.int64]]:
        """Return whether an object is a connected part by itself, and how large the others are.

        Returns
        -------
        alone : whether nothing else hangs together with it
        sizes : of the other connected parts, and of the objects that it was cut from, in pixels
        """
        own = int(self._parts()[window][inside][0])
        area = np.count_nonzero(inside)
        alone = bool(self._sizes[own - 1] <= area)
        joined_with = [
            np.bincount(objects.ravel())[1:]
            for box, objects in self._cuts.get(own, [])
            if _holds(box, window)
        ]
        cut = joined_with[0] if joined_with and not alone else np.zeros(0, np.int64)
        others = np.delete(self._sizes, own - 1)
        sizes = np.concatenate([others, np.sort(cut)])
        if cut.size:  # one of them is the object itself
            sizes = np.delete(sizes, len(others) + int(np.argmin(np.abs(np.sort(cut) - area))))
        return alone, sizes

    def add(self, window: Window, where: NDArray[np.bool_]) -> None:
        """Add pixels; what was known of parts is no longer true."""
        self.mask[window] |= where
        self._labels = None

    def remove(self, window: Window, where: NDArray[np.bool_]) -> None:
        """Take pixels away; a part that falls apart by that still counts as one."""
        gone = where & self.mask[window]
        self.mask[window][gone] = False
        if self._objects is not None:
            self._objects[window][gone] = 0
        if self._labels is not None and gone.any():
            numbers, lost = np.unique(self._labels[window][gone], return_counts=True)
            self._labels[window][gone] = 0
            self._sizes[numbers - 1] -= lost
            rows, cols = (
                at + (span.start or 0) for at, span in zip(np.nonzero(gone), window, strict=True)
            )
            for number in numbers:
                for (down, across), objects in self._cuts.get(int(number), []):
                    held = (rows >= down.start) & (rows < down.stop)
                    held &= (cols >= across.start) & (cols < across.stop)
                    objects[rows[held] - down.start, cols[held] - across.start] = 0

    def renew(self) -> None:
        """Look anew at what hangs together."""
        self._labels = None

    def _parts(self) -> NDArray[np.int32]:
        from scipy import ndimage

        if self._labels is None:
            self._labels, _ = ndimage.label(self.mask)
            self._boxes = ndimage.find_objects(self._labels)
            self._sizes = np.bincount(self._labels.ravel())[1:]
            self._cuts.clear()
        return self._labels

    def _window(self, number: int) -> Window:
        rows, cols = self._boxes[number - 1]
        return (
            slice(max(rows.start - 1, 0), rows.stop + 1),
            slice(max(cols.start - 1, 0), cols.stop + 1),
        )

    def _cut_at(self, where: NDArray[np.bool_]) -> Iterator[tuple[Window, NDArray[np.bool_]]]:
        for number in np.unique(self._parts()[where]):
            box = self._window(int(number))
            window = self._near(box, where & (self._parts() == number))
            while True:
                objects = self._cut(int(number), window)
                touched = objects[where[window]]
                chosen = np.unique(touched[touched > 0])
                if window == box or not _reaches_side(objects, chosen, window, box):
                    break
                window = _widened(window, box)
            for each in chosen:
                yield window, objects == each

    def _near(self, box: Window, where: NDArray[np.bool_]) -> Window:
        """Return the part of a window that lies around some pixels."""
        if self._diameter is None:
            self._diameter = width_of(self.mask)
        reach = int(np.ceil(REACH * self._diameter))
        rows, cols = (
            slice(max(span.start - reach, full.start), min(span.stop + reach, full.stop))
            for span, full in zip(window_of(where, 0), box, strict=True)
        )
        return rows, cols

    def _cut(self, number: int, window: Window) -> NDArray[np.int32]:
        known = self._cuts.setdefault(number, [])
        for box, objects in known:
            if box == window:
                return objects
        inside = self._parts()[window] == number
        objects = split_mask(inside, "distance", diameter=self._diameter or width_of(inside))
        known.append((window, objects))
        return objects


def joined(mask: NDArray[np.bool_], where: NDArray[np.bool_], diameter: float) -> NDArray[np.bool_]:
    """Return the objects of a mask that some pixels lie in, together."""
    together = np.zeros(mask.shape, np.bool_)
    for window, inside in MarkedParts(mask, diameter).at(where):
        together[window] |= inside
    return together


def window_of(inside: NDArray[np.bool_], margin: int) -> Window:
    """Return the rows and columns that hold some pixels, and so many more on each side."""
    rows, cols = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + 1 + margin),
        slice(max(int(cols[0]) - margin, 0), int(cols[-1]) + 1 + margin),
    )


def _holds(box: Window, window: Window) -> bool:
    pairs = zip(box, window, strict=True)
    return all(out.start <= span.start and span.stop <= out.stop for out, span in pairs)


def _reaches_side(
    objects: NDArray[np.int32], chosen: NDArray[np.int32], window: Window, box: Window
) -> bool:
    """Tell whether an object ends at a side of the window where the part goes on."""
    for axis, (span, full) in enumerate(zip(window, box, strict=True)):
        if span.start > full.start and np.isin(objects.take(0, axis), chosen).any():
            return True
        if span.stop < full.stop and np.isin(objects.take(-1, axis), chosen).any():
            return True
    return False


def _widened(window: Window, box: Window) -> Window:
    """Return a window of twice the side around the same middle, within the box."""
    rows, cols = (
        slice(
            max(span.start - (span.stop - span.start) // 2 - 1, full.start),
            min(span.stop + (span.stop - span.start) // 2 + 1, full.stop),
        )
        for span, full in zip(window, box, strict=True)
    )
    return rows, cols
