"""``vrpsam import``: turn objects of other programs into label images."""

from __future__ import annotations

import argparse
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vrpsam_app.exchange.object_plane import ObjectPlane


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "import",
        help="read objects from ImageJ, QuPath, COCO, LabelMe, YOLO",
        description="Turn objects of other programs into label images: COCO, LabelMe, GeoJSON of "
        "QuPath, ImageJ's .zip or .roi, a YOLO data set (its folder, data.yaml or one .txt), "
        "labels of Cellpose or StarDist. Writes <name>_labels.tif and <name>_labels.csv (the class "
        "of each object) for each picture. A reference takes such files as they are: vrpsam "
        "segment --reference a.png --labels a.zip",
        epilog="example: vrpsam import rois.zip --images cells.tif --out labels/",
    )
    parser.add_argument("inputs", nargs="+", type=Path, metavar="FILE", help="files of objects")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="files go there")
    parser.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER_OR_IMAGE",
        help="the pictures; ImageJ, QuPath and YOLO do not say how large they are",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Read everything, then write one label image for each picture."""
    from vrpsam_app.exchange.picture_files import class_table, picture_of, read_pictures
    from vrpsam_app.image_files import write_whole
    from vrpsam_app.output_paths import check_outputs, prepare_folder

    pictures = read_pictures(options.inputs, images=options.images)
    planned = {stem: options.out / f"{stem}_labels.tif" for stem in pictures}
    tables = {stem: path.with_suffix(".csv") for stem, path in planned.items()}
    check_outputs(
        [*planned.values(), *tables.values()], options.inputs, overwrite=options.overwrite
    )
    prepare_folder(options.out)
    for stem, found in pictures.items():
        picture = picture_of(stem, options.images, name=found[0].name)
        planes = _write(planned[stem], found, picture, options.overwrite)
        write_whole(tables[stem], class_table(planes), overwrite=options.overwrite)
        count = len({number for plane in planes for number in plane.counts.ids.tolist()})
        print(f"{stem}: {count} object{'' if count == 1 else 's'} -> {planned[stem]}")
    return 0


def _write(
    path: Path, planes: list[ObjectPlane], image: Path | None, overwrite: bool
) -> list[ObjectPlane]:
    """Write the planes of one picture or stack, the rest of it empty, and return them."""
    import numpy as np

    from vrpsam_app.exchange.object_plane import placed_planes
    from vrpsam_app.objects.label_tiff import label_tiff
    from vrpsam_app.stacks.stack_files import open_stack

    stack = None if image is None else open_stack(image, channels=(0,))
    axes = tuple(dict.fromkeys(axis for plane in planes for axis in plane.position))
    within: tuple[int, ...] = ()
    if stack is not None and set(axes) <= set(stack.axes):
        axes, within = stack.axes, stack.leading_shape
    last = [max(plane.position.get(axis, 0) for plane in planes) for axis in axes]
    shape = tuple(max(at + 1, size) for at, size in zip_longest(last, within, fillvalue=0))
    places = placed_planes(planes, axes, shape)
    hw = planes[0].hw
    empty = np.zeros(hw, np.int32)
    with label_tiff(
        path,
        plane_hw=hw,
        axes=axes,
        leading_shape=shape,
        pixel_size=None if stack is None else stack.pixel_size,
        overwrite=overwrite,
    ) as passing:
        for _ in passing.keep(
            places[place].labels if place in places else empty for place in np.ndindex(shape)
        ):
            pass
    return list(places.values())
