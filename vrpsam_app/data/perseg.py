"""PerSeg: forty objects of one person or another, a few pictures of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vrpsam_app.data.folder_layout import IMAGE_SUFFIXES
from vrpsam_app.data.labelled_dataset import LabelledFiles, Labels, own_fields, ungrouped
from vrpsam_app.errors import ImageFileError
from vrpsam_app.image_files import read_mask


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PerSeg(LabelledFiles):
    """PerSeg: each object is a class of its own with one instance a picture.

    Reads ``Images/<object>/00.jpg`` and ``Annotations/<object>/00.png``, whose masks are whatever
    is not black. Published results take picture ``00`` as the reference and all others as targets
    (`first_picture_episodes`).

    Published counts: 40 objects.

    Attributes
    ----------
    folder : holds ``Images/`` and ``Annotations/``
    """

    folder: Path
    _files: dict[str, Path]
    _class_of: dict[str, int]

    @classmethod
    def open(cls, folder: str | Path) -> PerSeg:
        """List the pictures without reading them.

        Raises
        ------
        ImageFileError
            If a folder, a picture or a mask is missing.
        """
        root = Path(folder)
        if not (root / "Images").is_dir() or not (root / "Annotations").is_dir():
            raise ImageFileError(
                f"{root} lacks Images/ or Annotations/: expected PerSeg as it is unpacked."
            )
        classes = sorted(path.name for path in (root / "Images").iterdir() if path.is_dir())
        found: dict[str, Path] = {}
        class_of: dict[str, int] = {}
        for number, label in enumerate(classes, start=1):
            for path in sorted((root / "Images" / label).iterdir()):
                if path.suffix.lower() not in IMAGE_SUFFIXES:
                    continue
                mask = root / "Annotations" / label / f"{path.stem}.png"
                if not mask.is_file():
                    raise ImageFileError(
                        f"{mask} is missing, the mask of {path}: unpack the whole data set."
                    )
                found[f"{label}/{path.stem}"] = path
                class_of[f"{label}/{path.stem}"] = number
        if not found:
            raise ImageFileError(f"{root / 'Images'} holds no pictures: expected <object>/00.jpg.")
        names = tuple(found)
        return cls(
            name="perseg",
            names=names,
            class_names=tuple(classes),
            groups=ungrouped(names),
            fields=own_fields(names),
            has_instances=True,
            folder=root,
            _files=found,
            _class_of=class_of,
        )

    @property
    def benchmark(self) -> str:
        """What its counts are compared with."""
        return "perseg"

    def counts(self) -> dict[str, int]:
        """Return the numbers of pictures and objects."""
        return {"pictures": len(self.names), "classes": len(self.class_names)}

    def image_path(self, index: int) -> Path:
        """Return where picture number `index` lies."""
        return self._files[self.names[index]]

    def label_path(self, index: int) -> Path:
        """Return where its mask lies."""
        return self.folder / "Annotations" / f"{self.names[index]}.png"

    def labels(self, index: int) -> Labels:
        """Read the mask of picture number `index`."""
        mask = read_mask(self.label_path(index)).astype(np.int32)
        return Labels(mask, mask * self._class_of[self.names[index]])
