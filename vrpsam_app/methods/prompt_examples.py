"""What prompts are learned from: pictures with their objects, and prompts as people give them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.data.annotation_simulation import click, loose_box
from vrpsam_app.data.labelled_dataset import LabelledDataset
from vrpsam_app.errors import ConfigError, EmptyReferenceError
from vrpsam_app.images import IntensityRange, to_rgb
from vrpsam_app.methods.mark_prompts import MOST_OBJECTS, parts_of, prompts_of_reference
from vrpsam_app.methods.prompted_pictures import PromptedModel, answered
from vrpsam_app.methods.sam_pictures import SAMPrompt
from vrpsam_app.references import Reference

PromptKind = Literal["click", "box"]
KINDS: tuple[PromptKind, ...] = get_args(PromptKind)

LEAST_OBJECT = 16
"""Pixels from which an object is asked for: nobody aims at less."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptExample:
    """A picture and the objects in it that are meant.

    Attributes
    ----------
    image : shape (H, W, 3), uint8
    objects : shape (H, W), int32
        Number of the object, 0 elsewhere.
    """

    image: NDArray[np.uint8]
    objects: NDArray[np.int32]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return the numbers of the objects that are large enough to be asked for."""
        areas = np.bincount(self.objects.ravel())
        areas[0] = 0
        return tuple(int(n) for n in np.flatnonzero(areas >= LEAST_OBJECT))

    def mask(self, number: int) -> NDArray[np.bool_]:
        """Return one object, shape (H, W)."""
        return self.objects == number


def examples_of_references(
    model: PromptedModel,
    references: Sequence[Reference],
    intensity_range: IntensityRange | None = None,
) -> list[PromptExample]:
    """Take the connected parts of masks for objects.

    Of points, strokes and boxes the extent is not known: there the objects are what the model
    answers without having learned, and little is to be learned from them.

    Raises
    ------
    EmptyReferenceError
        If no reference marks an object that is large enough.
    """
    examples = []
    for reference in references:
        if reference.is_not_this:
            continue
        rgb = to_rgb(reference.image, intensity_range)
        objects = np.zeros(reference.positive.shape, np.int32)
        for number, mask in enumerate(_objects_of(model, rgb, reference), start=1):
            objects[mask & (objects == 0)] = number
        example = PromptExample(rgb, objects)
        if example.numbers:
            examples.append(example)
    if not examples:
        raise EmptyReferenceError(
            f"No reference marks an object of at least {LEAST_OBJECT} pixels, all say 'not this' "
            "or mark less. Outline an object in one of them."
        )
    return examples


def examples_of_dataset(
    dataset: LabelledDataset, class_name: str | None = None
) -> list[PromptExample]:
    """Take the objects of labelled pictures, of one class or of all.

    Pictures without such an object are left out.

    Raises
    ------
    ConfigError
        If there is no such class, or the labels do not tell objects apart.
    """
    if not dataset.has_instances:
        raise ConfigError(
            f"{dataset.name} does not tell objects apart, and prompts are learned object by "
            "object: label them by number (meta.json: kind instance)."
        )
    wanted = None if class_name is None else class_number(dataset, class_name)
    examples = []
    for index in range(len(dataset)):
        if wanted is not None and wanted not in dataset.shown(index):
            continue
        picture = dataset.load(index)
        meant = picture.classes > 0 if wanted is None else picture.classes == wanted
        example = PromptExample(to_rgb(picture.image), np.where(meant, picture.instances, 0))
        if example.numbers:
            examples.append(example)
    return examples


def class_number(dataset: LabelledDataset, name: str) -> int:
    """Return the number of a class.

    Raises
    ------
    ConfigError
        If there is no such class.
    """
    if name not in dataset.class_names:
        raise ConfigError(
            f"{dataset.name} has no class {name!r}: expected one of "
            f"{', '.join(dataset.class_names)}."
        )
    return dataset.class_names.index(name) + 1


def simulated_prompt(
    rng: np.random.Generator, kind: PromptKind, mask: NDArray[np.bool_]
) -> SAMPrompt:
    """Click on an object, or put a loose box around it, as a person would."""
    if kind == "click":
        point = click(rng, mask)
        return SAMPrompt.at([np.array([point.col, point.row], np.float32)])
    box = loose_box(rng, mask)
    return SAMPrompt(box_xyxy=np.array([box.left, box.top, box.right, box.bottom], np.float32))


def _objects_of(
    model: PromptedModel, rgb: NDArray[np.uint8], reference: Reference
) -> Iterator[NDArray[np.bool_]]:
    if reference.kind == "mask":
        for part, (top, left) in parts_of(reference.positive, MOST_OBJECTS):
            alone = np.zeros_like(reference.positive)
            alone[top : top + part.shape[0], left : left + part.shape[1]] = part
            yield alone
        return
    picture = model.open(rgb)
    logits, _ = answered(picture, prompts_of_reference(reference), None)
    for own in logits:
        found = (picture.resized(own[None, None])[0, 0] > 0).cpu().numpy()
        yield found & ~reference.negative if found.any() else reference.positive
