"""The finished data set of a review project: pictures, masks, splits, card, and how it was made."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.data.folder_layout import IMAGE_SUFFIXES, field_of, read_document
from vrpsam_app.errors import ConfigError, ImageFileError, OutputError, VRPSAMError
from vrpsam_app.image_files import MAX_PIXELS, read_image, write_image
from vrpsam_app.objects.instances import ObjectOptions, instances_of
from vrpsam_app.output_paths import prepare_folder
from vrpsam_app.progress import CancelToken, ProgressCallback, ProgressMeter
from vrpsam_app.recipe import Recipe, TargetRecord
from vrpsam_app.review.card import DatasetFacts, write_card
from vrpsam_app.review.project import ReviewProject
from vrpsam_app.review.run import recipe_path
from vrpsam_app.review.state import PictureState, Status

MADE_WITH = "vrpsam-app"
"""In ``meta.json``: tells a folder that may be replaced from one that only looks like it."""

FINISHED: tuple[Status, ...] = ("accepted", "fixed")
_EXIF_ORIENTATION = 274


def export_dataset(
    project: ReviewProject,
    folder: str | Path,
    *,
    statuses: Collection[Status] = FINISHED,
    validation_share: float = 0.2,
    licence: str = "unknown",
    objects: ObjectOptions | None = None,
    overwrite: bool = False,
    max_pixels: int = MAX_PIXELS,
    cancel: CancelToken | None = None,
    progress: ProgressCallback | None = None,
) -> DatasetFacts:
    """Write the data set, all of it or nothing.

    Parameters
    ----------
    folder : of the data set; `FolderDataset.open` reads it
        ``images/`` (the files as they are, where their format and orientation allow), ``masks/``
        (label PNGs of the same names), ``splits.json``, ``meta.json``, ``per_image.json``,
        ``README.md`` (the card), ``recipes/`` (what was asked), ``references.zip``
    statuses : which pictures; "waiting" takes masks in that nobody has looked at
    validation_share : about how many pictures go to the validation split, in [0, 1)
        Which ones follows from their pixels: pictures added later move none of the others. Views
        of one field (``a_full``, ``a_q1``, ``a_t3``) stay together.
    licence : of the pictures, for the card
    objects : write numbered objects instead of classes
    overwrite : replace a folder that exists
    cancel, progress : looked at, and told, after each picture

    Returns
    -------
    facts : DatasetFacts
        What the card says.

    Raises
    ------
    ConfigError
        If no picture has such a status, one was never asked about a class that is sought, or the
        share makes no sense.
    OutputError
        If the folder exists and `overwrite` is False, or cannot be written.
    ImageFileError
        If a picture or a mask cannot be read, or is no longer what it was.
    """
    if not 0 <= validation_share < 1:
        raise ConfigError(
            f"The share of validation is {validation_share}: expected a number from 0 to below 1."
        )
    pictures = project.state.pictures(tuple(statuses))
    pictures = [picture for picture in pictures if picture.masks]
    if not pictures:
        raise ConfigError(
            f"The project {project.folder} has no picture that is {' or '.join(statuses)}: decide "
            "on some first, with vrpsam batch list, accept and fix."
        )
    for label, names in project.unasked(tuple(statuses)).items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise ConfigError(
            f"{names[0]}{more} have no mask of {label!r}: the data set would say that it is not in "
            "them. Run the project with --redo accepted and decide again, give fixed pictures a "
            "mask of it, or reject them."
        )
    meter = ProgressMeter(len(pictures), progress, cancel=cancel)
    with _whole_folder(Path(folder).expanduser(), overwrite=overwrite) as part:
        for name in ("images", "masks", "recipes"):
            prepare_folder(part / name)
        details = {}
        for picture in pictures:
            details[picture.name] = _export_picture(project, picture, part, objects, max_pixels)
            details[picture.name]["licence"] = licence
            meter.finished(picture.name)
        splits = split_pictures(pictures, validation_share)
        recipes = _export_recipes(project, pictures, part / "recipes")
        facts = _facts_of(project, pictures, details, splits, licence, objects)
        _write_json(part / "splits.json", splits)
        _write_json(part / "meta.json", _meta_of(project.classes, licence, objects))
        _write_json(part / "per_image.json", details)
        project.library.save(part / "references.zip")
        write_card(part / "README.md", facts, recipes)
    return facts


def split_pictures(pictures: Sequence[PictureState], share: float) -> dict[str, list[str]]:
    """Return the names of the training and the validation pictures.

    A picture is drawn by the hash of its field's name; where chance gives one side nothing although
    there are two fields and a share above 0, it gets the field that came nearest.
    """
    fields: dict[str, list[str]] = {}
    for picture in pictures:
        fields.setdefault(field_of(picture.name), []).append(picture.name)
    draws = {
        field: int.from_bytes(hashlib.sha256(field.encode()).digest()[:8]) / 2**64
        for field in fields
    }
    chosen = {field for field, draw in draws.items() if draw < share}
    if len(fields) > 1 and share > 0:
        if not chosen:
            chosen = {min(draws, key=draws.__getitem__)}
        elif len(chosen) == len(fields):
            chosen.discard(max(draws, key=draws.__getitem__))
    split: dict[str, list[str]] = {"train": [], "val": []}
    for field, names in fields.items():
        split["val" if field in chosen else "train"] += names
    return {part: sorted(names) for part, names in split.items()}


def _export_picture(
    project: ReviewProject,
    picture: PictureState,
    folder: Path,
    objects: ObjectOptions | None,
    max_pixels: int,
) -> dict[str, Any]:
    """Write one picture and its mask, and return what ``per_image.json`` says of it."""
    path = project.path_of(picture)
    try:
        image = read_image(path, max_pixels=max_pixels)
        masks = project.masks_of(picture)
    except VRPSAMError as error:
        raise ImageFileError(
            f"{picture.name} cannot be exported: {error} Put the file back, or reject the picture."
        ) from error
    record = TargetRecord.from_image(picture.name, image)
    if record.sha256 != picture.sha256:
        if picture.eight_bit and image.dtype == np.uint16:
            raise ImageFileError(
                f"{path} is read with its 16 bits now; those that were reviewed were 8, as earlier "
                "releases read it. Add a copy of it under another name, and reject this one."
            )
        raise ImageFileError(
            f"{path} has other pixels than those that were reviewed. Put the old file back, or "
            "reject the picture."
        )
    _export_image(path, image, folder / "images", picture.name)
    labels, classes = _label_image(project.classes, masks, image, objects)
    write_image(folder / "masks" / f"{picture.name}.png", labels)
    pixels = {label: int(mask.sum()) for label, mask in masks.items() if mask.any()}
    details: dict[str, Any] = {
        "source": path.name,
        "sha256": picture.sha256,
        "decision": picture.status,
        "by": picture.who if picture.status != "waiting" else None,
        "at": picture.at if picture.status != "waiting" else None,
        "note": picture.note or "",
        "score": picture.certainty,
        "recipe": picture.question,
        "pixels": pixels,
    }
    if objects is not None:
        details["objects"] = {str(number): label for number, label in classes.items()}
    return details


def _export_image(path: Path, image: NDArray[Any], folder: Path, name: str) -> None:
    """Copy the file if others will see in it what was segmented, else write it as PNG."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES and _is_plain(path, image):
        try:
            shutil.copyfile(path, folder / f"{name}{suffix}")
        except OSError as error:
            raise OutputError(
                f"{path} cannot be copied to {folder} ({error.strerror or error}). Check the "
                "folder's rights and the free space."
            ) from error
    else:
        write_image(folder / f"{name}.png", image)


def _is_plain(path: Path, image: NDArray[Any]) -> bool:
    """Tell whether a file's stored pixels are what is seen: not turned by its EXIF orientation.

    Other programs read data sets without a look at it, and would lay the mask over a turned image.
    """
    if image.dtype not in (np.uint8, np.bool_):
        return True  # not from a camera
    from PIL import Image

    try:
        with Image.open(path) as stored:
            return int(stored.getexif().get(_EXIF_ORIENTATION, 1)) == 1
    except Exception:  # a TIFF that Pillow does not know
        return True


def _label_image(
    classes: Sequence[str],
    masks: Mapping[str, NDArray[np.bool_]],
    image: NDArray[Any],
    objects: ObjectOptions | None,
) -> tuple[NDArray[Any], dict[int, str]]:
    """Return a label image, and for numbered objects the class of each."""
    labels = np.zeros(image.shape[:2], np.int32)
    class_of: dict[int, str] = {}
    for label, mask in masks.items():
        if objects is None:
            labels[mask] = classes.index(label) + 1
            continue
        numbered = instances_of(mask, objects, image=image)
        count = int(numbered.max(initial=0))
        last = len(class_of)
        class_of |= {last + i: label for i in range(1, count + 1)}
        labels[numbered > 0] = numbered[numbered > 0] + last
    most = int(labels.max(initial=0))
    if most > np.iinfo(np.uint16).max:
        raise OutputError(
            f"A picture has {most} objects, more than a 16-bit PNG can number: export classes, or "
            "leave small objects out with min-area."
        )
    if objects is None and len(classes) == 1:
        return (labels > 0).astype(np.uint8) * 255, class_of  # seen in any viewer
    return labels.astype(np.uint8 if most < 256 else np.uint16), class_of


def _meta_of(classes: Sequence[str], licence: str, objects: ObjectOptions | None) -> dict[str, Any]:
    kind = "instance" if objects else ("binary" if len(classes) == 1 else "semantic")
    named = {str(i): name for i, name in enumerate(classes, start=1)}
    return {
        "kind": kind,
        "classes": named if kind == "semantic" else list(classes),
        "licence": licence,
        "made_with": MADE_WITH,
    }


def _export_recipes(
    project: ReviewProject, pictures: Sequence[PictureState], folder: Path
) -> list[tuple[str, Recipe]]:
    """Write the recipe of each question with the pictures it was asked of."""
    asked: dict[str, list[PictureState]] = {}
    for picture in pictures:
        if picture.question is not None:
            asked.setdefault(picture.question, []).append(picture)
    recipes = []
    for question, of in asked.items():
        targets = [TargetRecord(p.name, p.sha256, p.shape) for p in of if p.sha256 and p.shape]
        recipe = replace(Recipe.load(recipe_path(project, question)), targets=tuple(targets))
        recipe.save(folder / f"{question}.json")
        recipes.append((question, recipe))
    return recipes


def _facts_of(
    project: ReviewProject,
    pictures: Sequence[PictureState],
    details: Mapping[str, Mapping[str, Any]],
    splits: Mapping[str, Sequence[str]],
    licence: str,
    objects: ObjectOptions | None,
) -> DatasetFacts:
    counts = dict.fromkeys(project.classes, 0)
    pixels = dict.fromkeys(project.classes, 0)
    numbered = dict.fromkeys(project.classes, 0)
    for entry in details.values():
        for label, area in entry["pixels"].items():
            counts[label] += 1
            pixels[label] += area
        for label in entry.get("objects", {}).values():
            numbered[label] += 1
    everything = project.state.pictures()
    scores = [p.certainty for p in pictures if p.certainty is not None]
    return DatasetFacts(
        name=project.folder.resolve().name,
        licence=licence,
        pictures=len(pictures),
        train=len(splits["train"]),
        validation=len(splits["val"]),
        pictures_by_class=counts,
        pixels_by_class=pixels,
        objects_by_class=numbered if objects is not None else None,
        statuses={
            status: sum(p.status == status for p in everything)
            for status in dict.fromkeys(p.status for p in everything)
        },
        included={
            status: sum(p.status == status for p in pictures)
            for status in dict.fromkeys(p.status for p in pictures)
        },
        mean_certainty=float(np.mean(scores)) if scores else None,
        reviewers=tuple(sorted({p.who for p in pictures if p.who and p.status != "waiting"})),
        references=tuple(project.library.entries),
    )


def _write_json(path: Path, content: object) -> None:
    try:
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}).") from error


@contextmanager
def _whole_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a folder to fill that takes its name only once the block has ended well."""
    if folder.exists() and not overwrite:
        raise OutputError(
            f"{folder} exists already: choose another folder, or allow overwriting (--overwrite)."
        )
    if folder.exists() and read_document(folder / "meta.json").get("made_with") != MADE_WITH:
        raise OutputError(
            f"{folder} is not a data set that was exported here, and is not replaced: choose "
            "another folder, or remove it yourself."
        )
    prepare_folder(folder.parent)
    part = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}.part")
    try:
        part.mkdir()
        yield part
        old = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}.old")
        if folder.exists():
            os.replace(folder, old)
        os.replace(part, folder)
        shutil.rmtree(old, ignore_errors=True)
    except VRPSAMError:
        raise
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror or error}). Check the folder's rights "
            "and the free space."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
