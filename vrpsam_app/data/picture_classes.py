"""A labelled folder in which each picture shows one object, and the picture says of which class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.data.folder_layout import Split, by_picture, read_document
from vrpsam_app.data.labelled_dataset import LabelledFiles, Labels
from vrpsam_app.errors import ConfigError

_DOCUMENT = "per_image_class.json"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PictureClasses(LabelledFiles):
    """A labelled folder with ``per_image_class.json``, from picture to number of the class.

    Whatever the mask labels is one object of the picture's class, as in blood smears with one white
    cell each: the kinds of cell are the classes, and a picture with another kind lacks a class in
    the same domain. ``meta.json`` names the classes under ``image_classes``.

    Attributes
    ----------
    source : the folder, whose masks are read
    """

    source: FolderDataset
    _class_of: dict[str, int]

    @classmethod
    def open(cls, folder: str | Path, split: Split | None = None) -> PictureClasses:
        """List the pictures without reading them.

        Raises
        ------
        ImageFileError
            If a folder, a file or a mask is missing.
        ConfigError
            If a JSON file cannot be understood, or says no class of a picture.
        """
        source = FolderDataset.open(folder, split)
        path, meta = source.folder / _DOCUMENT, source.folder / "meta.json"
        numbers = by_picture(read_document(path))
        named = read_document(meta).get("image_classes")
        if not isinstance(named, dict) or not named or not all(str(k).isdigit() for k in named):
            raise ConfigError(
                f"{meta}: image_classes is {str(named)[:60]}, expected an object such as "
                '{"1": "neutrophil"} from the numbers in '
                f"{_DOCUMENT} to names."
            )
        order = sorted(named, key=int)
        class_of = {}
        for name in source.names:
            if str(numbers.get(name)) not in named:
                raise ConfigError(
                    f"{path}: the class of {name!r} is {numbers.get(name)!r}, expected one of "
                    f"{', '.join(order)}, which meta.json names."
                )
            class_of[name] = order.index(str(numbers[name])) + 1
        return cls(
            name=f"{source.name} by kind",
            names=source.names,
            class_names=tuple(str(named[number]) for number in order),
            groups=source.groups,
            fields=source.fields,
            has_instances=True,
            source=source,
            _class_of=class_of,
        )

    def image_path(self, index: int) -> Path:
        """Return where picture number `index` lies."""
        return self.source.image_path(index)

    def label_path(self, index: int) -> Path:
        """Return where its mask lies."""
        return self.source.label_path(index)

    def labels(self, index: int) -> Labels:
        """Read the mask of picture number `index`: one object of the picture's class."""
        mask = (self.source.labels(index).classes > 0).astype(np.int32)
        return Labels(mask, mask * self._class_of[self.names[index]])
