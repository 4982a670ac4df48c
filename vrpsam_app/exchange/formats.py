"""Files of objects by their format: which there are, how each is written, and what a file is."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from vrpsam_app.errors import ConfigError, ObjectFileError, OutputError
from vrpsam_app.exchange import coco, imagej_rois, labelme, qupath_geojson, yolo
from vrpsam_app.exchange.json_files import read_json
from vrpsam_app.exchange.object_plane import ObjectPlane
from vrpsam_app.image_files import IMAGE_SUFFIXES, MAX_PIXELS, read_header
from vrpsam_app.label_files import open_labels, write_labels
from vrpsam_app.stacks.stack import Stack

FormatName = Literal["png", "coco", "roi", "geojson", "labelme", "yolo"]

_JSON = "COCO, LabelMe or GeoJSON"


@dataclass(frozen=True, slots=True)
class ExchangeFormat:
    """One format that objects are written in.

    Attributes
    ----------
    suffix : of its files, after the picture's name; one file for all pictures has none
    stacks : whether one file holds the planes of a stack
    together : whether one file, or one folder, holds all pictures
    about : what it is for, in a few words
    """

    suffix: str
    stacks: bool
    together: bool
    about: str


FORMATS: Mapping[str, ExchangeFormat] = MappingProxyType(
    {
        "png": ExchangeFormat("_labels.png", False, False, "label image"),
        "coco": ExchangeFormat("", False, True, "annotations.json of all pictures"),
        "roi": ExchangeFormat("_rois.zip", True, False, "ImageJ's ROI manager"),
        "geojson": ExchangeFormat(".geojson", True, False, "QuPath"),
        "labelme": ExchangeFormat(".json", False, False, "LabelMe"),
        "yolo": ExchangeFormat("", False, True, "data.yaml and labels/ of all pictures"),
    }
)


def export_objects(
    folder: Path,
    pictures: Mapping[str, Sequence[ObjectPlane]],
    format_name: str,
    *,
    polygons: bool = False,
    names: Sequence[str] | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write the objects of pictures in one format.

    Parameters
    ----------
    folder : that exists
    pictures : by the name their files get: the planes of each, one unless it is a stack
    format_name : one of `FORMATS`
    polygons : of COCO and LabelMe: polygons in the place of masks
    names : the classes and their order; None sorts those there are
    overwrite : replace files that exist

    Returns
    -------
    paths : of what was written

    Raises
    ------
    ConfigError
        If there is no such format, it has no polygons, or an object is of an unknown class.
    OutputError
        If a file cannot be written, or the format has no place for a stack.
    """
    if format_name not in FORMATS:
        raise ConfigError(f"Format {format_name!r} is unknown: expected {', '.join(FORMATS)}.")
    if polygons and format_name not in ("coco", "labelme"):
        raise ConfigError(
            f"Polygons can be asked of coco and labelme: {format_name} has only one way."
        )
    chosen = FORMATS[format_name]
    for stem, planes in pictures.items():
        if len(planes) != 1 and not chosen.stacks:
            raise OutputError(
                f"{stem} has {len(planes)} planes, and {format_name} has no place for stacks: "
                "write roi or geojson, or each plane as a file of its own."
            )
    every = [plane for planes in pictures.values() for plane in planes]
    if format_name == "coco":
        path = folder / "annotations.json"
        return [coco.write_coco(path, every, polygons=polygons, names=names, overwrite=overwrite)]
    if format_name == "yolo":
        return yolo.write_yolo(folder, every, names=names, overwrite=overwrite)
    written = []
    for stem, planes in pictures.items():
        path = folder / f"{stem}{chosen.suffix}"
        if format_name == "roi":
            imagej_rois.write_rois(path, planes, overwrite=overwrite)
        elif format_name == "geojson":
            qupath_geojson.write_geojson(path, planes, names=names, overwrite=overwrite)
        elif format_name == "labelme":
            labelme.write_labelme(path, planes[0], polygons=polygons, overwrite=overwrite)
        else:
            write_labels(path, planes[0].labels, overwrite=overwrite)
        written.append(path)
    return written


def read_objects(
    path: str | Path,
    *,
    hw: tuple[int, int] | None = None,
    name: str | None = None,
    images: Path | None = None,
    position: Mapping[str, int] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> list[ObjectPlane]:
    """Read objects, whatever the format; what a file is says its content.

    Parameters
    ----------
    path : label image or stack of them (as Cellpose and StarDist write them), COCO, LabelMe or
        GeoJSON, ImageJ's ``.zip`` or ``.roi``, YOLO's ``data.yaml``, its folder, or one ``.txt``
    hw : height and width of the picture; GeoJSON and ImageJ's regions do not say
    name : file name of the picture, where the file does not say
    images : the folder of the pictures; a YOLO data set's are else sought beside its labels
    position : of a stack of label images, read only the plane at this place
    max_pixels : of a plane

    Returns
    -------
    planes : for each picture, and each plane of a stack that has objects

    Raises
    ------
    ObjectFileError
        If the file is missing, damaged, none of these, or the size of the picture is not known.
    ImageFileError, ImageError
        If it is a picture that cannot be read as labels.
    MissingExtraError
        If the library of its format is not installed.
    """
    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    if not path.exists():
        raise ObjectFileError(f"{path} does not exist. Check the name and the folder.")
    known_name = name or path.name
    if suffix in (".yaml", ".yml", ".txt") or (path / "data.yaml").is_file():
        return yolo.read_yolo(path, _sizes(path, images, hw, max_pixels))
    if suffix in (".json", ".geojson"):
        document = read_json(path, _JSON)
        if isinstance(document, dict) and "annotations" in document:
            return coco.coco_planes(document, path)
        if isinstance(document, dict) and "shapes" in document:
            return [labelme.labelme_plane(document, path)]
        return qupath_geojson.geojson_planes(document, path, _known(hw, path), known_name)
    if suffix in (".zip", ".roi") and not path.name.lower().endswith(".zarr.zip"):
        return imagej_rois.read_rois(path, _known(hw, path), known_name)
    stack = open_labels(path, max_pixels=max_pixels)
    wanted = stack.indices() if position is None else [_index_of(position, stack)]
    return [
        ObjectPlane(
            stack.plane(index), known_name, position=dict(zip(stack.axes, index, strict=True))
        )
        for index in wanted
    ]


def _index_of(position: Mapping[str, int], stack: Stack) -> tuple[int, ...]:
    if not stack.axes:
        return ()
    if missing := [axis for axis in stack.axes if axis not in position]:
        raise ObjectFileError(
            f"{stack.name} is a stack along {', '.join(stack.axes)}: say which plane, "
            f"also along {missing[0]}."
        )
    return tuple(position[axis] for axis in stack.axes)


def _known(hw: tuple[int, int] | None, path: Path) -> tuple[int, int]:
    if hw is None:
        raise ObjectFileError(
            f"{path} does not say how large its picture is: give the picture as well."
        )
    return hw


def _sizes(path: Path, images: Path | None, hw: tuple[int, int] | None, max_pixels: int) -> Any:
    """Return a function from a name without ending to the picture's file name and size."""
    base = path if path.is_dir() else path.parent
    folders = [images] if images else [base / "images", base.parent / "images", base]

    def size_of(stem: str) -> tuple[str, tuple[int, int]]:
        for folder in folders:
            # In any depth, as YOLO's images/train/ and images/val/.
            for file in sorted(folder.rglob(f"{glob.escape(stem)}.*")) if folder.is_dir() else ():
                if file.suffix.lower() in IMAGE_SUFFIXES:
                    header = read_header(file, max_pixels=max_pixels)
                    return file.name, header.hw
        if hw is None:
            raise ObjectFileError(
                f"No picture {stem} was found beside {path}, whose size is needed to place its "
                "objects: give the folder of the pictures."
            )
        return stem, hw

    return size_of
