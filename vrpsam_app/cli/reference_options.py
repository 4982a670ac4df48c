"""Options that describe references: each mark belongs to the ``--reference`` before it."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vrpsam_app.errors import AnnotationError, EmptyReferenceError, ImageError

if TYPE_CHECKING:
    from vrpsam_app.annotations import Annotation
    from vrpsam_app.references import Reference


@dataclass(slots=True)
class ReferenceOptions:
    """One ``--reference`` and the options that followed it, as they were typed."""

    path: Path
    items: list[dict[str, Any]] = field(default_factory=list)
    marks_files: list[Path] = field(default_factory=list)
    masks: list[Path] = field(default_factory=list)
    exhaustive: bool = False
    not_this: bool = False
    label: str | None = None

    def input_files(self) -> list[Path]:
        """Return every file this reference is read from."""
        return [self.path, *self.marks_files, *self.masks]


def add_reference_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--reference`` and the marks that belong to it."""
    group = parser.add_argument_group(
        "references",
        "Each mark and switch belongs to the --reference before it. Coordinates are x,y in "
        "pixels of that image, from its top left corner.",
    )
    group.add_argument(
        "--reference",
        metavar="IMAGE",
        type=Path,
        action=_StartReference,
        dest="references",
        default=None,
        help="an image that shows the object; give it again for more examples",
    )

    def add(flag: str, help_text: str, **settings: Any) -> None:
        group.add_argument(
            flag, action=_AddToReference, default=argparse.SUPPRESS, help=help_text, **settings
        )

    add("--box", "a box around one object", metavar="X0,Y0,X1,Y1", type=_box)
    add("--point", "a point on the object", metavar="X,Y", type=_point)
    add("--not-point", "a point on what is not the object", metavar="X,Y", type=_not_point)
    add(
        "--scribble",
        "a stroke over the object; WIDTH in pixels",
        metavar='"X,Y X,Y ...[;WIDTH]"',
        type=_scribble,
    )
    add("--mask", "a mask image, not 0 on the object", metavar="IMAGE", type=Path)
    add(
        "--marks",
        'marks as JSON: [{"type": "box", "xyxy": [40, 60, 180, 220]}, ...]',
        metavar="FILE",
        type=Path,
    )
    add("--label", "which class the reference shows", metavar="NAME")
    add("--exhaustive", "every object of this kind is marked in the image", nargs=0)
    add("--not-this", "what is marked is what should NOT be found", nargs=0)


def build_references(
    options: Sequence[ReferenceOptions], *, max_pixels: int
) -> tuple[Reference, ...]:
    """Read the images and put the marks on them.

    Raises
    ------
    AnnotationError
        If a mark does not fit its image, or a reference has none.
    ImageFileError
        If an image cannot be read.
    """
    labels = [entry.label or "object" for entry in options if not entry.not_this]
    return tuple(_build(entry, labels, max_pixels) for entry in options)


def _build(entry: ReferenceOptions, labels: Sequence[str], max_pixels: int) -> Reference:
    from vrpsam_app.image_files import read_image
    from vrpsam_app.references import Reference

    if not (entry.items or entry.marks_files or entry.masks):
        raise EmptyReferenceError(
            f"The reference {entry.path} has no mark: put --box, --point, --scribble, --mask or "
            "--marks after it."
        )
    image = read_image(entry.path, max_pixels=max_pixels)
    try:
        reference = Reference.from_annotations(
            image,
            _annotations(entry, image.shape[:2], max_pixels),
            exhaustive=entry.exhaustive,
            label=_label(entry, labels),
        )
    except (AnnotationError, ImageError) as error:
        raise type(error)(f"Reference {entry.path}: {error}") from error
    return reference.as_not_this() if entry.not_this else reference


def _annotations(
    entry: ReferenceOptions, hw: tuple[int, int], max_pixels: int
) -> tuple[Annotation, ...]:
    from vrpsam_app.annotations import Mask, annotations_from_json
    from vrpsam_app.image_files import read_mask

    annotations = list(annotations_from_json(entry.items, hw))
    for path in entry.marks_files:
        annotations += annotations_from_json(_read_marks(path), hw)
    annotations += [Mask(read_mask(path, max_pixels=max_pixels)) for path in entry.masks]
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


class _StartReference(argparse.Action):
    """``--reference``: open a new reference."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        started: list[ReferenceOptions] = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, [*started, ReferenceOptions(path=values)])


class _AddToReference(argparse.Action):
    """A mark or switch: put it on the reference that was opened last."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if not namespace.references:
            parser.error(f"{option_string} comes before any --reference: put it after the one")
        reference: ReferenceOptions = namespace.references[-1]
        match self.dest:
            case "mask":
                reference.masks.append(values)
            case "marks":
                reference.marks_files.append(values)
            case "label":
                reference.label = values
            case "exhaustive":
                reference.exhaustive = True
            case "not_this":
                reference.not_this = True
            case _:
                reference.items.append(values)


def _numbers(text: str, count: int, example: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(math.isfinite(n) for n in numbers):
        what = "a number" if count == 1 else f"{count} numbers"
        raise argparse.ArgumentTypeError(f"{text!r}: expected {what} such as {example}")
    return numbers


def _box(text: str) -> dict[str, Any]:
    return {"type": "box", "xyxy": _numbers(text, 4, "40,60,180,220"), "positive": True}


def _point(text: str) -> dict[str, Any]:
    return {"type": "point", "xy": _numbers(text, 2, "120,80"), "positive": True}


def _not_point(text: str) -> dict[str, Any]:
    return {**_point(text), "positive": False}


def _scribble(text: str) -> dict[str, Any]:
    vertices, _, width = text.partition(";")
    points = [_numbers(part, 2, "120,80") for part in vertices.split()]
    if not points:
        raise argparse.ArgumentTypeError(f'{text!r}: expected points such as "10,20 30,40"')
    item: dict[str, Any] = {"type": "scribble", "xy": points, "positive": True}
    if width:
        item["width"] = _numbers(width, 1, "12")[0]
    return item
