"""COCO's instance annotations: one JSON for any number of pictures, masks as runs or polygons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vrpsam_app.errors import ImageError, ObjectFileError
from vrpsam_app.exchange.coco_masks import decode_segmentation, encode_runs, require_pycocotools
from vrpsam_app.exchange.json_files import read_json, write_json
from vrpsam_app.exchange.object_plane import (
    FoundShape,
    ObjectPlane,
    check_size,
    class_names,
    plane_of,
)
from vrpsam_app.exchange.outlines import Patch, as_one_ring, outlines_of

_WHAT = "annotations in COCO's format, with images, annotations and categories"


def write_coco(
    path: str | Path,
    planes: Sequence[ObjectPlane],
    *,
    polygons: bool = False,
    names: Sequence[str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the objects of pictures as COCO annotations.

    Parameters
    ----------
    path : a name that ends in .json
    planes : one for each picture
    polygons : write polygons along the edges of the pixels in the place of run lengths
        Both give the same pixels when pycocotools reads them. COCO knows no holes in polygons:
        they are joined to the border by bridges that enclose nothing.
    names : the classes in the order of their numbers, which begin at 1; None sorts those there are
    overwrite : replace a file that exists

    Raises
    ------
    OutputError
        If the file cannot be written. Nothing is left behind.
    ConfigError
        If an object has a class that is not among `names`.
    MissingExtraError
        If pycocotools is not installed.
    """
    require_pycocotools()
    categories = {name: i for i, name in enumerate(class_names(planes, names), start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, plane in enumerate(planes, start=1):
        height, width = plane.hw
        images.append({"id": image_id, "file_name": plane.name, "height": height, "width": width})
        for number, patch in plane.objects():
            rows, cols = np.nonzero(patch.mask)
            extent = [np.ptp(cols) + 1, np.ptp(rows) + 1]
            annotation: dict[str, Any] = {
                "id": len(annotations) + 1,  # of the file; the picture's own number comes last
                "image_id": image_id,
                "category_id": categories[plane.class_of(number)],
                "segmentation": _polygons(patch) if polygons else encode_runs(patch, plane.hw),
                "area": len(rows),
                "bbox": [patch.left, patch.top, *map(int, extent)],
                "iscrowd": 0,
                "instance_id": number,
            }
            if number in plane.scores:
                annotation["score"] = plane.scores[number]
            annotations.append(annotation)
    document = {
        "info": {"description": "Objects found by vrpsam-app"},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": i, "name": name, "supercategory": ""} for name, i in categories.items()
        ],
    }
    write_json(Path(path), document, overwrite=overwrite)
    return Path(path)


def read_coco(path: str | Path) -> list[ObjectPlane]:
    """Read the objects of all pictures of a COCO file.

    Parameters
    ----------
    path : JSON as COCO, LVIS, CVAT, Label Studio or Roboflow write it

    Returns
    -------
    planes : one for each picture, in the order of the file
        Crowds, which are no single objects, are left out.

    Raises
    ------
    ObjectFileError
        If the file is missing, damaged, or no such annotations.
    MissingExtraError
        If pycocotools is not installed.
    """
    return coco_planes(read_json(Path(path), _WHAT), Path(path))


def coco_planes(document: Any, path: Path) -> list[ObjectPlane]:
    """Return the objects of a COCO document that was read from `path`; see :func:`read_coco`."""
    require_pycocotools()
    try:
        classes = {c["id"]: str(c["name"]) for c in document["categories"]}
        sizes = {
            image["id"]: (
                str(image["file_name"]),
                check_size(image["height"], image["width"], f"{path}: {image['file_name']}"),
            )
            for image in document["images"]
        }
        shapes: dict[object, list[FoundShape]] = {image_id: [] for image_id in sizes}
        for annotation in document["annotations"]:
            where = f"{path}: annotation {annotation['id']}"
            if annotation.get("iscrowd"):
                continue
            if annotation["category_id"] not in classes:
                raise ObjectFileError(
                    f"{where} has the class {annotation['category_id']!r}, which is not among the "
                    "categories of the file. Use a whole copy of it."
                )
            _, hw = sizes[annotation["image_id"]]
            shape = _shape_of(annotation, hw, classes[annotation["category_id"]], where)
            if shape is not None:
                shapes[annotation["image_id"]].append(shape)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, ImageError):
            raise ObjectFileError(str(error)) from error
        raise ObjectFileError(
            f"{path} is not as expected ({type(error).__name__}: {error}): expected {_WHAT}."
        ) from error
    return [plane_of(shapes[image_id], hw, name) for image_id, (name, hw) in sizes.items()]


def _shape_of(
    annotation: dict[str, Any], hw: tuple[int, int], class_name: str, where: str
) -> FoundShape | None:
    """Return one annotation as a shape, None if it covers no pixel."""
    if not annotation.get("segmentation"):
        raise ObjectFileError(
            f"{where} has no segmentation, perhaps a box only: expected a mask. Export masks."
        )
    mask = decode_segmentation(annotation["segmentation"], hw, where)
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    window = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
    number, score = annotation.get("instance_id"), annotation.get("score")
    return FoundShape(
        Patch(int(rows[0]), int(cols[0]), mask[window].copy()),
        class_name,
        number if isinstance(number, int) else None,
        float(score) if isinstance(score, int | float) else None,
    )


def _polygons(patch: Patch) -> list[list[int]]:
    """Return one polygon for each piece, its holes bridged, as x, y, x, y, ..."""
    return [
        as_one_ring([outline]).ravel().astype(np.int64).tolist() for outline in outlines_of(patch)
    ]
