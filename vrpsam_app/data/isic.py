"""ISIC 2018, task 1: skin lesions, the first of the two published checks out of domain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vrpsam_app.data.labelled_dataset import LabelledFiles, Labels, own_fields
from vrpsam_app.errors import ImageFileError
from vrpsam_app.image_files import read_mask

_PICTURES = "ISIC2018_Task1-2_Training_Input"
_MASKS = "ISIC2018_Task1_Training_GroundTruth"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Isic(LabelledFiles):
    """The training part of ISIC 2018, task 1, with its single lesion a picture.

    Reads ``ISIC2018_Task1-2_Training_Input/ISIC_*.jpg`` and
    ``ISIC2018_Task1_Training_GroundTruth/ISIC_*_segmentation.png``. Cross-domain few-shot code
    sorts the pictures into the folders ``1``, ``2``, ``3`` by diagnosis and pairs within them:
    where such folders are, they are the groups.

    Published counts: 2594 pictures.

    Attributes
    ----------
    folder : holds the two folders
    """

    folder: Path
    _files: dict[str, Path]

    @classmethod
    def open(cls, folder: str | Path) -> Isic:
        """List the pictures without reading them.

        Raises
        ------
        ImageFileError
            If a folder or a mask is missing.
        """
        root = Path(folder)
        for part in (_PICTURES, _MASKS):
            if not (root / part).is_dir():
                raise ImageFileError(
                    f"{root} has no {part}/: unpack pictures and ground truth of ISIC 2018, task 1."
                )
        # Superpixels and licences lie beside the pictures.
        found = {path.stem: path for path in sorted((root / _PICTURES).rglob("ISIC_*.jpg"))}
        if not found:
            raise ImageFileError(f"{root / _PICTURES} holds no ISIC_*.jpg: unpack it again.")
        for name, path in found.items():
            mask = root / _MASKS / f"{name}_segmentation.png"
            if not mask.is_file():
                raise ImageFileError(
                    f"{mask} is missing, the mask of {path}: unpack the whole ground truth."
                )
        names = tuple(sorted(found))
        parents = {name: found[name].parent.relative_to(root / _PICTURES) for name in names}
        return cls(
            name="isic-2018",
            names=names,
            class_names=("lesion",),
            groups={
                name: "" if parent == Path() else str(parent) for name, parent in parents.items()
            },
            fields=own_fields(names),
            has_instances=True,
            folder=root,
            _files=found,
        )

    @property
    def benchmark(self) -> str:
        """What its counts are compared with."""
        return "isic-2018"

    def counts(self) -> dict[str, int]:
        """Return the number of pictures."""
        return {"pictures": len(self.names)}

    def image_path(self, index: int) -> Path:
        """Return where picture number `index` lies."""
        return self._files[self.names[index]]

    def label_path(self, index: int) -> Path:
        """Return where its mask lies."""
        return self.folder / _MASKS / f"{self.names[index]}_segmentation.png"

    def labels(self, index: int) -> Labels:
        """Read the mask of picture number `index`: one lesion."""
        mask = read_mask(self.label_path(index)).astype(np.int32)
        return Labels(mask, mask)
