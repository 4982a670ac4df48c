"""PASCAL-5i: the twenty classes of PASCAL VOC 2012 in four folds of five, as VOC stores them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vrpsam_app.data.class_folds import (
    PASCAL_CLASSES,
    NovelRule,
    checked_fold,
    checked_rule,
    disjoint_pascal_classes,
    pascal_fold,
)
from vrpsam_app.data.folder_layout import Split
from vrpsam_app.data.labelled_dataset import (
    EVERY_CLASS,
    LabelledFiles,
    Labels,
    class_areas,
    own_fields,
    ungrouped,
)
from vrpsam_app.data.picture_lists import read_names
from vrpsam_app.errors import ConfigError, ImageError, ImageFileError
from vrpsam_app.label_files import read_labels

# A class counts in a picture that it covers this much of: two cells of a grid of stride 32.
LEAST_AREA = 2 * 32 * 32
# Label of the outlines around objects, and of what was too hard to label.
BORDER = 255
_TRAINING_LISTS = ("trainaug.txt", "train_aug.txt")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pascal5i(LabelledFiles):
    """A fold of PASCAL-5i.

    Reads ``JPEGImages/``, ``SegmentationClassAug/`` (palette or grey PNGs; for the test part VOC's
    own ``SegmentationClass/`` will do), ``ImageSets/Segmentation/`` and, where every picture has
    one, ``SegmentationObject/`` for the objects. Label 255 counts for no class.

    Published counts for the folds 0 to 3: test 364, 445, 592, 336 pictures; training 4208, 3726,
    2752, 4510 without, or 4760, 4588, 4097, 5108 with pictures that show novel classes; see
    `published_counts`.

    Attributes
    ----------
    folder : the one that holds ``JPEGImages/``
    benchmark : what its counts are compared with
    """

    folder: Path
    benchmark: str
    _label_folder: str
    _values: dict[int, int]  # VOC's label value -> class

    @classmethod
    def open(
        cls,
        folder: str | Path,
        fold: int,
        split: Split = "val",
        *,
        novel: NovelRule = "excluded",
        image_list: str | Path | None = None,
        least_area: int = LEAST_AREA,
    ) -> Pascal5i:
        """List the pictures of a fold; every label image is read once.

        Parameters
        ----------
        folder : VOC2012, or the VOCdevkit that holds it
        fold : 0 to 3
        split : "val" for the five novel classes, "train" for the fifteen others
        novel : what becomes of training pictures that show a novel class, see `NovelRule`
        image_list : file that lists the pictures, one a line: names, paths, or pairs of paths;
            by default ``val.txt``, and for training ``trainaug.txt`` (10582 pictures) or, without
            one, every picture of ``SegmentationClassAug`` that is not in ``val.txt``. The published
            counts come from a list of 5953 that circulates with PFENet.
        least_area : pixels from which a class counts in a picture

        Raises
        ------
        ImageFileError
            If a folder, a list or a picture of it is missing.
        ConfigError
            If the fold or the rule does not exist.
        """
        root = _voc_root(Path(folder))
        held_out = pascal_fold(checked_fold(fold))
        if split == "val":
            return cls._of(
                root, held_out, (), split, image_list, least_area, f"pascal-5i/val/{fold}"
            )
        if split != "train":
            raise ConfigError(f"Split {split!r} is unknown: expected 'train' or 'val'.")
        base = tuple(name for name in PASCAL_CLASSES if name not in held_out)
        banned = held_out if checked_rule(novel) == "excluded" else ()
        part = f"pascal-5i/train/{fold}/{novel}"
        return cls._of(root, base, banned, split, image_list, least_area, part)

    @classmethod
    def open_coco_disjoint(
        cls,
        folder: str | Path,
        coco_fold: int,
        *,
        image_list: str | Path | None = None,
        least_area: int = LEAST_AREA,
    ) -> Pascal5i:
        """List the test pictures for models trained on a fold of COCO-20i (COCO->PASCAL).

        Only classes that such a model has not seen are asked for; `coco_to_pascal_table` prints
        them. Parameters and errors are those of :meth:`open`.
        """
        classes = disjoint_pascal_classes(coco_fold)
        part = f"coco-to-pascal/{coco_fold}"
        root = _voc_root(Path(folder))
        return cls._of(root, classes, (), "val", image_list, least_area, part)

    @classmethod
    def _of(
        cls,
        root: Path,
        classes: Sequence[str],
        banned: Sequence[str],
        split: Split,
        image_list: str | Path | None,
        least_area: int,
        benchmark: str,
    ) -> Pascal5i:
        labels = _label_folder(root, split)
        listed = _listed(root, split, image_list)
        values = {PASCAL_CLASSES.index(name) + 1: i + 1 for i, name in enumerate(classes)}
        shut_out = [PASCAL_CLASSES.index(name) + 1 for name in banned]
        kept: dict[str, dict[int, int]] = {}
        for name in listed:
            areas = class_areas(read_labels(root / labels / f"{name}.png").astype(np.int32))
            if any(value in areas for value in shut_out):
                continue
            shown = {values[value]: area for value, area in areas.items() if value in values}
            if max(shown.values(), default=0) >= max(least_area, 1):
                kept[name] = shown
        if not kept:
            raise ImageFileError(
                f"{root / labels}: none of {len(listed)} label images shows {', '.join(classes)} "
                f"on {least_area} pixels or more: check the list, or lower least_area."
            )
        names = tuple(kept)
        objects = root / "SegmentationObject"
        dataset = cls(
            name=benchmark.replace("/", " "),
            names=names,
            class_names=tuple(classes),
            groups=ungrouped(names),
            fields=own_fields(names),
            has_instances=all((objects / f"{name}.png").is_file() for name in names),
            folder=root,
            benchmark=benchmark,
            _label_folder=labels,
            _values=values,
        )
        dataset._shown.update(enumerate(kept.values()))
        return dataset

    def counts(self) -> dict[str, int]:
        """Return the number of pictures."""
        return {"pictures": len(self.names)}

    def image_path(self, index: int) -> Path:
        """Return where picture number `index` lies."""
        return self.folder / "JPEGImages" / f"{self.names[index]}.jpg"

    def label_path(self, index: int) -> Path:
        """Return where the class labels of picture number `index` lie."""
        return self.folder / self._label_folder / f"{self.names[index]}.png"

    def labels(self, index: int) -> Labels:
        """Read classes, objects and borders of picture number `index`."""
        values = read_labels(self.label_path(index))
        classes = np.zeros(values.shape, np.int32)
        for value, class_id in self._values.items():
            classes[values == value] = class_id
        instances = np.zeros(values.shape, np.int32)
        if self.has_instances:
            path = self.folder / "SegmentationObject" / self.label_path(index).name
            objects = read_labels(path)
            if objects.shape != values.shape:
                raise ImageError(
                    f"{path} has shape {objects.shape}, {self.label_path(index)} {values.shape}: "
                    "they belong to different pictures. Copy both again."
                )
            instances = np.where((classes > 0) & (objects != BORDER), objects, 0).astype(np.int32)
        ignored = np.where(values == BORDER, EVERY_CLASS, 0).astype(np.int32)
        return Labels(instances, classes, ignored)


def _voc_root(folder: Path) -> Path:
    for root in (folder, folder / "VOC2012", folder / "VOCdevkit" / "VOC2012"):
        if (root / "JPEGImages").is_dir():
            return root
    raise ImageFileError(
        f"{folder} holds no JPEGImages/: expected the folder VOC2012 of PASCAL VOC 2012, or "
        "the VOCdevkit above it."
    )


def _label_folder(root: Path, split: Split) -> str:
    augmented = "SegmentationClassAug"
    if (root / augmented).is_dir():
        return augmented
    if split == "val" and (root / "SegmentationClass").is_dir():
        return "SegmentationClass"
    raise ImageFileError(
        f"{root} has no {augmented}/: PASCAL-5i trains on SBD's labels in VOC's format. Unpack "
        f"{augmented} there, beside JPEGImages/."
    )


def _listed(root: Path, split: Split, image_list: str | Path | None) -> list[str]:
    """Return the names of a list, each with a label image."""
    lists = root / "ImageSets" / "Segmentation"
    labels = root / _label_folder(root, split)
    if image_list is not None:
        source = Path(image_list)
    elif split == "val":
        source = lists / "val.txt"
    else:
        source = next((lists / n for n in _TRAINING_LISTS if (lists / n).is_file()), labels)
    if source == labels:
        held_out = set(read_names(lists / "val.txt"))
        names = [n for n in sorted(p.stem for p in labels.glob("*.png")) if n not in held_out]
    else:
        names = list(_unnumbered(read_names(source)))
    missing = [name for name in names if not (labels / f"{name}.png").is_file()]
    if missing:
        raise ImageFileError(
            f"{source} lists {missing[:3]}, but {labels} has no such label images "
            f"({len(missing)} of {len(names)} are missing): unpack the whole data set."
        )
    return names


def _unnumbered(names: Sequence[str]) -> Iterator[str]:
    """Yield each name once; HSNet's lists repeat it for each class, as in ``2007_000033__01``."""
    yield from dict.fromkeys(name.partition("__")[0] for name in names)
