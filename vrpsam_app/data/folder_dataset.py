"""A folder of pictures with label images: which there are, what they show, and reading them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from vrpsam_app.data.folder_layout import (
    MaskKind,
    Split,
    by_picture,
    classes_of_objects,
    classes_of_split,
    field_of,
    find_pictures,
    is_restricted,
    mask_kind,
    named_classes,
    pairing_group,
    pictures_of_split,
    read_document,
)
from vrpsam_app.data.labelled_dataset import LabelledFiles, Labels
from vrpsam_app.errors import ConfigError, ImageError, ImageFileError
from vrpsam_app.label_files import read_labels
from vrpsam_app.label_images import check_labels, count_objects

__all__ = ["FolderDataset", "Split"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FolderDataset(LabelledFiles):
    """Pictures in ``images/`` with label images of the same name in ``masks/``.

    Beside them may lie ``meta.json`` (``kind`` of the masks, ``classes``), ``per_image.json``
    (per picture: ``objects`` {number: class name}, ``modality``, ``licence``) and ``splits.json``
    (``train`` and ``val`` lists of names, or ``train_classes`` and ``val_classes``). Names that
    differ in a last ``_full``, ``_q0`` or ``_t12`` alone are views of one field: the whole, a
    quarter, a tile. Those are never paired.

    Attributes
    ----------
    folder : where it lies
    kind : what a value in a mask is: an object ("instance"), a class ("semantic"), or, whatever it
        is, the only class ("binary")
    """

    folder: Path
    kind: MaskKind
    _files: Mapping[str, tuple[Path, Path]]  # picture and mask
    _class_of: Mapping[str, Mapping[int, int]]
    _class_ids: Mapping[int, int]

    @classmethod
    def open(
        cls,
        folder: str | Path,
        split: Split | None = None,
        *,
        leave_out_restricted: bool | None = None,
    ) -> FolderDataset:
        """List the pictures of a folder without reading them.

        Parameters
        ----------
        folder : holds ``images/`` and ``masks/``
        split : "train", "val" or None for everything; where splits are lists of classes, pictures
            with at least one object of the split's classes, the other classes being background
        leave_out_restricted : whether to leave out pictures whose licence in ``per_image.json``
            forbids commercial use or derivatives (one without a licence stays); None does so in
            the training split

        Raises
        ------
        ImageFileError
            If a folder, a file or a mask is missing.
        ConfigError
            If a JSON file cannot be understood; the message names it and what to change.
        """
        root = Path(folder)
        if split is not None and split not in get_args(Split):
            raise ConfigError(f"Split {split!r} is unknown: expected 'train', 'val' or None.")
        files = find_pictures(root)
        meta = read_document(root / "meta.json")
        details = by_picture(read_document(root / "per_image.json"))
        for name, entry in details.items():
            if not isinstance(entry, dict):
                raise ConfigError(
                    f"{root / 'per_image.json'}: entry {name!r} is {type(entry).__name__}, "
                    'expected an object such as {"modality": "..."}.'
                )
        kind = mask_kind(root, meta)
        class_names, class_ids = named_classes(root, meta, details, kind)
        kept = classes_of_split(root, split)
        class_of = classes_of_objects(root, details, class_names, kept)
        names = pictures_of_split(root, split, files)
        if leave_out_restricted if leave_out_restricted is not None else split == "train":
            names = [n for n in names if not is_restricted(details.get(n, {}))]
        if class_of:
            names = [n for n in names if class_of.get(n)]
        if not names:
            raise ImageFileError(
                f"{root} has no picture for the split {split!r}: check splits.json and images/."
            )
        return cls(
            name=root.name,
            folder=root,
            names=tuple(names),
            kind=kind,
            class_names=class_names,
            groups={n: pairing_group(n, details.get(n, {})) for n in names},
            fields={n: field_of(n) for n in names},
            has_instances=kind == "instance",
            _files=files,
            _class_of=class_of,
            _class_ids=class_ids,
        )

    def image_path(self, index: int) -> Path:
        """Return where picture number `index` lies."""
        return self._files[self.names[index]][0]

    def label_path(self, index: int) -> Path:
        """Return where the mask of picture number `index` lies."""
        return self._files[self.names[index]][1]

    def labels(self, index: int) -> Labels:
        """Read object numbers and classes of picture number `index`.

        Objects of classes outside the split, and values that have no name, are background. Objects
        keep their numbers, unless one is higher than pixels are many: they are then 1, 2, ... N.

        Raises
        ------
        ImageFileError
            If the mask cannot be read.
        ImageError
            If it holds no whole numbers from 0, or only values that nobody has named.
        """
        path = self.label_path(index)
        stored = check_labels(read_labels(path), name=str(path))
        counts = count_objects(stored)
        values = [0, *counts.ids.tolist()]
        if self._class_of or self.kind == "semantic":
            of_objects = self._class_of.get(self.names[index], {})
            named = of_objects if self._class_of else self._class_ids
            table = np.array([named.get(value, 0) for value in values], np.int32)
        else:
            table = np.array([value > 0 for value in values], np.int32)
        classes = table[counts.dense]
        if not self._class_of and len(values) > 1 and not classes.any():
            raise ImageError(
                f"{path} holds only values that meta.json does not name ({values[1:6]}): correct "
                '"classes" there.'
            )
        if not self.has_instances:
            return Labels(np.zeros_like(counts.dense), classes)
        # Tables of numbers higher than pixels are many would fill the memory.
        numbers = stored if values[-1] <= max(stored.size, 2**16) else counts.dense
        return Labels(np.where(classes > 0, numbers, 0).astype(np.int32), classes)
