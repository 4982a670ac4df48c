"""A folder of pictures with label images: which there are, what they show, and reading them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.data.folder_layout import (
    MaskKind,
    Split,
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
from vrpsam_app.errors import ConfigError, ImageError, ImageFileError
from vrpsam_app.image_files import read_image
from vrpsam_app.images import to_rgb

__all__ = ["FolderDataset", "LabelledImage", "Split"]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImage:
    """One picture with its labels.

    Attributes
    ----------
    name : file name without its ending
    image : shape (H, W, 3), uint8
    instances : shape (H, W), int32
        Number of the object; 0 for background, and everywhere where masks hold no objects.
    classes : shape (H, W), int32
        Class of the pixel, 1 and up in the order of `class_names`; 0 is background.
    class_names : name of each class, that of class 1 first
    """

    name: str
    image: NDArray[np.uint8]
    instances: NDArray[np.int32]
    classes: NDArray[np.int32]
    class_names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FolderDataset:
    """Pictures in ``images/`` with label images of the same name in ``masks/``.

    Beside them may lie ``meta.json`` (``kind`` of the masks, ``classes``), ``per_image.json``
    (per picture: ``objects`` {number: class name}, ``modality``, ``licence``) and ``splits.json``
    (``train`` and ``val`` lists of names, or ``train_classes`` and ``val_classes``).

    Attributes
    ----------
    folder : where it lies
    names : pictures of the split, sorted
    kind : what a value in a mask is: an object, a class, or 1 for the only class
    class_names : class 1 first
    groups : for each name, which pictures it may be paired with (same group)
    fields : for each name, the field of view; pictures of one field may overlap
    """

    folder: Path
    names: tuple[str, ...]
    kind: MaskKind
    class_names: tuple[str, ...]
    groups: Mapping[str, str]
    fields: Mapping[str, str]
    _files: Mapping[str, Path]
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
        details = read_document(root / "per_image.json")
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
            folder=root,
            names=tuple(names),
            kind=kind,
            class_names=class_names,
            groups=MappingProxyType({n: pairing_group(n, details.get(n, {})) for n in names}),
            fields=MappingProxyType({n: field_of(n) for n in names}),
            _files=MappingProxyType(files),
            _class_of=MappingProxyType(class_of),
            _class_ids=MappingProxyType(class_ids),
        )

    def __len__(self) -> int:
        """Count the pictures of the split."""
        return len(self.names)

    @property
    def has_instances(self) -> bool:
        """Whether the masks tell objects of a class apart."""
        return self.kind == "instance"

    def load(self, index: int) -> LabelledImage:
        """Read picture and labels number `index`.

        Raises
        ------
        ImageFileError
            If a file cannot be read.
        ImageError
            If picture and mask differ in size, or a mask holds values nobody has named.
        """
        values = self.load_mask(index)
        image = self.load_image(index, values.shape)
        instances, classes = self.labels(index, values)
        return LabelledImage(self.names[index], image, instances, classes, self.class_names)

    def load_image(self, index: int, mask_shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Read picture number `index`, shape (H, W, 3), which has a mask of `mask_shape`."""
        image = to_rgb(read_image(self._files[self.names[index]]))
        if image.shape[:2] != mask_shape:
            raise ImageError(
                f"{self._mask_path(index)} has shape {mask_shape}, its picture "
                f"{image.shape[:2]}: save the mask at the size of the picture."
            )
        return image

    def load_mask(self, index: int) -> NDArray[np.integer]:
        """Read the label image of picture number `index` as it is stored, shape (H, W)."""
        path = self._mask_path(index)
        values = read_image(path)
        if values.ndim != 2 or values.dtype.kind not in "bui":
            raise ImageError(
                f"{path} has shape {values.shape} and type {values.dtype}: expected one channel of "
                "whole numbers, 0 for background. Save labels as a grey PNG of 8 or 16 bits."
            )
        return values

    def labels(
        self, index: int, values: NDArray[np.integer]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Turn stored mask values into object numbers and classes, both of shape (H, W), int32.

        Objects of classes outside the split, and values that have no name, are background.
        """
        name = self.names[index]
        numbers = values.astype(np.int32)
        table = np.zeros(int(numbers.max(initial=0)) + 1, np.int32)
        if self._class_of:
            for number, class_id in self._class_of.get(name, {}).items():
                if number < len(table):
                    table[number] = class_id
        elif self.kind == "semantic":
            for value, class_id in self._class_ids.items():
                if value < len(table):
                    table[value] = class_id
            if numbers.any() and not table[numbers].any():
                raise ImageError(
                    f"{self._mask_path(index)} holds only values that meta.json does not name "
                    f'({np.unique(numbers[numbers > 0])[:5].tolist()}): correct "classes" there.'
                )
        else:
            table[1:] = 1
        classes = table[numbers]
        if not self.has_instances:
            return np.zeros_like(numbers), classes
        return np.where(classes > 0, numbers, 0).astype(np.int32), classes

    def _mask_path(self, index: int) -> Path:
        return self.folder / "masks" / f"{self.names[index]}.png"
