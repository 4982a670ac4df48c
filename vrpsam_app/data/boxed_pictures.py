"""Pictures of which only boxes are known, as PASCAL VOC's and YOLO's files have them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from vrpsam_app.annotations import Box
from vrpsam_app.data.folder_layout import IMAGE_SUFFIXES
from vrpsam_app.errors import AnnotationError, ImageFileError
from vrpsam_app.image_files import read_header

MOST_BYTES = 4 << 20
"""Of a file of boxes."""


@dataclass(frozen=True, slots=True)
class NamedBox:
    """A box and what it holds.

    Attributes
    ----------
    box : in pixels of the picture
    label : its class; for YOLO the number as text
    """

    box: Box
    label: str


@dataclass(frozen=True, slots=True, eq=False)
class BoxedPictures:
    """A folder of pictures with boxes.

    Attributes
    ----------
    folder : where it lies
    pictures : file of each picture by name
    boxes : those of each picture by name
    """

    folder: Path
    pictures: Mapping[str, Path]
    boxes: Mapping[str, tuple[NamedBox, ...]]

    @classmethod
    def open(cls, folder: str | Path) -> BoxedPictures:
        """Read all boxes.

        Reads ``images/`` with ``annotations/<name>.xml`` (PASCAL VOC) or ``labels/<name>.txt``
        (YOLO). Pictures without such a file, or without a box in it, are left out.

        Raises
        ------
        ImageFileError
            If a folder is missing, a file cannot be understood, or nothing is boxed.
        """
        root = Path(folder)
        kinds = {"annotations": ".xml", "labels": ".txt"}
        kind = next((k for k in kinds if (root / k).is_dir()), None)
        if kind is None or not (root / "images").is_dir():
            raise ImageFileError(
                f"{root} lacks images/, or both annotations/ and labels/: expected images/ with "
                "annotations/<name>.xml as of PASCAL VOC, or labels/<name>.txt as of YOLO."
            )
        pictures, boxes = {}, {}
        for path in sorted((root / "images").iterdir()):
            marks = root / kind / f"{path.stem}{kinds[kind]}"
            if path.suffix.lower() not in IMAGE_SUFFIXES or not marks.is_file():
                continue
            found = _voc(marks) if kind == "annotations" else _yolo(marks, path)
            if found:
                pictures[path.stem], boxes[path.stem] = path, found
        if not boxes:
            raise ImageFileError(
                f"{root / kind} holds no box of a picture in images/: expected files of the same "
                "names as the pictures."
            )
        return cls(root, pictures, boxes)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return what the boxes hold, in alphabetical order."""
        return tuple(sorted({b.label for own in self.boxes.values() for b in own}))


def _voc(path: Path) -> tuple[NamedBox, ...]:
    """Read an XML file; its corners are numbers of pixels from 1, both inside the box."""
    text = _text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ImageFileError(f"{path} defines entities: expected plain boxes as of PASCAL VOC.")
    try:
        tree = ElementTree.fromstring(text)
        found = []
        for entry in tree.iter("object"):
            corners = entry.find("bndbox")
            if corners is None:
                raise ValueError("an object has no bndbox")
            left, top, right, bottom = (
                float(corners.findtext(name) or "") for name in ("xmin", "ymin", "xmax", "ymax")
            )
            label = (entry.findtext("name") or "object").strip()
            found.append(NamedBox(Box(top - 1, left - 1, bottom, right), label))
    except (ElementTree.ParseError, ValueError, AnnotationError) as error:
        raise ImageFileError(
            f"{path} cannot be read as boxes of PASCAL VOC ({error}). Correct or remove it."
        ) from error
    return tuple(found)


def _yolo(path: Path, picture: Path) -> tuple[NamedBox, ...]:
    """Read a text file: class, middle and size as shares of the picture, one box a line."""
    height, width = read_header(picture).hw
    found = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            label, *numbers = line.split()
            x, y, w, h = map(float, numbers)
            if not all(map(math.isfinite, (x, y, w, h))):
                raise ValueError("a number is not finite")
            box = Box(
                (y - h / 2) * height,
                (x - w / 2) * width,
                (y + h / 2) * height,
                (x + w / 2) * width,
            )
        except (ValueError, AnnotationError) as error:
            raise ImageFileError(
                f"{path}, line {number} is {line[:60]!r} ({error}): expected a class and four "
                "shares of the picture, x y w h."
            ) from error
        found.append(NamedBox(box, label))
    return tuple(found)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ImageFileError(
                f"{path} is larger than {MOST_BYTES >> 20} MB: expected the boxes of one picture."
            )
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ImageFileError(f"{path} cannot be read ({error}): expected a text file.") from error
