"""From ``--reference`` with its marks, and ``--library``, to references."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vrpsam_app.cli.reference_options import LibraryOptions, ReferenceOptions
from vrpsam_app.errors import AnnotationError, EmptyReferenceError, ImageError

if TYPE_CHECKING:
    from vrpsam_app.annotations import Annotation
    from vrpsam_app.references import Reference
    from vrpsam_app.stack_runs.targets import StackReading


def build_references(
    options: Sequence[ReferenceOptions | LibraryOptions], reading: StackReading
) -> tuple[Reference, ...]:
    """Read the images and put the marks on them, and read the libraries.

    Parameters
    ----------
    reading : how images are opened

    Raises
    ------
    AnnotationError
        If a mark does not fit its image, or a reference has none.
    ImageFileError
        If an image cannot be read.
    ConfigError
        If a library cannot be read, or holds no such reference.
    """
    stored = {
        id(entry): _from_library(entry) for entry in options if isinstance(entry, LibraryOptions)
    }
    labels = [
        label
        for entry in options
        if not entry.not_this
        for label in (
            [entry.label or "object"]
            if isinstance(entry, ReferenceOptions)
            else [r.label for r in stored[id(entry)] if not r.is_not_this]
        )
    ]
    references: list[Reference] = []
    for entry in options:
        if isinstance(entry, LibraryOptions):
            references += stored[id(entry)]
        else:
            references.append(_build(entry, labels, reading))
    return tuple(references)


def _from_library(entry: LibraryOptions) -> tuple[Reference, ...]:
    from vrpsam_app.library.reference_library import ReferenceLibrary

    library = ReferenceLibrary.load(entry.path)
    found = library.references(None if entry.name is None else [entry.name])
    if not found:
        raise EmptyReferenceError(
            f"The library {entry.path} is empty: add a reference to it with vrpsam library add."
        )
    if entry.label is not None:
        found = tuple(replace(reference, label=entry.label) for reference in found)
    return tuple(r.as_not_this() for r in found) if entry.not_this else found


def _build(entry: ReferenceOptions, labels: Sequence[str], reading: StackReading) -> Reference:
    from vrpsam_app.references import Reference
    from vrpsam_app.stack_runs.targets import read_slice

    if not (entry.items or entry.marks_files or entry.masks or entry.labels):
        raise EmptyReferenceError(
            f"The reference {entry.path} has no mark: put --box, --point, --scribble, --mask, "
            "--labels or --marks after it."
        )
    image = read_slice(entry.path, entry.slice, reading)
    try:
        reference = Reference.from_annotations(
            image,
            _annotations(entry, image.shape[:2], reading),
            exhaustive=entry.exhaustive,
            label=_label(entry, labels),
        )
    except (AnnotationError, ImageError) as error:
        raise type(error)(f"Reference {entry.path}: {error}") from error
    return reference.as_not_this() if entry.not_this else reference


def _annotations(
    entry: ReferenceOptions, hw: tuple[int, int], reading: StackReading
) -> tuple[Annotation, ...]:
    from vrpsam_app.annotations import Mask, annotations_from_json
    from vrpsam_app.exchange.picture_files import object_mask
    from vrpsam_app.image_files import read_mask
    from vrpsam_app.stack_runs.targets import slice_index

    annotations = list(annotations_from_json(entry.items, hw))
    for path in entry.marks_files:
        annotations += annotations_from_json(_read_marks(path), hw)
    annotations += [Mask(read_mask(path, max_pixels=reading.max_pixels)) for path in entry.masks]
    position = None
    if entry.labels and entry.slice is not None:
        stack = reading.open(entry.path)
        position = dict(zip(stack.axes, slice_index(entry.slice, stack), strict=True))
    for path, ids in entry.labels:
        mask = object_mask(
            path,
            hw,
            image_name=entry.path.name,
            ids=ids or None,
            class_name=entry.label,
            position=position,
            max_pixels=reading.max_pixels,
        )
        annotations.append(Mask(mask))
    return tuple(annotations)


def _label(entry: ReferenceOptions, labels: Sequence[str]) -> str:
    """Return the label; what "not this" is said against is clear while there is one class."""
    if entry.label is not None or not entry.not_this:
        return entry.label or "object"
    if len(set(labels)) > 1:
        raise AnnotationError(
            "--not-this does not say which class it is said against: put --label NAME after it, "
            f"one of {', '.join(dict.fromkeys(labels))}."
        )
    return labels[0] if labels else "object"


def _read_marks(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AnnotationError(
            f"The marks {path} cannot be read ({error.strerror}). Give the path of a JSON file."
        ) from error
    except (ValueError, RecursionError) as error:
        raise AnnotationError(
            f"{path} is not valid JSON ({error}). Expected a list such as "
            '[{"type": "box", "xyxy": [40, 60, 180, 220]}].'
        ) from error
