"""From answers to the numbers of a result layer: classes, or objects with ids through the stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_plugin.run_settings import RunSettings
from vrpsam_app.images import IntensityRange
from vrpsam_app.label_images import check_labels
from vrpsam_app.objects.linking import LinkOptions, link_planes
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction, class_labels
from vrpsam_app.stack_runs.object_planes import ObjectTask, object_task
from vrpsam_app.stacks.stack import Stack

Index = tuple[int, ...]


def cutter(
    settings: RunSettings, stack: Stack, references: Sequence[Reference]
) -> ObjectTask | None:
    """Return how masks become objects, None where classes are wanted."""
    return object_task(
        settings.objects,
        settings.links,
        stack,
        references,
        settings.tiling.reference_pixel_size,
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
) -> NDArray[np.int32]:
    """Cut the predictions of a plane into objects, the classes one after the other."""
    return together(task.objects_of(segmenter, pixels, predictions, intensity_range))


def objects_of_classes(
    plane: NDArray[Any], task: ObjectTask, labels: Sequence[str], pixels: NDArray[Any] | None
) -> NDArray[np.int32]:
    """Cut the classes of a plane whose probabilities are gone."""
    cut = [task.cut_again(plane == i, pixels, label) for i, label in enumerate(labels, start=1)]
    return together(np.stack(cut))


def together(cut: NDArray[np.int32]) -> NDArray[np.int32]:
    """Put the objects of all classes into one plane, (classes, H, W) -> (H, W), numbered on."""
    numbers = np.zeros(cut.shape[1:], np.int32)
    last = 0
    for of_class in cut:
        inside = of_class > 0
        numbers[inside] = of_class[inside] + last
        last = max(last, int(numbers.max(initial=0)))
    return numbers


def linked(
    read: Callable[[], Iterable[NDArray[Any]]],
    links: LinkOptions,
    *,
    axes: Sequence[str],
    leading_shape: Sequence[int],
    fixed: frozenset[int] = frozenset(),
) -> Iterator[NDArray[np.int32]]:
    """Give objects ids that go through the planes; some planes keep the numbers they have.

    Parameters
    ----------
    read : gives the planes of the whole stack in order; called twice where some are fixed
    axes, leading_shape : of the stack
    fixed : places in the order of those planes whose numbers a person has chosen
        What goes on in one of them has the number it has there.

    Yields
    ------
    numbers : shape (H, W)
        One for each plane; no plane is read again once it was yielded.
    """

    def through() -> Iterator[NDArray[np.int32]]:
        planes = (check_labels(plane, name="the result") for plane in read())
        return link_planes(planes, links, axes=axes, leading_shape=leading_shape)

    if not fixed:
        yield from through()
        return
    table = _chosen_numbers(zip(through(), read(), strict=True), fixed)
    for i, (numbered, plane) in enumerate(zip(through(), read(), strict=True)):
        own = plane.astype(np.int32, copy=False)
        yield own if i in fixed else table[numbered]


def _chosen_numbers(
    planes: Iterable[tuple[NDArray[np.int32], NDArray[Any]]], fixed: frozenset[int]
) -> NDArray[np.int32]:
    """Return the number for each linked id: that of the fixed plane which has it, else a free one.

    Parameters
    ----------
    planes : linked, and as they were
    """
    wanted: dict[int, int] = {}
    chosen: set[int] = set()
    most = 0
    for i, (numbered, own) in enumerate(planes):
        most = max(most, int(numbered.max(initial=0)))
        if i not in fixed:
            continue
        chosen |= {int(n) for n in np.unique(own)}
        inside = (numbered > 0) & (own > 0)
        pairs = np.unique(np.stack([numbered[inside], own[inside]]), axis=1)
        for number, number_there in pairs.T.tolist():
            if number not in wanted and number_there not in wanted.values():
                wanted[number] = number_there
    table = np.zeros(most + 1, np.int32)
    free = max([most, *chosen])
    for number in range(1, most + 1):
        if number in wanted:
            table[number] = wanted[number]
        elif number in chosen:
            free += 1
            table[number] = free
        else:
            table[number] = number
    return table
