"""A folder of pictures with label images: which there are, what they show, and reading them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError, ImageError, ImageFileError
from vrpsam_app.image_files import read_image
from vrpsam_app.images import to_rgb

Split = Literal["train", "val"]
MaskKind = Literal["instance", "semantic", "binary"]
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")

# Words in the name of a photograph's licence that forbid sharing what was learned from it.
_NOT_FOR_SHARING = re.compile(r"non-?commercial|no-?deriv|\bnc\b|\bnd\b", re.IGNORECASE)
# Endings that name a view of one field: the whole, a quarter or a tile.
_VIEW = re.compile(r"_(full|[qt]\d+)$")


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
            forbids commercial use or derivatives; None does so in the training split

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
        files = _image_files(root)
        meta = _read_json(root / "meta.json")
        details = _read_json(root / "per_image.json")
        for name, entry in details.items():
            if not isinstance(entry, dict):
                raise ConfigError(
                    f"{root / 'per_image.json'}: entry {name!r} is {type(entry).__name__}, "
                    'expected an object such as {"modality": "..."}.'
                )
        kind = _mask_kind(root, meta)
        class_names, class_ids = _classes(root, meta, details, kind)
        kept = _split_classes(root, split)
        names = _split_names(root, split, files)
        if leave_out_restricted if leave_out_restricted is not None else split == "train":
            names = [n for n in names if not _restricted(details.get(n, {}))]
        class_of = _object_classes(root, details, class_names, kept)
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
            groups=MappingProxyType({n: _group(n, details.get(n, {})) for n in names}),
            fields=MappingProxyType({n: _VIEW.sub("", n) for n in names}),
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
        image = self.load_image(index)
        values = self.load_mask(index)
        if values.shape != image.shape[:2]:
            raise ImageError(
                f"{self._mask_path(index)} has shape {values.shape}, its picture "
                f"{image.shape[:2]}: save the mask at the size of the picture."
            )
        instances, classes = self.labels(index, values)
        return LabelledImage(self.names[index], image, instances, classes, self.class_names)

    def load_image(self, index: int) -> NDArray[np.uint8]:
        """Read picture number `index`, shape (H, W, 3)."""
        return to_rgb(read_image(self._files[self.names[index]]))

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


def _image_files(root: Path) -> dict[str, Path]:
    for part in ("images", "masks"):
        if not (root / part).is_dir():
            raise ImageFileError(
                f"{root} has no folder {part}/: expected images/<name>.png or .jpg and "
                "masks/<name>.png."
            )
    files = {
        path.stem: path
        for path in sorted((root / "images").iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES
    }
    if not files:
        raise ImageFileError(f"{root / 'images'} holds no pictures ({', '.join(IMAGE_SUFFIXES)}).")
    for name in files:
        if not (root / "masks" / f"{name}.png").is_file():
            raise ImageFileError(
                f"{root / 'masks' / name}.png is missing: every picture in images/ needs a label "
                "image of the same name. Add it or remove the picture."
            )
    return files


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(
            f"{path} is not readable JSON ({error}): correct or remove it."
        ) from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds a {type(content).__name__}: expected one JSON object.")
    return content


def _mask_kind(root: Path, meta: Mapping[str, Any]) -> MaskKind:
    kind = meta.get("kind", "instance")
    if kind not in get_args(MaskKind):
        raise ConfigError(
            f"{root / 'meta.json'}: kind is {kind!r}, expected one of "
            f"{', '.join(get_args(MaskKind))}."
        )
    checked: MaskKind = kind
    return checked


def _classes(
    root: Path, meta: Mapping[str, Any], details: Mapping[str, Any], kind: MaskKind
) -> tuple[tuple[str, ...], dict[int, int]]:
    """Return the class names and, for semantic masks, the class that each mask value stands for."""
    classes = meta.get("classes", ["object"])
    if not isinstance(classes, list | dict) or not classes:
        raise ConfigError(
            f"{root / 'meta.json'}: classes is {classes!r}, expected a list of names or an object "
            'such as {"1": "cell"}.'
        )
    if isinstance(classes, list):
        return tuple(map(str, classes)), {i + 1: i + 1 for i in range(len(classes))}
    if all(str(key).isdigit() for key in classes):
        order = sorted(classes, key=int)
        return tuple(str(classes[k]) for k in order), {int(k): i + 1 for i, k in enumerate(order)}
    if kind == "semantic":
        raise ConfigError(
            f"{root / 'meta.json'}: semantic masks need classes by mask value, such as "
            f'{{"1": "cell"}}; got the names {list(classes)[:3]}.'
        )
    # Names with counts; which object is which stands in per_image.json.
    named = {n for e in details.values() for n in _objects_of(root, e).values()}
    return tuple(sorted(named | set(classes))), {}


def _objects_of(root: Path, entry: Mapping[str, Any]) -> dict[int, str]:
    objects = entry.get("objects", {})
    if not isinstance(objects, dict) or not all(str(k).isdigit() for k in objects):
        raise ConfigError(
            f"{root / 'per_image.json'}: objects is {str(objects)[:60]}, expected an object such "
            'as {"1": "dog"} from mask value to class name.'
        )
    return {int(number): str(name) for number, name in objects.items()}


def _object_classes(
    root: Path,
    details: Mapping[str, Any],
    class_names: tuple[str, ...],
    kept: set[str] | None,
) -> dict[str, dict[int, int]]:
    if not any("objects" in entry for entry in details.values()):
        if kept is not None:
            raise ConfigError(
                f"{root / 'splits.json'} lists classes, but {root / 'per_image.json'} does not say "
                'which object is of which class: add "objects", or list images under "train".'
            )
        return {}
    ids = {name: i + 1 for i, name in enumerate(class_names)}
    unknown = sorted((kept or set()) - set(ids))
    if unknown:
        raise ConfigError(
            f"{root / 'splits.json'} names the classes {unknown[:3]}, which no picture has: remove "
            "them or correct their spelling."
        )
    return {
        name: {
            number: ids[label]
            for number, label in _objects_of(root, entry).items()
            if kept is None or label in kept
        }
        for name, entry in details.items()
    }


def _split_classes(root: Path, split: Split | None) -> set[str] | None:
    splits = _read_json(root / "splits.json")
    if split is None or f"{split}_classes" not in splits:
        return None
    return set(_string_list(root, splits, f"{split}_classes"))


def _split_names(root: Path, split: Split | None, files: Mapping[str, Path]) -> list[str]:
    splits = _read_json(root / "splits.json")
    if split is None or f"{split}_classes" in splits:
        return sorted(files)
    if split not in splits:
        raise ConfigError(
            f'{root / "splits.json"} has no list {split!r} or "{split}_classes" (it has '
            f"{', '.join(splits) or 'nothing'}): add one, or open the folder with split=None."
        )
    names = _string_list(root, splits, split)
    missing = [name for name in names if name not in files]
    if missing:
        raise ImageFileError(
            f"{root / 'splits.json'} lists {missing[:3]} under {split!r}, but images/ has no such "
            "pictures: add them or take them off the list."
        )
    return sorted(set(names))


def _string_list(root: Path, splits: Mapping[str, Any], key: str) -> list[str]:
    value = splits[key]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{root / 'splits.json'}: {key!r} must be a list of names.")
    return value


def _restricted(entry: Mapping[str, Any]) -> bool:
    return bool(_NOT_FOR_SHARING.search(str(entry.get("licence") or "")))


def _group(name: str, entry: Mapping[str, Any]) -> str:
    """Pictures of one modality and one magnification: whole fields are not paired with tiles."""
    view = _VIEW.search(name)
    scale = "" if view is None else ("whole" if view.group(1) == "full" else "tile")
    return f"{entry.get('modality', '')}/{scale}"
