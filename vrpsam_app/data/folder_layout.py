"""What lies in a labelled folder: its files, and the JSON documents beside them, checked."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from vrpsam_app.errors import ConfigError, ImageFileError

Split = Literal["train", "val"]
MaskKind = Literal["instance", "semantic", "binary"]
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
MASK_SUFFIXES = (".png", ".tif", ".tiff")
SPLITS_EXAMPLE = '{"train": ["a", "b"], "val": ["c"]}'

# Words in the name of a photograph's licence that forbid sharing what was learned from it.
_NOT_FOR_SHARING = re.compile(r"non-?commercial|no-?deriv|\bnc\b|\bnd\b", re.IGNORECASE)
# Endings that name a view of one field: the whole, a quarter or a tile.
_VIEW = re.compile(r"_(full|[qt]\d+)$")


def find_pictures(root: Path) -> dict[str, tuple[Path, Path]]:
    """List the pictures of a folder by name, each with its mask."""
    for part in ("images", "masks"):
        if not (root / part).is_dir():
            raise ImageFileError(
                f"{root} has no folder {part}/: expected images/<name>.png or .jpg and "
                "masks/<name>.png."
            )
    pictures = _files_by_name(root / "images", IMAGE_SUFFIXES)
    if not pictures:
        raise ImageFileError(f"{root / 'images'} holds no pictures ({', '.join(IMAGE_SUFFIXES)}).")
    masks = _files_by_name(root / "masks", MASK_SUFFIXES)
    missing = next((name for name in pictures if name not in masks), None)
    if missing is not None:
        raise ImageFileError(
            f"{root / 'masks' / missing}.png is missing: every picture in images/ needs a label "
            "image of the same name (.png or .tif). Add it or remove the picture."
        )
    return {name: (path, masks[name]) for name, path in pictures.items()}


def _files_by_name(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """List files by name without ending, hidden ones, which macOS leaves, passed over."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in suffixes:
            continue
        name = _composed(path.stem)
        if name in found:
            raise ImageFileError(
                f"{folder} holds both {found[name].name} and {path.name}: expected one file "
                "for each name. Rename or remove one."
            )
        found[name] = path
    return found


def by_picture(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a document by the names of pictures, as `find_pictures` writes them."""
    return {_composed(name): entry for name, entry in document.items()}


def _composed(name: str) -> str:
    """Write letters with accents as one character: macOS names files otherwise than it is typed."""
    return unicodedata.normalize("NFC", name)


def read_document(path: Path) -> dict[str, Any]:
    """Read a JSON object; a file that is not there gives an empty one."""
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


def mask_kind(root: Path, meta: Mapping[str, Any]) -> MaskKind:
    """Say what the values of the masks mean."""
    kind = meta.get("kind", "instance")
    if kind not in get_args(MaskKind):
        raise ConfigError(
            f"{root / 'meta.json'}: kind is {kind!r}, expected one of "
            f"{', '.join(get_args(MaskKind))}."
        )
    checked: MaskKind = kind
    return checked


def named_classes(
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


def classes_of_objects(
    root: Path,
    details: Mapping[str, Any],
    class_names: tuple[str, ...],
    kept: set[str] | None,
) -> dict[str, dict[int, int]]:
    """Return {picture: {object number: class}}, empty where objects have no classes.

    With `kept`, objects of other classes are left out.
    """
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


def classes_of_split(root: Path, split: Split | None) -> set[str] | None:
    """Return the classes of a split, None where splits are not lists of classes."""
    splits = read_document(root / "splits.json")
    if split is None or f"{split}_classes" not in splits:
        return None
    return set(_string_list(root, splits, f"{split}_classes"))


def pictures_of_split(root: Path, split: Split | None, files: Collection[str]) -> list[str]:
    """Return the names of the pictures of a split, sorted."""
    splits = read_document(root / "splits.json")
    if split is None or f"{split}_classes" in splits:
        return sorted(files)
    if not splits:
        raise ConfigError(
            f"{root} has no splits.json, which says what to learn from and what to measure on: add "
            f"one with names of pictures, without their endings, such as {SPLITS_EXAMPLE}."
        )
    if split not in splits:
        raise ConfigError(
            f'{root / "splits.json"} has no list {split!r} or "{split}_classes" (it has '
            f"{', '.join(splits)}): add one, such as {SPLITS_EXAMPLE}."
        )
    _check_apart(root, splits)
    names = _picture_list(root, splits, split)
    missing = [name for name in names if name not in files]
    if missing:
        raise ImageFileError(
            f"{root / 'splits.json'} lists {missing[:3]} under {split!r}, but images/ has no such "
            "pictures: add them or take them off the list."
        )
    return sorted(set(names))


def lists_both_parts(root: Path) -> bool:
    """Say whether a folder's pictures are divided into those to learn from and to measure on."""
    splits = read_document(root / "splits.json")
    return bool(splits.get("train") and splits.get("val"))


def has_test_part(root: Path) -> bool:
    """Say whether a folder names pictures or classes to measure on."""
    splits = read_document(root / "splits.json")
    return bool(splits.get("val") or splits.get("val_classes"))


def _check_apart(root: Path, splits: Mapping[str, Any]) -> None:
    """Refuse parts that share a field: what was learned would be measured."""
    learned, measured = (
        {field_of(name): name for name in _picture_list(root, splits, part)}
        if part in splits
        else {}
        for part in ("train", "val")
    )
    if shared := sorted(learned.keys() & measured.keys()):
        field = shared[0]
        raise ConfigError(
            f"{root / 'splits.json'} lists {learned[field]!r} under 'train' and "
            f"{measured[field]!r} under 'val': expected no picture in both, nor two of one field, "
            "whose names differ in a last _full, _q0 or _t12 alone. Take one off its list."
        )


def _picture_list(root: Path, splits: Mapping[str, Any], key: str) -> list[str]:
    return [_composed(name) for name in _string_list(root, splits, key)]


def _string_list(root: Path, splits: Mapping[str, Any], key: str) -> list[str]:
    value = splits[key]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{root / 'splits.json'}: {key!r} must be a list of names.")
    return value


def is_restricted(entry: Mapping[str, Any]) -> bool:
    """Say whether a picture's licence forbids commercial use or derivatives."""
    return bool(_NOT_FOR_SHARING.search(str(entry.get("licence") or "")))


def pairing_group(name: str, entry: Mapping[str, Any]) -> str:
    """Pictures of one modality and one magnification: whole fields are not paired with tiles."""
    view = _VIEW.search(name)
    scale = "" if view is None else ("whole" if view.group(1) == "full" else "tile")
    return f"{entry.get('modality', '')}/{scale}"


def field_of(name: str) -> str:
    """Return the field of view that a picture shows all or part of."""
    return _VIEW.sub("", name)
