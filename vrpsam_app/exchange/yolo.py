"""YOLO's segmentation data sets: a .txt of polygons for each picture, and data.yaml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from vrpsam_app.errors import ObjectFileError, OutputError
from vrpsam_app.exchange.object_plane import FoundShape, ObjectPlane, class_names, plane_of
from vrpsam_app.exchange.outlines import Patch, as_one_ring, fill_rings, outlines_of
from vrpsam_app.image_files import write_whole

MAX_CLASSES = 100_000


def write_yolo(
    folder: str | Path,
    planes: Sequence[ObjectPlane],
    *,
    names: Sequence[str] | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write the objects of pictures as a data set for YOLO.

    Parameters
    ----------
    folder : that exists; gets ``data.yaml`` and ``labels/<name>.txt``
        The pictures themselves belong in ``images/``, where YOLO looks for them: that of
        ``labels/train/a.txt`` is ``images/train/a.png``.
    planes : one for each picture, all of different names
    names : the classes in the order of their numbers, which begin at 0; None sorts those there are
    overwrite : replace files that exist

    Returns
    -------
    paths : of what was written, ``data.yaml`` last

    Raises
    ------
    OutputError
        If a file cannot be written, or two pictures would share one.
    ConfigError
        If an object has a class that is not among `names`.

    Notes
    -----
    One polygon for each object, along the edges of its pixels, in shares of width and height. The
    format has no holes and no pieces: they are joined by bridges that enclose nothing. The numbers
    of objects are not kept, only their order.
    """
    import yaml

    folder = Path(folder)
    classes = class_names(planes, names)
    places = [_place_of(plane.name) for plane in planes]
    if doubled := [place for place, count in Counter(places).items() if count > 1]:
        raise OutputError(
            f"Several pictures are called {str(min(doubled).with_suffix(''))!r}: YOLO tells them "
            "apart by their names without ending. Rename them."
        )
    written = []
    for plane, place in zip(planes, places, strict=True):
        lines = "".join(_line(plane, number, patch, classes) for number, patch in plane.objects())
        path = folder / "labels" / place
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"The folder {path.parent} cannot be made ({error.strerror})."
            ) from error
        write_whole(path, lines.encode("ascii"), overwrite=overwrite)
        written.append(path)
    document = {
        "path": ".",
        "train": "images",
        "val": "images",
        "names": dict(enumerate(classes)),
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    write_whole(folder / "data.yaml", text.encode("utf-8"), overwrite=overwrite)
    return [*written, folder / "data.yaml"]


def read_yolo(
    path: str | Path,
    size_of: Callable[[str], tuple[str, tuple[int, int]]],
    *,
    names: Sequence[str] | None = None,
) -> list[ObjectPlane]:
    """Read the objects of a data set for YOLO.

    Parameters
    ----------
    path : ``data.yaml``, its folder, or one .txt
    size_of : from the name of a .txt without ending, with its folder below ``labels``, to the
        picture's file name and (height, width), which the format does not hold
    names : the classes of a .txt; a data set's stand in its ``data.yaml``

    Returns
    -------
    planes : one for each .txt, by name

    Raises
    ------
    ObjectFileError
        If a file is missing or damaged, or a class has no name.
    """
    path = Path(path)
    if path.suffix.lower() == ".txt":
        folder, files, classes = labels_folder(path), [path], dict(enumerate(names or ()))
    else:
        listing = path / "data.yaml" if path.is_dir() else path
        classes = _classes_in(listing)
        folder = listing.parent / "labels"
        files = sorted(folder.rglob("*.txt"))
        if not files:
            raise ObjectFileError(f"{folder} has no .txt: expected YOLO's labels.")
    planes = []
    for file in files:
        name, hw = size_of(file.relative_to(folder).with_suffix("").as_posix())
        planes.append(plane_of(_shapes_in(file, hw, classes), hw, name))
    return planes


def is_yolo(path: Path) -> bool:
    """Tell by names whether :func:`read_yolo` reads a file or folder."""
    return path.suffix.lower() in (".yaml", ".yml", ".txt") or (path / "data.yaml").is_file()


def labels_folder(path: Path) -> Path:
    """Return the folder ``labels`` that a .txt lies in, in any depth, else its own."""
    return next((folder for folder in path.parents if folder.name == "labels"), path.parent)


def _place_of(name: str) -> PurePosixPath:
    """Return where the .txt of a picture belongs below ``labels``: as the picture in its folder."""
    place = PureWindowsPath(name)  # either kind of slash
    outside = place.anchor or ".." in place.parts
    return PurePosixPath(*place.parts[-1:] if outside else place.parts).with_suffix(".txt")


def _line(plane: ObjectPlane, number: int, patch: Patch, classes: Sequence[str]) -> str:
    """Return one object: its class, and x, y of each corner."""
    ring = as_one_ring(outlines_of(patch)) / np.array(plane.hw[::-1])
    # Twelve digits: no corner of any picture moves by a thousandth of a pixel.
    corners = " ".join(f"{value:.12g}" for value in ring.ravel())
    return f"{classes.index(plane.class_of(number))} {corners}\n"


def _classes_in(path: Path) -> dict[int, str]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        names = document["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        classes = {int(number): str(name) for number, name in pairs}
    except OSError as error:
        raise ObjectFileError(
            f"{path} cannot be read ({error.strerror}). Give the data.yaml of a data set."
        ) from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ObjectFileError(
            f"{path} is not as expected ({error}): expected a data.yaml with names."
        ) from error
    if len(classes) > MAX_CLASSES:
        raise ObjectFileError(f"{path} has {len(classes)} classes: at most {MAX_CLASSES} are read.")
    return classes


def _shapes_in(path: Path, hw: tuple[int, int], classes: dict[int, str]) -> list[FoundShape]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ObjectFileError(f"{path} cannot be read ({reason}).") from error
    shapes = []
    for index, line in enumerate(lines, start=1):
        where = f"{path}: line {index}"
        words = line.split()
        if not words:
            continue
        try:
            number = int(words[0])
            corners = np.array(words[1:], np.float64).reshape(-1, 2)
        except ValueError as error:
            raise ObjectFileError(
                f"{where} is no polygon ({error}): expected a class and x y of each corner."
            ) from error
        if classes and number not in classes:
            raise ObjectFileError(
                f"{where} has the class {number}, which data.yaml does not name. Add it there."
            )
        if len(corners) == 2:
            raise ObjectFileError(
                f"{where} is a box: expected a polygon, of a segmentation data set."
            )
        patch = fill_rings([corners * np.array(hw[::-1])], hw, name=where)
        if patch is not None:
            shapes.append(FoundShape(patch, classes.get(number, str(number))))
    return shapes
