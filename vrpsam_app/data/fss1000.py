"""FSS-1000: a thousand classes with ten pictures each, one object a picture."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np

from vrpsam_app.data.labelled_dataset import LabelledFiles, Labels, own_fields, ungrouped
from vrpsam_app.data.picture_lists import read_lines
from vrpsam_app.errors import ConfigError, ImageFileError
from vrpsam_app.image_files import read_image

FssSplit = Literal["train", "val", "test"]
# Names of the lists that circulate with few-shot code, by split.
_LISTS = {"train": ("train.txt", "trn.txt"), "val": ("val.txt",), "test": ("test.txt",)}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Fss1000(LabelledFiles):
    """FSS-1000, or a part of its classes.

    Reads ``<class>/<1 to 10>.jpg`` and ``.png``. A mask is the object where it is brighter than
    half. The one labelled object of a picture is its only instance. Pictures of another class count
    as not showing a class, though nobody has looked for it there.

    Published counts: 1000 classes of ten pictures; 520 to train, 240 to validate, 240 to test.

    Attributes
    ----------
    folder : holds a folder for each class
    benchmark : what its counts are compared with
    """

    folder: Path
    benchmark: str
    _class_of: dict[str, int]

    @classmethod
    def open(
        cls,
        folder: str | Path,
        split: FssSplit | None = "test",
        *,
        class_list: str | Path | None = None,
    ) -> Fss1000:
        """List the pictures without reading them.

        Parameters
        ----------
        folder : holds a folder for each class
        split : None for every class. The authors published the test classes, which come with this
            package; for "train" and "val", which others drew at random, a list is looked for in the
            folder and in its ``splits/``
        class_list : a text file of classes, one a line, instead of those

        Raises
        ------
        ImageFileError
            If a folder, a list, a picture or a mask is missing.
        ConfigError
            If the split does not exist or has no list.
        """
        root = Path(folder)
        if not root.is_dir():
            raise ImageFileError(
                f"{root} is no folder: expected FSS-1000, a folder for each class."
            )
        folders = sorted(p.name for p in root.iterdir() if p.is_dir() and any(p.glob("*.png")))
        if not folders:
            raise ImageFileError(
                f"{root} has no folders with masks: expected <class>/1.jpg and <class>/1.png."
            )
        classes = _classes(root, split, class_list, folders)
        class_of: dict[str, int] = {}
        for number, label in enumerate(classes, start=1):
            for path in sorted((root / label).glob("*.jpg"), key=lambda p: (len(p.stem), p.stem)):
                if not path.with_suffix(".png").is_file():
                    raise ImageFileError(
                        f"{path.with_suffix('.png')} is missing: every picture of FSS-1000 has a "
                        "mask of the same name. Unpack the whole data set."
                    )
                class_of[f"{label}/{path.stem}"] = number
        names = tuple(class_of)
        return cls(
            name=f"fss-1000 {split or 'all'}",
            names=names,
            class_names=classes,
            groups=ungrouped(names),
            fields=own_fields(names),
            has_instances=True,
            folder=root,
            benchmark="fss-1000/listed" if class_list else f"fss-1000/{split or 'all'}",
            _class_of=class_of,
        )

    def counts(self) -> dict[str, int]:
        """Return the numbers of pictures and classes."""
        return {"pictures": len(self.names), "classes": len(self.class_names)}

    def image_path(self, index: int) -> Path:
        """Return where picture number `index` lies."""
        return self.folder / f"{self.names[index]}.jpg"

    def label_path(self, index: int) -> Path:
        """Return where its mask lies."""
        return self.folder / f"{self.names[index]}.png"

    def labels(self, index: int) -> Labels:
        """Read the mask of picture number `index`: one object of one class."""
        pixels = read_image(self.label_path(index))
        plane = pixels if pixels.ndim == 2 else pixels[..., 0]
        mask = plane if plane.dtype == np.bool_ else plane >= 128
        return Labels(
            mask.astype(np.int32), mask.astype(np.int32) * self._class_of[self.names[index]]
        )


def _classes(
    root: Path, split: str | None, class_list: str | Path | None, folders: list[str]
) -> tuple[str, ...]:
    """Return the folders of the classes of a split, sorted."""
    if class_list is not None:
        source = str(class_list)
        wanted = read_lines(Path(class_list))
    elif split is None:
        return tuple(folders)
    elif split not in _LISTS:
        raise ConfigError(f"Split {split!r} is unknown: expected 'train', 'val', 'test' or None.")
    else:
        places = [root / part / name for part in ("", "splits") for name in _LISTS[split]]
        found = next((place for place in places if place.is_file()), None)
        if found is None and split != "test":
            raise ConfigError(
                f"{root} has no list of the classes of {split!r}: put {_LISTS[split][-1]} there, "
                "or name one as class_list."
            )
        source = str(found or "the published test list")
        wanted = read_lines(found) if found else published_test_classes()
    # The published list writes abe's_flyingfish, the folder is abes_flyingfish.
    by_letters = {_letters(name): name for name in folders}
    missing = sorted(name for name in wanted if _letters(name) not in by_letters)
    if missing:
        raise ImageFileError(
            f"{root} lacks {len(missing)} of {len(wanted)} classes of {source}, such as "
            f"{missing[:3]}: unpack the whole data set."
        )
    return tuple(sorted({by_letters[_letters(name)] for name in wanted}))


def published_test_classes() -> list[str]:
    """Return the 240 test classes that the authors of FSS-1000 published."""
    text = files("vrpsam_app.data").joinpath("fss1000_test_classes.txt")
    return text.read_text(encoding="utf-8").split()


def _letters(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
