"""COCO-20i: the eighty classes of COCO in four folds of twenty, from COCO's own instances file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vrpsam_app.data.class_folds import (
    COCO_CLASSES,
    NovelRule,
    checked_fold,
    checked_rule,
    coco_fold,
)
from vrpsam_app.data.folder_layout import Split
from vrpsam_app.data.labelled_dataset import LabelledFiles, Labels, own_fields, ungrouped
from vrpsam_app.errors import ConfigError, ImageFileError
from vrpsam_app.exchange.coco_masks import decode_segmentation, require_pycocotools

# As for PASCAL-5i: two cells of a grid of stride 32.
LEAST_AREA = 2 * 32 * 32

_ANNOTATION_FIELDS = frozenset({"id", "iscrowd", "area", "segmentation"})

Release = Literal["2014", "2017"]


@dataclass(frozen=True, slots=True)
class _Object:
    """One annotation of a class of the split."""

    id: int
    class_id: int
    crowd: bool
    area: float
    segmentation: object


@dataclass(frozen=True, slots=True)
class _Picture:
    """One picture of the instances file and its annotations."""

    path: Path
    hw: tuple[int, int]
    objects: tuple[_Object, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Coco20i(LabelledFiles):
    """A fold of COCO-20i.

    Reads ``annotations/instances_<part><release>.json`` and the pictures in ``<part><release>/`` or
    ``images/<part><release>/``; grey pictures become RGB. Where objects overlap, a pixel belongs to
    the smallest. A crowd belongs to no object: its pixels are left out of what is asked of its
    class.

    Published counts for the test part: folds 1 to 3 have 15305, 13138 and 12640 pictures; see
    `published_counts`. They were counted on label images of another making, so a few more or less
    are no sign of a broken copy.

    Attributes
    ----------
    benchmark : what its counts are compared with
    annotations : the instances file
    """

    benchmark: str
    annotations: Path
    _pictures: Mapping[str, _Picture]

    @classmethod
    def open(
        cls,
        folder: str | Path,
        fold: int,
        split: Split = "val",
        *,
        novel: NovelRule = "excluded",
        release: Release = "2014",
        least_area: float = LEAST_AREA,
    ) -> Coco20i:
        """List the pictures of a fold, without reading them.

        Parameters
        ----------
        folder : holds ``annotations/`` and the pictures
        fold : 0 to 3
        split : "val" for the twenty novel classes in COCO's validation part, "train" for the sixty
            others in its training part
        novel : what becomes of training pictures that show a novel class, see `NovelRule`; a
            crowd counts as shown
        release : "2014", by which COCO-20i is published, or "2017"
        least_area : pixels from which a class counts in a picture, as the file states areas

        Raises
        ------
        ImageFileError
            If the instances file or the folder of pictures is missing.
        ConfigError
            If the file is no instances file of COCO, or fold, split or rule do not exist.
        MissingExtraError
            If pycocotools is not installed.
        """
        require_pycocotools()
        if split not in ("train", "val"):
            raise ConfigError(f"Split {split!r} is unknown: expected 'train' or 'val'.")
        held_out = coco_fold(checked_fold(fold))
        base = tuple(name for name in COCO_CLASSES if name not in held_out)
        classes = held_out if split == "val" else base
        banned = split == "train" and checked_rule(novel) == "excluded"
        root = Path(folder)
        path = root / "annotations" / f"instances_{split}{release}.json"
        document = _read_instances(path)
        shown = _pictures_of(path, document, _image_folder(root, f"{split}{release}"))
        numbers = {name: i + 1 for i, name in enumerate(classes)}
        kept: dict[str, _Picture] = {}
        for name, (picture, labelled) in sorted(shown.items()):
            if banned and any(label in held_out for label, _ in labelled):
                continue
            objects = tuple(
                _Object(a["id"], numbers[label], bool(a["iscrowd"]), a["area"], a["segmentation"])
                for label, a in labelled
                if label in numbers
            )
            areas = _areas(objects)
            if max(areas.values(), default=0) >= max(least_area, 1):
                kept[name] = _Picture(picture.path, picture.hw, objects)
        if not kept:
            raise ImageFileError(
                f"{path} has no picture with a class of fold {fold} on {least_area:.0f} pixels or "
                "more: use COCO's whole file, or lower least_area."
            )
        part = f"coco-20i/val/{fold}" if split == "val" else f"coco-20i/train/{fold}/{novel}"
        names = tuple(kept)
        dataset = cls(
            name=part.replace("/", " "),
            names=names,
            class_names=classes,
            groups=ungrouped(names),
            fields=own_fields(names),
            has_instances=True,
            benchmark=part,
            annotations=path,
            _pictures=kept,
        )
        dataset._shown.update((i, _areas(p.objects)) for i, p in enumerate(kept.values()))
        return dataset

    def counts(self) -> dict[str, int]:
        """Return the number of pictures."""
        return {"pictures": len(self.names)}

    def image_path(self, index: int) -> Path:
        """Return where picture number `index` lies."""
        return self._pictures[self.names[index]].path

    def label_path(self, index: int) -> Path:
        """Return the instances file, which holds the labels of all pictures."""
        return self.annotations

    def labels(self, index: int) -> Labels:
        """Draw the objects of picture number `index`; those in front are drawn last."""
        picture = self._pictures[self.names[index]]
        instances, classes, ignored = (np.zeros(picture.hw, np.int32) for _ in range(3))
        order = sorted(enumerate(picture.objects, start=1), key=lambda item: -item[1].area)
        for number, thing in order:
            where = f"{self.annotations}: annotation {thing.id}"
            mask = decode_segmentation(thing.segmentation, picture.hw, where)
            if thing.crowd:
                ignored[mask] = thing.class_id
            else:
                instances[mask], classes[mask] = number, thing.class_id
        return Labels(instances, classes, ignored)


def _areas(objects: tuple[_Object, ...]) -> dict[int, int]:
    """Return the pixels of each class that is there, as the file states them; crowds add none."""
    areas: dict[int, float] = {}
    for thing in objects:
        areas[thing.class_id] = areas.get(thing.class_id, 0.0) + thing.area * (not thing.crowd)
    return {class_id: round(area) for class_id, area in sorted(areas.items())}


def _read_instances(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ImageFileError(
            f"{path} cannot be read ({error.strerror}): unpack COCO's annotations_trainval into "
            "annotations/."
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(
            f"{path} is not readable JSON ({error}): download COCO's annotations again."
        ) from error
    parts = ("images", "annotations", "categories")
    if not isinstance(document, dict) or not all(isinstance(document.get(p), list) for p in parts):
        raise ConfigError(f"{path} is no instances file of COCO: expected the lists {parts}.")
    try:
        named = {c["id"]: c["name"] for c in document["categories"]}
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{path} has categories without id and name ({error!r}).") from error
    names = tuple(named[i] for i in sorted(named))
    if names != COCO_CLASSES:
        raise ConfigError(
            f"{path} has {len(names)} categories ({', '.join(map(str, names[:3]))} ...): expected "
            "COCO's 80. Folds are made of those; for other classes use a labelled folder."
        )
    document["named"] = named
    return document


def _pictures_of(
    path: Path, document: Mapping[str, Any], images: Path
) -> dict[str, tuple[_Picture, list[tuple[str, dict[str, Any]]]]]:
    """Return each picture by name, with its annotations and their class names."""
    try:
        pictures: dict[int, tuple[_Picture, list[tuple[str, dict[str, Any]]]]] = {
            image["id"]: (
                _Picture(images / image["file_name"], (image["height"], image["width"]), ()),
                [],
            )
            for image in document["images"]
        }
        for annotation in document["annotations"]:
            label = document["named"][annotation["category_id"]]
            missing = _ANNOTATION_FIELDS - annotation.keys()
            if missing:
                raise KeyError(min(missing))
            pictures[annotation["image_id"]][1].append((label, annotation))
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} lacks {error}, which every picture or annotation of an instances file has: "
            "use COCO's instances_*.json, not captions or key points."
        ) from error
    return {picture.path.stem: (picture, labelled) for picture, labelled in pictures.values()}


def _image_folder(root: Path, part: str) -> Path:
    for folder in (root / part, root / "images" / part):
        if folder.is_dir():
            return folder
    raise ImageFileError(f"{root} has neither {part}/ nor images/{part}/: unpack {part}.zip there.")
