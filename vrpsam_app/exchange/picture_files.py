"""Files of objects and the pictures they belong to: by their names, with classes from a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotation_types import check_same_size
from vrpsam_app.errors import AnnotationError, ConfigError, ObjectFileError
from vrpsam_app.exchange.formats import read_objects
from vrpsam_app.exchange.object_plane import DEFAULT_CLASS, ObjectPlane, joined_planes
from vrpsam_app.exchange.picture_names import PictureFolder
from vrpsam_app.exchange.yolo import is_yolo
from vrpsam_app.image_files import MAX_PIXELS
from vrpsam_app.label_images import mask_of
from vrpsam_app.output_paths import free_name, image_stem, plan_outputs, result_stems
from vrpsam_app.stacks.stack_files import open_stack

# What this program, and others, put behind the name of a picture when they write its labels; of two
# files of a picture the second was made from the first.
_ENDINGS = ("_mask", "_labels", "_cp_masks", "_masks", "_rois", "_seg", "_objects")


def picture_stem(path: Path) -> str:
    """Return the name of the picture that labels or a mask belong to, without its ending.

    Examples
    --------
    >>> picture_stem(Path("plate/a1_cp_masks.png")), picture_stem(Path("a1_objects.ome.tif"))
    ('a1', 'a1')
    """
    return image_stem(path).removesuffix(_ending_of(path)).removesuffix(".ome")


def labels_among(paths: Sequence[Path]) -> list[Path]:
    """Return the masks or labels among files, and not what was made of them.

    Parameters
    ----------
    paths : such as all files of a folder
        All are taken if no name says what they are. Else a picture's masks go before its labels,
        and both before its objects; so do the masks of single classes, ``a_rod_mask.png``, before
        ``a_labels.png``, and ``a_labels.tif`` before ``a_rod_objects.tif``.
    """
    named = {path: (path.parent, picture_stem(path)) for path in paths if _ending_of(path)}
    there = {(place, _ending_of(path)) for path, place in named.items()}
    masked = {w for place, ending in there if ending == "_mask" for w in _wholes(*place)}

    def has_source(path: Path) -> bool:
        ending, place = _ending_of(path), named[path]
        if any((place, before) in there for before in _ENDINGS[: _ENDINGS.index(ending)]):
            return True
        if ending == "_labels":
            return path.suffix.lower() == ".png" and place in masked
        return ending == "_objects" and any((w, "_labels") in there for w in _wholes(*place))

    return [path for path in named if not has_source(path)] or list(paths)


def objects_among(paths: Sequence[Path]) -> list[Path]:
    """Leave masks and labels out whose objects are among the files as well."""
    places = {path: (path.parent, picture_stem(path)) for path in paths}
    cut = {place for path, place in places.items() if _ending_of(path) == "_objects"}
    cut |= {whole for place in cut for whole in _wholes(*place)}
    return [p for p in paths if _ending_of(p) in ("", "_objects") or places[p] not in cut]


def _wholes(folder: Path, stem: str) -> list[tuple[Path, str]]:
    """Return the pictures of which a name may be that of one class."""
    parts = stem.split("_")
    return [(folder, "_".join(parts[:end])) for end in range(1, len(parts))]


def _ending_of(path: Path) -> str:
    stem = image_stem(path)
    return next((e for e in _ENDINGS if stem.endswith(e) and len(stem) > len(e)), "")


def read_pictures(
    paths: Sequence[Path],
    *,
    images: Path | None = None,
    default_class: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> dict[str, list[ObjectPlane]]:
    """Read the objects of any number of pictures, whatever the formats.

    Parameters
    ----------
    paths : as for :func:`vrpsam_app.exchange.formats.read_objects`
    images : one picture, or a folder of them, found by name
        They say how large pictures are and what they are called, where a file of objects does not.
    default_class : class of objects without one
    max_pixels : of a plane

    Returns
    -------
    pictures : by the name of the picture without ending: its planes
        Pictures of one name in several folders are told apart as the results of a run are,
        ``train_a_png`` and ``val_a_png``, also if the objects of only one are read.

    Raises
    ------
    ObjectFileError
        If a file cannot be read, or a picture is needed and missing.
    ConfigError
        If two files belong to one picture, or one file has it twice.
    """
    single = images is not None and images.is_file()
    folder = images.parent if images is not None and single else images
    listed = None if images is None or single else PictureFolder(images)
    pictures: dict[Path, list[ObjectPlane]] = {}
    longer: dict[Path, str] = {}  # names of files that tell their picture from namesakes
    known: dict[str, set[Path]] = {}  # folders by the name of a picture in them
    for path in paths:
        stem = picture_stem(path)
        # YOLO's files lie as their pictures do, which tells namesakes apart.
        image = None if listed and is_yolo(path) else picture_of(stem, listed or images)
        # Whatever its channels: only its size and axes count.
        stack = None
        if image is not None:
            stack = open_stack(image, channels=(0,), max_pixels=max_pixels)
        name = f"{stem}{path.suffix}"
        if image is not None and folder is not None:
            name = image.relative_to(folder).as_posix()
        planes = read_objects(
            path,
            hw=None if stack is None else stack.plane_hw,
            name=name,
            images=listed,
            max_pixels=max_pixels,
        )
        found: dict[Path, list[ObjectPlane]] = {}
        for plane in with_classes(planes, path):
            if image is not None and plane.name == image.name:  # LabelMe's are without folders
                plane = replace(plane, name=name)
            own = _place_of(plane.name, folder)
            if any(plane.position == other.position for other in found.get(own, ())):
                raise ConfigError(
                    f"{path} has the objects of {plane.name!r} twice: expected each picture, and "
                    "each plane of it, once. Rename one, or leave it out."
                )
            found.setdefault(own, []).append(_classed(plane, default_class))
        if doubled := [p for p in found if _may_be_in(p.parent, known.get(image_stem(p), set()))]:
            raise ConfigError(
                f"{path} and another file hold objects of {image_stem(doubled[0])!r}: expected one "
                "file for each picture. Leave one out."
            )
        axes = None if stack is None else stack.axes
        pictures |= {own: _along(planes, axes) for own, planes in found.items()}
        for own in found:
            known.setdefault(image_stem(own), set()).add(own.parent)
            if stem == result_stems(own)[0]:
                longer[own] = stem
    names = _result_names(pictures, listed.pictures if listed else ()) | longer
    taken: set[str] = set()
    return {free_name(names[own], taken): planes for own, planes in pictures.items()}


def _result_names(pictures: Collection[Path], others: Sequence[Path]) -> dict[Path, str]:
    """Return what the results of pictures are called, with others there that may be namesakes."""
    stems = {image_stem(own).casefold() for own in {*pictures} & {*others}}
    namesakes = [other for other in others if image_stem(other).casefold() in stems]
    plan = plan_outputs(sorted({*pictures, *namesakes}), Path(), ["object"])
    return {
        outputs.target: outputs.masks["object"].name.removesuffix("_mask.png") for outputs in plan
    }


def _place_of(name: str, folder: Path | None) -> Path:
    """Return the file of a picture; below the root if it is not known where it lies."""
    file = Path(name) if folder is None else folder / name
    return file if folder is not None and file.is_file() else Path("/", name)


def _may_be_in(folder: Path, others: Collection[Path]) -> bool:
    """Tell whether a folder may be one of others: the root stands for one that is not known."""
    return folder in others or Path("/") in others or (folder == Path("/") and bool(others))


def _along(planes: Sequence[ObjectPlane], axes: Collection[str] | None) -> list[ObjectPlane]:
    """Return planes as they lie in a stack of these axes, one for each place."""
    if axes is None:
        return list(planes)
    here: dict[tuple[tuple[str, int], ...], list[ObjectPlane]] = {}
    for plane in planes:
        placed = plane.along(axes)
        here.setdefault(tuple(sorted(placed.position.items())), []).append(placed)
    return [joined_planes(same) for same in here.values()]


def object_mask(
    path: Path,
    hw: tuple[int, int],
    *,
    image_name: str,
    ids: Sequence[int] | None = None,
    class_name: str | None = None,
    position: Mapping[str, int] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> NDArray[np.bool_]:
    """Return the pixels of objects that another program, or this one, has found in an image.

    Parameters
    ----------
    path : as for :func:`vrpsam_app.exchange.formats.read_objects`
    hw : height and width of the image
    image_name : file name of the image, to find it in files that hold several
    ids : numbers of the objects; None takes all
    class_name : takes those of this class, if the file tells classes and `ids` is None
    position : of the image in its stack, if it is a plane of one
    max_pixels : of a plane

    Returns
    -------
    mask : shape hw, bool

    Raises
    ------
    ObjectFileError
        If the file cannot be read, or holds nothing of this image.
    AnnotationError
        If it is of another size, or there are no such objects.
    """
    place = dict(position or {})
    planes = read_objects(path, hw=hw, name=image_name, position=place, max_pixels=max_pixels)
    several = len({plane.name for plane in planes}) > 1
    own = [
        plane.along(place)
        for plane in planes
        if not several or Path(plane.name).stem == Path(image_name).stem
    ]
    here = [plane for plane in own if not plane.position or dict(plane.position) == place]
    if len(here) != 1:
        what = f"{image_name} at {place}" if place else image_name
        raise ObjectFileError(
            f"{path} has {len(here)} sets of objects for {what}: expected one. It holds "
            f"{', '.join(sorted({plane.name for plane in planes})[:5])}"
            f"{'; say which plane is meant' if own and own[0].position else ''}."
        )
    (plane,) = with_classes(here, path)
    check_same_size(plane.hw, hw, f"{path}", image_name)
    if ids is None and class_name is not None and plane.classes:
        numbers = plane.counts.ids.tolist()
        ids = [number for number in numbers if plane.class_of(number) == class_name]
        if not ids:
            there = sorted({plane.class_of(number) for number in numbers})
            raise AnnotationError(
                f"{path} has no object of the class {class_name!r}: expected "
                f"{', '.join(there) or 'none, it is empty'}."
            )
    try:
        return mask_of(plane.labels, ids)
    except AnnotationError as error:
        raise type(error)(f"{path}: {error}") from error


def with_classes(planes: Sequence[ObjectPlane], labels_path: Path) -> list[ObjectPlane]:
    """Give objects the classes and scores that stand in the table beside their label image.

    Parameters
    ----------
    planes : as they were read from `labels_path`
    labels_path : a CSV of the same name beside it counts if it has a column ``label``

    Raises
    ------
    ObjectFileError
        If there is such a table and it cannot be read.
    """
    path = labels_path.with_suffix(".csv")
    if not path.is_file() or any(plane.classes for plane in planes):
        return list(planes)
    classes: dict[int, str] = {}
    scores: dict[int, float] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for line in csv.DictReader(file):
                number = int(float(line.get("label") or 0))
                if line.get("class"):
                    classes[number] = line["class"]
                if line.get("score"):
                    scores[number] = float(line["score"])
    except (OSError, ValueError, csv.Error) as error:
        raise ObjectFileError(
            f"{path} stands beside {labels_path.name} and cannot be read ({error}): expected a "
            "table with the columns label and class. Repair it, or move it away."
        ) from error
    return [replace(plane, classes=classes, scores=scores) for plane in planes]


def class_table(planes: Sequence[ObjectPlane]) -> bytes:
    """Return the classes and scores of objects as CSV, as :func:`with_classes` reads them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["label", "class", "score"])
    rows = {}
    for plane in planes:
        for number in plane.counts.ids.tolist():
            score = plane.scores.get(number)
            shown = "" if score is None else f"{score:.9g}"
            rows[number] = (number, plane.class_of(number), shown)
    writer.writerows(rows[number] for number in sorted(rows))
    return text.getvalue().encode("utf-8")


def picture_of(stem: str, images: Path | PictureFolder | None, *, name: str = "") -> Path | None:
    """Return the picture of a name, None if there is none.

    Parameters
    ----------
    stem : its name without ending, or what results are called where several share it
    images : a folder to look in, also deeper; a single picture belongs to whatever there is
    name : its whole name from that folder, if that is known: goes before `stem`

    Raises
    ------
    ConfigError
        If there are several.
    """
    if not isinstance(images, PictureFolder):
        if images is None or images.is_file():
            return images
        images = PictureFolder(images)
    if name and (images.folder / name).is_file():
        return images.folder / name
    found = images.named(stem)
    if len(found) > 1:
        raise ConfigError(
            f"{images.folder} has {len(found)} pictures called {stem}: expected one. Name the "
            "right picture, or its folder."
        )
    return found[0] if found else None


def _classed(plane: ObjectPlane, default_class: str | None) -> ObjectPlane:
    if default_class is None:
        return plane
    every = dict.fromkeys(plane.counts.ids.tolist(), default_class)
    own = {n: name for n, name in plane.classes.items() if name != DEFAULT_CLASS}
    return replace(plane, classes={**every, **own})
