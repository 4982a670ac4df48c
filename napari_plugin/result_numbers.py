"""From answers to the numbers of a result layer: classes, or objects with ids through the stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_plugin.run_settings import RunSettings
from vrpsam_app.images import IntensityRange
from vrpsam_app.label_images import check_labels, count_objects, renumbered
from vrpsam_app.objects.linking import Linker, LinkOptions, link_planes
from vrpsam_app.objects.whole_objects import sifted
from vrpsam_app.references import Reference, labels_of
from vrpsam_app.segmenter import Prediction, class_labels
from vrpsam_app.stack_runs.object_planes import ObjectTask, object_task
from vrpsam_app.stacks.stack import Stack

Index = tuple[int, ...]
# Objects of a plane that was changed are those that they were if they still overlap at all.
_SAME_PLACE = LinkOptions(min_overlap=0.3, through_necks=True)


@dataclass(frozen=True, eq=False)
class Numbered:
    """The objects of a plane.

    Attributes
    ----------
    values : shape (H, W), int32
    classes : of the numbers
    """

    values: NDArray[np.int32]
    classes: Mapping[int, str]

    @classmethod
    def together(cls, cut: NDArray[np.int32], labels: Sequence[str]) -> Numbered:
        """Put the objects of all classes into one plane, (classes, H, W) -> (H, W), numbered on."""
        numbers = np.zeros(cut.shape[1:], np.int32)
        classes: dict[int, str] = {}
        for of_class, label in zip(cut, labels, strict=True):
            inside, first = of_class > 0, len(classes)
            numbers[inside] = of_class[inside] + first
            count = int(of_class.max(initial=0))
            classes |= dict.fromkeys(range(first + 1, first + count + 1), label)
        return cls(numbers, classes)

    def after(self, highest: int) -> Numbered:
        """Return the same objects under numbers that were never given."""
        values = np.where(self.values > 0, self.values + np.int32(highest), np.int32(0))
        return Numbered(values, {n + highest: name for n, name in self.classes.items()})

    def without_specks(self, task: ObjectTask, highest: int) -> Numbered:
        """Leave out what the filters do not let stay, but for what goes on from other planes.

        Parameters
        ----------
        task : how planes are cut; where it filters whole objects, these were not filtered yet
        highest : what goes on has a number up to this one
        """
        if not task.whole:
            return self
        labels = self.classes or labels_of(task.references)[0]
        kept, gone = sifted([self.values], task.filters, labels)
        stay = {n for n in (*kept, *gone) if n <= highest or n in kept}
        values = with_numbers(self.values, {n: n for n in stay})
        return Numbered(values, {n: name for n, name in self.classes.items() if n in stay})

    def of_classes(self, classes: Mapping[int, str]) -> Numbered:
        """Return the same objects under numbers that are of their class already, or new."""
        linker = Linker(LinkOptions(rule="separate"), classes=classes)
        values = linker.add(self.values, self.classes)
        return Numbered(values, {n: linker.classes[n] for n in count_objects(values).ids.tolist()})


def cutter(
    settings: RunSettings, stack: Stack, references: Sequence[Reference], *, whole: bool = True
) -> ObjectTask | None:
    """Return how masks become objects, None where classes are wanted.

    Parameters
    ----------
    whole : whether objects that go through planes are cut only, to be filtered once they are
        followed; without, each plane is filtered by itself
    """
    return object_task(
        settings.objects,
        settings.links,
        stack,
        references,
        settings.tiling.reference_pixel_size,
        whole=whole and settings.filters_whole(stack.axes),
    )


def classes_of(predictions: Mapping[str, Prediction]) -> NDArray[np.int32]:
    """Return 0 where nothing is, else 1 + the index of the class."""
    return class_labels([(p.mask, p.probability) for p in predictions.values()])


def objects_in(
    predictions: Mapping[str, Prediction],
    task: ObjectTask,
    segmenter: Any,
    pixels: NDArray[Any],
    intensity_range: IntensityRange | None,
) -> Numbered:
    """Cut the predictions of a plane into objects, the classes one after the other."""
    cut = task.objects_of(segmenter, pixels, predictions, intensity_range)
    return Numbered.together(cut, list(predictions))


def objects_of_classes(
    plane: NDArray[Any], task: ObjectTask, labels: Sequence[str], pixels: NDArray[Any] | None
) -> Numbered:
    """Cut the classes of a plane whose probabilities are gone."""
    cut = [task.cut_again(plane == i, pixels, label) for i, label in enumerate(labels, start=1)]
    return Numbered.together(np.stack(cut), labels)


def with_numbers(plane: NDArray[Any], became: Mapping[int, int]) -> NDArray[np.int32]:
    """Return a plane with other numbers; those that became nothing are background."""
    counts = count_objects(plane)
    table = [0, *(became.get(n, 0) for n in counts.ids.tolist())]
    return np.asarray(renumbered(counts.dense, np.array(table, np.int32)))


@dataclass(frozen=True, eq=False)
class Renumbering:
    """What the numbers of a stack's planes become.

    Attributes
    ----------
    tables : of each plane its numbers, ascending, and the new one of each
    classes : of the new numbers; empty where none were told
    highest : the largest new number
    """

    tables: Sequence[tuple[NDArray[np.int64], NDArray[np.int32]]]
    classes: Mapping[int, str]
    highest: int

    def of(self, place: int, plane: NDArray[Any]) -> NDArray[np.int32]:
        """Return a plane with its new numbers."""
        _, new = self.tables[place]
        table = np.concatenate([np.zeros(1, np.int32), new])
        return np.asarray(renumbered(count_objects(plane).dense, table))


def renumbering(
    read: Callable[[], Iterable[NDArray[Any]]],
    links: LinkOptions,
    *,
    axes: Sequence[str],
    leading_shape: Sequence[int],
    classes: Iterable[Mapping[int, str]] | None = None,
    fixed: frozenset[int] = frozenset(),
) -> Renumbering:
    """Find ids that go through the planes; some planes keep the numbers they have.

    Parameters
    ----------
    read : gives the planes of the whole stack in order; called twice
    axes, leading_shape : of the stack
    classes : of the numbers of each plane, where there are several
    fixed : places in the order of those planes whose numbers a person has chosen
        What goes on in one of them has the number it has there.
    """
    checked = (check_labels(plane, name="the result") for plane in read())
    linked = link_planes(checked, links, axes=axes, leading_shape=leading_shape, classes=classes)
    tables = []
    for ids, plane in zip(linked, read(), strict=True):
        counts = count_objects(plane)
        became = np.zeros(len(counts.ids) + 1, np.int32)
        became[counts.dense.reshape(-1)] = ids.reshape(-1)
        tables.append((counts.ids, became[1:]))
    chosen = _chosen_numbers(tables, fixed)
    named: dict[int, str] = {}
    for i, (own, ids) in enumerate(tables):
        new = own.astype(np.int32) if i in fixed else chosen[ids]
        tables[i] = own, new
        if linked.classes:
            for number, of_id in zip(new.tolist(), ids.tolist(), strict=True):
                named[number] = named.get(number) or linked.classes[of_id]
    highest = max((int(new.max(initial=0)) for _, new in tables), default=0)
    return Renumbering(tables, named, highest)


def like_those_beside(
    new: Numbered,
    beside: Sequence[NDArray[Any]],
    place: int,
    links: LinkOptions,
    *,
    axis: str,
    classes: Mapping[int, str],
    highest: int,
) -> Numbered:
    """Give the objects of a plane the numbers that they have in the planes beside it.

    Parameters
    ----------
    beside : planes before and after it
    place : where it lies among them
    axis : along which they lie
    classes : of the numbers beside it, where there are several
    highest : what is in none of them gets numbers above this one
    """
    held = [*beside[:place], new.values, *beside[place:]]
    told = [new.classes if i == place else classes for i in range(len(held))]
    others = frozenset(range(len(held))) - {place}
    found = renumbering(
        lambda: iter(held),
        links,
        axes=(axis,),
        leading_shape=(len(held),),
        classes=told if classes or new.classes else None,
        fixed=others,
    )
    known = {n for i in others for n in found.tables[i][0].tolist()}
    values = found.of(place, new.values)
    fresh = sorted(set(found.tables[place][1].tolist()) - known)
    became = {number: highest + i for i, number in enumerate(fresh, start=1)}
    table = np.arange(found.highest + 1, dtype=np.int32)
    table[fresh] = list(became.values())
    named = {became.get(number, number): name for number, name in found.classes.items()}
    return Numbered(np.asarray(table[values]), named)


def like_before(
    new: Numbered, old: NDArray[Any], classes: Mapping[int, str], highest: int
) -> Numbered:
    """Give the objects of a plane the numbers that they had in it.

    Parameters
    ----------
    old : the plane as it was
    classes : of the numbers that were given, where there are several
    highest : what was not there gets numbers above this one
    """
    beside = [np.asarray(old, np.int32)]
    return like_those_beside(
        new, beside, 1, _SAME_PLACE, axis="t", classes=classes, highest=highest
    )


def _chosen_numbers(
    tables: Sequence[tuple[NDArray[np.int64], NDArray[np.int32]]], fixed: frozenset[int]
) -> NDArray[np.int32]:
    """Return the number for each linked id: that of the fixed plane which has it, else a free one.

    Parameters
    ----------
    tables : of each plane its numbers, and the ids by which they were linked
    """
    wanted: dict[int, int] = {}
    chosen: set[int] = set()
    given: set[int] = set()
    for i in sorted(fixed):
        own, ids = tables[i]
        chosen.update(own.tolist())
        for number, number_there in sorted(zip(ids.tolist(), own.tolist(), strict=True)):
            if number not in wanted and number_there not in given:
                wanted[number] = number_there
                given.add(number_there)
    most = max((int(ids.max(initial=0)) for _, ids in tables), default=0)
    table = np.arange(most + 1, dtype=np.int32)
    free = max([most, *chosen])
    for number in range(1, most + 1):
        if number in wanted:
            table[number] = wanted[number]
        elif number in chosen:
            free += 1
            table[number] = free
    return table
