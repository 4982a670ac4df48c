"""What every format exchanges: numbered objects of one picture, with their classes and scores."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError, ImageError, ObjectFileError
from vrpsam_app.exchange.outlines import Patch
from vrpsam_app.image_files import MAX_PIXELS
from vrpsam_app.label_images import MOST_OBJECTS, ObjectCounts, check_labels, count_objects

DEFAULT_CLASS = "object"
"""Class of objects that have none."""


@dataclass(frozen=True, eq=False)
class ObjectPlane:
    """Objects of one picture, or of one plane of a stack.

    Attributes
    ----------
    labels : shape (H, W), int32
        Number of the object of each pixel, 0 for none.
    name : file name of the picture that they belong to
    classes : class by number; objects without one are of `DEFAULT_CLASS`
    scores : how sure each is, in [0, 1], where that is known
    position : place in a stack, by axis, from 0, such as ``{"t": 0, "z": 3}``

    Raises
    ------
    ImageError
        If the labels are no plane of object numbers.
    """

    labels: NDArray[np.int32]
    name: str
    classes: Mapping[int, str] = field(default_factory=dict)
    scores: Mapping[int, float] = field(default_factory=dict)
    position: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        labels = check_labels(self.labels, name=f"The label image of {self.name}")
        if labels.ndim != 2 or 0 in labels.shape:
            raise ImageError(
                f"The label image of {self.name} has shape {labels.shape}: expected (H, W)."
            )
        object.__setattr__(self, "labels", labels.astype(np.int32, copy=False))
        for name in ("classes", "scores", "position"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.labels.shape
        return height, width

    @cached_property
    def counts(self) -> ObjectCounts:
        """The objects without gaps in their numbers."""
        return count_objects(self.labels)

    def along(self, axes: Collection[str]) -> ObjectPlane:
        """Return the objects as they lie in a stack of these axes.

        Others at whose beginning they are go: ImageJ counts along axes of length one as well. What
        it calls a slice lies along the only axis of a stack, also if that is time.
        """
        position = {axis: at for axis, at in self.position.items() if at or axis in axes}
        if len(axes) == 1 and self.position.keys() == {"z"}:
            position = dict.fromkeys(axes, self.position["z"])
        return self if position == dict(self.position) else replace(self, position=position)

    def renumbered(self, taken: Collection[int]) -> ObjectPlane:
        """Return the objects with the first free numbers in the place of those that are taken."""
        ids = self.counts.ids.tolist()
        used = {*taken, *ids}
        free = (number for number in itertools.count(1) if number not in used)
        new = {number: next(free) if number in taken else number for number in ids}
        if list(new) == list(new.values()):
            return self
        labels = np.array([0, *new.values()], np.int32)[self.counts.dense]
        classes = {new[number]: name for number, name in self.classes.items() if number in new}
        scores = {new[number]: score for number, score in self.scores.items() if number in new}
        return replace(self, labels=labels, classes=classes, scores=scores)

    def class_of(self, number: int) -> str:
        """Return the class of an object."""
        return self.classes.get(number) or DEFAULT_CLASS

    def objects(self) -> Iterator[tuple[int, Patch]]:
        """Yield number and mask of each object, by number."""
        from scipy import ndimage

        counts = self.counts
        windows = ndimage.find_objects(counts.dense)
        for index, (rows, cols) in enumerate(windows):
            mask = counts.dense[rows, cols] == index + 1
            yield int(counts.ids[index]), Patch(rows.start, cols.start, mask)


@dataclass(frozen=True, eq=False)
class FoundShape:
    """An object as it was read from a file.

    Attributes
    ----------
    patch : its pixels
    class_name : None if the file does not say
    number : None if the file does not say
    score : None if the file does not say
    """

    patch: Patch
    class_name: str | None = None
    number: int | None = None
    score: float | None = None


def plane_of(
    shapes: Sequence[FoundShape],
    hw: tuple[int, int],
    name: str,
    position: Mapping[str, int] | None = None,
) -> ObjectPlane:
    """Paint objects into one label image.

    Parameters
    ----------
    shapes : in the order of the file
        They keep their numbers if each has its own; else they are numbered in this order, from 1.
    hw, name, position : of the picture

    Returns
    -------
    plane : ObjectPlane
        A pixel that several objects claim goes to the smallest, so that none is lost below another.
    """
    numbers = [shape.number for shape in shapes]
    kept = [n for n in numbers if n is not None and 0 < n <= MOST_OBJECTS]
    if len(set(kept)) < len(shapes):
        kept = list(range(1, len(shapes) + 1))
    labels = np.zeros(hw, np.int32)
    areas = [-int(shape.patch.mask.sum()) for shape in shapes]
    for index in np.argsort(areas, kind="stable"):
        patch = shapes[index].patch
        labels[patch.window][patch.mask] = kept[index]
    return ObjectPlane(
        labels,
        name,
        {n: s.class_name for n, s in zip(kept, shapes, strict=True) if s.class_name},
        {n: s.score for n, s in zip(kept, shapes, strict=True) if s.score is not None},
        position or {},
    )


def joined_planes(planes: Sequence[ObjectPlane]) -> ObjectPlane:
    """Return the objects of planes that lie at one place, which is that of the first.

    Objects whose number an earlier plane has get the first free one.
    """
    first, *others = planes
    if not others:
        return first
    taken: set[int] = set()
    shapes: list[FoundShape] = []
    for given in planes:
        plane = given.renumbered(taken)
        taken.update(plane.counts.ids.tolist())
        shapes += [
            FoundShape(patch, plane.classes.get(number), number, plane.scores.get(number))
            for number, patch in plane.objects()
        ]
    return plane_of(shapes, first.hw, first.name, first.position)


def placed_planes(
    planes: Sequence[ObjectPlane], axes: Sequence[str], shape: Sequence[int]
) -> dict[tuple[int, ...], ObjectPlane]:
    """Return the objects at each place of a stack.

    Parameters
    ----------
    planes : of one picture
        Where some have a place, those without one along an axis lie everywhere along it, as
        ImageJ shows regions without a position. If none has, they are of the first plane.
    axes, shape : of the stack, without rows and columns
    """
    somewhere = any(plane.position for plane in planes)
    here: dict[tuple[int, ...], list[ObjectPlane]] = {}
    # What lies at many places comes last: its numbers must be free at all of them.
    for plane in sorted(planes, key=lambda plane: len(plane.position), reverse=True):
        places = [
            [plane.position[axis]] if axis in plane.position else range(size if somewhere else 1)
            for axis, size in zip(axes, shape, strict=True)
        ]
        where = list(itertools.product(*places))
        taken = {n for at in where for other in here.get(at, ()) for n in other.counts.ids.tolist()}
        spread = plane if len(plane.position) == len(axes) else plane.renumbered(taken)
        for at in where:
            position = dict(zip(axes, at, strict=True))
            here.setdefault(at, []).append(replace(spread, position=position))
    return {place: joined_planes(same) for place, same in sorted(here.items())}


def class_names(planes: Sequence[ObjectPlane], names: Sequence[str] | None = None) -> list[str]:
    """Return the classes of planes, in a fixed order.

    Parameters
    ----------
    planes : whose objects' classes are listed
    names : the classes and their order, if they are fixed beforehand; None sorts those there are

    Raises
    ------
    ConfigError
        If an object has a class that is not among `names`, or a name comes twice.
    """
    found = sorted({p.class_of(int(n)) for p in planes for n in p.counts.ids})
    if names is None:
        return found or [DEFAULT_CLASS]
    if len(set(names)) < len(names):
        raise ConfigError(f"The classes {', '.join(names)}: expected each once.")
    if unknown := [name for name in found if name not in names]:
        raise ConfigError(
            f"The class {unknown[0]!r} is unknown: expected {', '.join(names)}. Add it to the "
            "classes, or leave its objects out."
        )
    return list(names)


def check_size(height: object, width: object, name: str) -> tuple[int, int]:
    """Return the size of a picture as a file states it.

    Raises
    ------
    ObjectFileError
        If it is no size, or that of a picture larger than any that is read.
    """
    for side in (height, width):
        if not isinstance(side, int) or isinstance(side, bool) or side < 1:
            raise ObjectFileError(
                f"{name} is {height!r} x {width!r} pixels: expected two whole numbers above 0."
            )
    if height * width > MAX_PIXELS:  # type: ignore[operator]  # both are whole numbers
        raise ObjectFileError(
            f"{name} is {height} x {width} pixels: at most {MAX_PIXELS} are read. Crop the picture "
            "and its objects."
        )
    return height, width  # type: ignore[return-value]
