"""DAVIS-2017: short films in which every frame is labelled, each object a class of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vrpsam_app.data.folder_layout import Split
from vrpsam_app.data.labelled_dataset import (
    EVERY_CLASS,
    LabelledFiles,
    Labels,
    own_fields,
    ungrouped,
)
from vrpsam_app.data.picture_lists import read_lines
from vrpsam_app.errors import ConfigError, ImageFileError
from vrpsam_app.label_files import read_labels

# Label of pixels that DAVIS' own evaluation leaves out.
VOID = 255


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Davis2017(LabelledFiles):
    """The films of a part of DAVIS-2017.

    Reads ``JPEGImages/480p/<film>/00000.jpg``, ``Annotations/480p/<film>/00000.png`` (palette PNGs,
    the index is the object) and ``ImageSets/2017/<split>.txt``. The objects of a film are those of
    its first frame; each is a class ``<film>/<number>`` with one instance a frame. Published
    results take the first frame as the reference and all others as targets
    (`first_picture_episodes`).

    Published counts: 60 films to train, 30 to validate.

    Attributes
    ----------
    folder : holds ``JPEGImages/``
    benchmark : what its counts are compared with
    films : the films of the part, in the order of its list
    """

    folder: Path
    benchmark: str
    films: tuple[str, ...]
    _classes_of: dict[str, dict[int, int]]  # film -> label value -> class

    @classmethod
    def open(cls, folder: str | Path, split: Split = "val") -> Davis2017:
        """List the frames; of each film the first label image is read.

        Raises
        ------
        ImageFileError
            If a folder, the list, a film or a label image is missing.
        ConfigError
            If the split does not exist.
        """
        root = Path(folder)
        if split not in ("train", "val"):
            raise ConfigError(f"Split {split!r} is unknown: expected 'train' or 'val'.")
        for part in ("JPEGImages", "Annotations"):
            if not (root / part / "480p").is_dir():
                raise ImageFileError(
                    f"{root} has no {part}/480p/: expected DAVIS-2017 trainval at 480p, for "
                    "semi-supervised segmentation."
                )
        films = tuple(read_lines(root / "ImageSets" / "2017" / f"{split}.txt"))
        names: list[str] = []
        class_names: list[str] = []
        classes_of: dict[str, dict[int, int]] = {}
        for film in films:
            frames = _frames(root, film)
            names += [f"{film}/{frame}" for frame in frames]
            first = root / "Annotations" / "480p" / film / f"{frames[0]}.png"
            numbers = [int(v) for v in np.unique(read_labels(first)) if v not in (0, VOID)]
            if not numbers:
                raise ImageFileError(
                    f"{first} labels no object, but the first frame of a film names them all: "
                    "unpack the annotations again."
                )
            classes_of[film] = {v: len(class_names) + i + 1 for i, v in enumerate(numbers)}
            class_names += [f"{film}/{number}" for number in numbers]
        listed = tuple(names)
        return cls(
            name=f"davis-2017 {split}",
            names=listed,
            class_names=tuple(class_names),
            groups=ungrouped(listed),
            fields=own_fields(listed),
            has_instances=True,
            folder=root,
            benchmark=f"davis-2017/{split}",
            films=films,
            _classes_of=classes_of,
        )

    def counts(self) -> dict[str, int]:
        """Return the numbers of frames, films and objects."""
        return {
            "pictures": len(self.names),
            "sequences": len(self.films),
            "classes": len(self.class_names),
        }

    def image_path(self, index: int) -> Path:
        """Return where frame number `index` lies."""
        return self.folder / "JPEGImages" / "480p" / f"{self.names[index]}.jpg"

    def label_path(self, index: int) -> Path:
        """Return where its label image lies."""
        return self.folder / "Annotations" / "480p" / f"{self.names[index]}.png"

    def labels(self, index: int) -> Labels:
        """Read the objects of frame number `index`."""
        values = read_labels(self.label_path(index)).astype(np.int32)
        classes = np.zeros_like(values)
        for value, class_id in self._classes_of[self.names[index].rpartition("/")[0]].items():
            classes[values == value] = class_id
        ignored = np.where(values == VOID, EVERY_CLASS, 0).astype(np.int32)
        return Labels(np.where(classes > 0, values, 0).astype(np.int32), classes, ignored)


def _frames(root: Path, film: str) -> list[str]:
    """Return the frames of a film that have labels, in order."""
    labelled = sorted(p.stem for p in (root / "Annotations" / "480p" / film).glob("*.png"))
    if not labelled:
        raise ImageFileError(
            f"{root / 'Annotations' / '480p' / film} holds no label images, though the list names "
            "the film: unpack the annotations of the whole part."
        )
    pictures = root / "JPEGImages" / "480p" / film
    missing = next((n for n in labelled if not (pictures / f"{n}.jpg").is_file()), None)
    if missing is not None:
        raise ImageFileError(
            f"{pictures / missing}.jpg is missing, though it has labels: unpack JPEGImages again."
        )
    return labelled
