"""Files of objects by their format: which there are, how each is written, and what a file is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from vrpsam_app.errors import ConfigError, ObjectFileError, OutputError
from vrpsam_app.exchange import coco, imagej_rois, labelme, qupath_geojson, yolo
from vrpsam_app.exchange.json_files import read_json
from vrpsam_app.exchange.object_plane import ObjectPlane
from vrpsam_app.exchange.picture_names import PictureFolder
from vrpsam_app.image_files import MAX_PIXELS, read_header
from vrpsam_app.label_files import open_labels, write_labels
from vrpsam_app.output_paths import check_outputs
from vrpsam_app.stacks.stack import Stack

FormatName = Literal["png", "coco", "roi", "geojson", "labelme", "yolo"]

_JSON = "COCO, LabelMe or GeoJSON"


@dataclass(frozen=True, slots=True)
class ExchangeFormat:
    """One format that objects are written in.

    Attributes
    ----------
    suffix : of its files, after the picture's name; one file for all pictures has none
    axes : along which one file holds the planes of a stack; empty if it holds one plane
    together : whether one file, or one folder, holds all pictures
    about : what it is for, in a few words
    """

    suffix: str
    axes: str
    together: bool
    about: str

    @property
    def stacks(self) -> bool:
        """Whether one file holds the planes of a stack."""
        return bool(self.axes)


FORMATS: Mapping[str, ExchangeFormat] = MappingProxyType(
    {
        "png": ExchangeFormat("_labels.png", "", False, "label image"),
        "coco": ExchangeFormat("", "", True, "annotations.json of all pictures"),
        "roi": ExchangeFormat("_rois.zip", "tzc", False, "ImageJ's ROI manager"),
        "geojson": ExchangeFormat(".geojson", "tz", False, "QuPath"),
        "labelme": ExchangeFormat(".json", "", False, "LabelMe"),
        "yolo": ExchangeFormat("", "", True, "data.yaml and labels/ of all pictures"),
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
        Among several, a picture without objects gets no file of roi.

    Raises
    ------
    ConfigError
        If there is no such format, it has no polygons, or an object is of an unknown class.
    ObjectFileError
        If roi is asked for and there is no object at all.
    OutputError
        If a file cannot be written, or the format has no place for a stack along these axes.
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
        beyond = sorted({axis for plane in planes for axis in plane.position} - {*chosen.axes})
        if beyond and chosen.stacks:
            raise OutputError(
                f"{stem} is a stack along {beyond[0]}, and {format_name} has a place for "
                f"{', '.join(chosen.axes)} only: cut it into stacks along these first."
            )
    every = [plane for planes in pictures.values() for plane in planes]
    if format_name == "coco":
        path = folder / "annotations.json"
        return [coco.write_coco(path, every, polygons=polygons, names=names, overwrite=overwrite)]
    if format_name == "yolo":
        return yolo.write_yolo(folder, every, names=names, overwrite=overwrite)
    filled = [s for s, planes in pictures.items() if any(len(p.counts.ids) for p in planes)]
    written = []
    for stem, planes in pictures.items():
        path = folder / f"{stem}{chosen.suffix}"
        if format_name == "roi":
            if stem not in filled and filled:
                check_outputs([path], (), overwrite=overwrite)
                path.unlink(missing_ok=True)  # objects that are no more
                continue
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
    images: Path | PictureFolder | None = None,
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
    if yolo.is_yolo(path):
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


def _sizes(
    path: Path, images: Path | PictureFolder | None, hw: tuple[int, int] | None, max_pixels: int
) -> Any:
    """Return a function from a name without ending to the picture's file name and size."""
    if isinstance(images, PictureFolder):
        folders = [images]
    else:
        base = path if path.is_dir() else yolo.labels_folder(path)
        beside = [base / "images", base.parent / "images", base]
        folders = [PictureFolder(folder) for folder in ([images] if images else beside)]

    def size_of(name: str) -> tuple[str, tuple[int, int]]:
        place = Path(name)
        for pictures in folders:
            folder, found = pictures.folder, pictures.named(place.name)
            # labels/train/a.txt is of images/train/a.png, whatever else is called so.
            found = [file for file in found if file.parent == folder / place.parent] or found
            if len(found) > 1:
                raise ObjectFileError(
                    f"{folder} has {len(found)} pictures for the objects of {name}: expected one. "
                    "Sort them as the labels are, or rename them."
                )
            for file in found:
                header = read_header(file, max_pixels=max_pixels)
                return file.relative_to(folder).as_posix(), header.hw
        if hw is None:
            raise ObjectFileError(
                f"No picture {name} was found beside {path}, whose size is needed to place its "
                "objects: give the folder of the pictures."
            )
        return name, hw

    return size_of
