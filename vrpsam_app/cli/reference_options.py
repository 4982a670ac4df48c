"""Options that describe references: each mark belongs to the ``--reference`` before it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vrpsam_app.cli.mark_options import box_mark, not_point_mark, point_mark, scribble_mark


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
        type=lambda text: ReferenceOptions(Path(text)),
        action="append",
        dest="references",
        help="an image that shows the object; give it again for more examples",
    )
    group.add_argument(
        "--library",
        metavar="FILE[:NAME]",
        type=_library,
        action="append",
        dest="references",
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


def _library(text: str) -> LibraryOptions:
    """Split ``FILE:NAME``; a name may hold colons, and so may a file that exists."""
    parts = text.split(":")
    for count in range(len(parts), 0, -1):
        path = Path(":".join(parts[:count])).expanduser()
        if path.is_file():
            return LibraryOptions(path, ":".join(parts[count:]) or None)
    return LibraryOptions(Path(text))  # reading it will say that it is not there


def _id(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected the number of an object, from 1")
    return int(text)
