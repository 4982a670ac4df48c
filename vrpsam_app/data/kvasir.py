"""Kvasir-SEG: polyps in the gut, the second of the two published checks out of domain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from vrpsam_app.data.labelled_dataset import LabelledFiles, Labels, own_fields, ungrouped
from vrpsam_app.errors import ImageFileError
from vrpsam_app.image_files import read_mask

# Smaller parts of a mask are traces of its JPEG compression, not polyps.
LEAST_POLYP = 30


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Kvasir(LabelledFiles):
    """Kvasir-SEG: pictures with one polyp or more.

    Reads ``images/*.jpg`` and ``masks/*.jpg``, whose masks are where they are brighter than half;
    each connected part of 30 pixels or more is a polyp.

    Published counts: 1000 pictures.

    Attributes
    ----------
    folder : holds ``images/`` and ``masks/``
    """

    folder: Path

    @classmethod
    def open(cls, folder: str | Path) -> Kvasir:
        """List the pictures without reading them.

        Raises
        ------
        ImageFileError
            If a folder or a mask is missing.
        """
        root = Path(folder)
        for part in ("images", "masks"):
            if not (root / part).is_dir():
                raise ImageFileError(
                    f"{root} has no {part}/: expected Kvasir-SEG as it is unpacked."
                )
        names = tuple(sorted(path.stem for path in (root / "images").glob("*.jpg")))
        if not names:
            raise ImageFileError(f"{root / 'images'} holds no *.jpg: unpack Kvasir-SEG again.")
        for name in names:
            if not (root / "masks" / f"{name}.jpg").is_file():
                raise ImageFileError(
                    f"{root / 'masks' / name}.jpg is missing: every picture of Kvasir-SEG has a "
                    "mask of the same name. Unpack the whole data set."
                )
        return cls(
            name="kvasir-seg",
            names=names,
            class_names=("polyp",),
            groups=ungrouped(names),
            fields=own_fields(names),
            has_instances=True,
            folder=root,
        )

    @property
    def benchmark(self) -> str:
        """What its counts are compared with."""
        return "kvasir-seg"

    def counts(self) -> dict[str, int]:
        """Return the number of pictures."""
        return {"pictures": len(self.names)}

    def image_path(self, index: int) -> Path:
        """Return where picture number `index` lies."""
        return self.folder / "images" / f"{self.names[index]}.jpg"

    def label_path(self, index: int) -> Path:
        """Return where its mask lies."""
        return self.folder / "masks" / f"{self.names[index]}.jpg"

    def labels(self, index: int) -> Labels:
        """Read the mask of picture number `index` and number its polyps."""
        mask = read_mask(self.label_path(index))
        parts, _ = ndimage.label(mask)
        small = np.bincount(parts.ravel()) < LEAST_POLYP
        instances = np.where(small[parts], 0, parts).astype(np.int32)
        return Labels(instances, mask.astype(np.int32))
