"""Options that describe references: each mark belongs to the ``--reference`` before it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vrpsam_app.cli.mark_options import box_mark, not_point_mark, point_mark, scribble_mark
from vrpsam_app.errors import AnnotationError, EmptyReferenceError, ImageError

if TYPE_CHECKING:
    from vrpsam_app.annotations import Annotation
    from vrpsam_app.references import Reference
    from vrpsam_app.stack_targets import StackReading


@dataclass(slots=True)
class ReferenceOptions:
    """One ``--reference`` and the options that followed it, as they were typed."""

    path: Path
    slice: str | None = None
    items: list[dict[str, Any]] = field(default_factory=list)
    marks_files: list[Path] = field(default_factory=list)
    masks: list[Path] = field(default_factory=list)
    labels: list[tuple[Path, list[int]]] = field(default_factory=list)
    exhaustive: bool = False
    not_this: bool = False
    label: str | None = None

    def input_files(self) -> list[Path]:
        """Return every file this reference is read from."""
        labels = [path for path, _ in self.labels]
        return [self.path, *self.marks_files, *self.masks, *labels]


@dataclass(slots=True)
class LibraryOptions:
    """One ``--library`` and the switches that followed it, as they were typed."""

    path: Path
    name: str | None = None
    not_this: bool = False
    label: str | None = None

    def input_files(self) -> list[Path]:
        """Return every file these references are read from."""
        return [self.path]


def add_reference_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--reference`` and the marks that belong to it, and ``--library``."""
    group = parser.add_argument_group(
        "references",
        "Each mark and switch belongs to the --reference before it. Coordinates are x,y in "
        "pixels of that image, from its top left corner. --library takes --label and --not-this.",
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
    group.add_argument(
        "--library",
        metavar="FILE[:NAME]",
        type=_library,
        action=_StartLibrary,
        dest="references",
        default=None,
        help="all references of a library, or the one of this name",
    )

    def add(flag: str, help_text: str, **settings: Any) -> None:
        group.add_argument(
            flag, action=_AddToReference, default=argparse.SUPPRESS, help=help_text, **settings
        )

    add("--box", "a box around one object", metavar="X0,Y0,X1,Y1", type=box_mark)
    add("--point", "a point on the object", metavar="X,Y", type=point_mark)
    add("--not-point", "a point on what is not the object", metavar="X,Y", type=not_point_mark)
    add(
        "--scribble",
        "a stroke over the object; WIDTH in pixels",
        metavar='"X,Y X,Y ...[;WIDTH]"',
        type=scribble_mark,
    )
    add("--mask", "a mask image, not 0 on the object", metavar="IMAGE", type=Path)
    add(
        "--labels",
        "objects that another program found: a label image (Cellpose, StarDist), ImageJ's .zip, "
        "COCO, GeoJSON, LabelMe, YOLO; of several classes those of --label",
        metavar="FILE",
        type=Path,
    )
    add("--id", "only this object of the --labels before it; may be given again", type=_id)
    add(
        "--marks",
        'marks as JSON: [{"type": "box", "xyxy": [40, 60, 180, 220]}, ...]',
        metavar="FILE",
        type=Path,
    )
    add("--slice", "which plane, if the image is a stack; from 0", metavar="N|t=N,z=N")
    add("--label", "which class the reference shows", metavar="NAME")
    add("--exhaustive", "every object of this kind is marked in the image", nargs=0)
    add("--not-this", "what is marked is what should NOT be found", nargs=0)


def build_references(
    options: Sequence[ReferenceOptions | LibraryOptions],
    *,
    max_pixels: int,
    reading: StackReading | None = None,
) -> tuple[Reference, ...]:
    """Read the images and put the marks on them, and read the libraries.

    Parameters
    ----------
    max_pixels : of an image
    reading : how stacks are opened

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
            references.append(_build(entry, labels, max_pixels, reading))
    return tuple(references)


def _from_library(entry: LibraryOptions) -> tuple[Reference, ...]:
    from vrpsam_app.reference_library import ReferenceLibrary

    library = ReferenceLibrary.load(entry.path)
    found = library.references(None if entry.name is None else [entry.name])
    if not found:
        raise EmptyReferenceError(
            f"The library {entry.path} is empty: add a reference to it with vrpsam library add."
        )
    if entry.label is not None:
        found = tuple(replace(reference, label=entry.label) for reference in found)
    return tuple(r.as_not_this() for r in found) if entry.not_this else found


def _build(
    entry: ReferenceOptions, labels: Sequence[str], max_pixels: int, reading: StackReading | None
) -> Reference:
    from vrpsam_app.references import Reference
    from vrpsam_app.stack_targets import StackReading, read_slice

    if not (entry.items or entry.marks_files or entry.masks or entry.labels):
        raise EmptyReferenceError(
            f"The reference {entry.path} has no mark: put --box, --point, --scribble, --mask, "
            "--labels or --marks after it."
        )
    image = read_slice(entry.path, entry.slice, reading or StackReading(max_pixels=max_pixels))
    try:
        reference = Reference.from_annotations(
            image,
            _annotations(entry, image.shape[:2], max_pixels, reading),
            exhaustive=entry.exhaustive,
            label=_label(entry, labels),
        )
    except (AnnotationError, ImageError) as error:
        raise type(error)(f"Reference {entry.path}: {error}") from error
    return reference.as_not_this() if entry.not_this else reference


def _annotations(
    entry: ReferenceOptions, hw: tuple[int, int], max_pixels: int, reading: StackReading | None
) -> tuple[Annotation, ...]:
    from vrpsam_app.annotations import Mask, annotations_from_json
    from vrpsam_app.exchange.picture_files import object_mask
    from vrpsam_app.image_files import read_mask
    from vrpsam_app.stack_targets import StackReading, slice_index

    annotations = list(annotations_from_json(entry.items, hw))
    for path in entry.marks_files:
        annotations += annotations_from_json(_read_marks(path), hw)
    annotations += [Mask(read_mask(path, max_pixels=max_pixels)) for path in entry.masks]
    position = None
    if entry.labels and entry.slice is not None:
        stack = (reading or StackReading(max_pixels=max_pixels)).open(entry.path)
        position = dict(zip(stack.axes, slice_index(entry.slice, stack), strict=True))
    for path, ids in entry.labels:
        mask = object_mask(
            path,
            hw,
            image_name=entry.path.name,
            ids=ids or None,
            class_name=entry.label,
            position=position,
            max_pixels=max_pixels,
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


class _StartLibrary(argparse.Action):
    """``--library``: open references that were saved."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        path, name = values
        started: list[Any] = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, [*started, LibraryOptions(path=path, name=name)])


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
        opened: ReferenceOptions | LibraryOptions = namespace.references[-1]
        if self.dest == "label":
            opened.label = values
        elif self.dest == "not_this":
            opened.not_this = True
        elif isinstance(opened, LibraryOptions):
            parser.error(
                f"{option_string} comes after --library, whose references are marked already: put "
                "it after a --reference"
            )
        elif self.dest == "mask":
            opened.masks.append(values)
        elif self.dest == "marks":
            opened.marks_files.append(values)
        elif self.dest == "labels":
            opened.labels.append((values, []))
        elif self.dest == "id":
            if not opened.labels:
                parser.error("--id comes before any --labels of its --reference")
            opened.labels[-1][1].append(values)
        elif self.dest == "slice":
            opened.slice = values
        elif self.dest == "exhaustive":
            opened.exhaustive = True
        else:
            opened.items.append(values)


def _library(text: str) -> tuple[Path, str | None]:
    """Split ``FILE:NAME``; a name may hold colons, and so may a file that exists."""
    parts = text.split(":")
    for count in range(len(parts), 0, -1):
        path = Path(":".join(parts[:count])).expanduser()
        if path.is_file():
            return path, ":".join(parts[count:]) or None
    return Path(text), None  # reading it will say that it is not there


def _id(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected the number of an object, from 1")
    return int(text)
