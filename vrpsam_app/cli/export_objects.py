"""``vrpsam export``: write objects in the formats of other programs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXIT_SOME_FAILED = 1
# As `exchange.formats.FORMATS` has them, which this module does not load to build the parser.
FORMATS = ("png", "coco", "roi", "geojson", "labelme", "yolo")


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "export",
        help="write objects for ImageJ, QuPath, COCO, LabelMe, YOLO",
        description="Write numbered objects in the formats of other programs: png (labels), coco "
        "(annotations.json), roi (a .zip for ImageJ's ROI manager), geojson (QuPath), labelme, "
        "yolo (data.yaml and labels/). Classes are read from the table that vrpsam objects and "
        "vrpsam import write beside the labels.",
        epilog="example: vrpsam export objects/ --to coco roi --out exchange/",
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="LABELS",
        help="label images, folders or patterns; also any file that vrpsam import reads",
    )
    parser.add_argument(
        "--to", dest="formats", nargs="+", required=True, choices=FORMATS, help="one or more"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="files go there")
    parser.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER_OR_IMAGE",
        help="the pictures, whose names the formats then carry; a folder, or one picture",
    )
    parser.add_argument(
        "--class", dest="class_name", metavar="NAME", help="class of objects that have none"
    )
    parser.add_argument(
        "--classes", metavar="A,B,...", help="all classes in the order of their numbers"
    )
    parser.add_argument(
        "--polygons", action="store_true", help="coco, labelme: polygons in the place of masks"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Read every input, then write each format."""
    from vrpsam_app.exchange.formats import export_objects
    from vrpsam_app.exchange.picture_files import objects_among, read_pictures
    from vrpsam_app.image_files import find_files
    from vrpsam_app.output_paths import prepare_folder

    files = objects_among(find_files(options.inputs))
    pictures = read_pictures(files, images=options.images, default_class=options.class_name)
    names = [name.strip() for name in options.classes.split(",")] if options.classes else None
    prepare_folder(options.out)
    empty = [
        stem
        for stem, planes in pictures.items()
        if not any(len(plane.counts.ids) for plane in planes)
    ]
    failed = False
    for format_name in dict.fromkeys(options.formats):
        if format_name == "roi" and empty:
            print(f"roi: no objects in {', '.join(empty)}, left out", file=sys.stderr)
            if len(empty) == len(pictures):
                failed = True
                continue
        polygons = options.polygons and format_name in ("coco", "labelme")
        paths = export_objects(
            options.out,
            pictures,
            format_name,
            polygons=polygons,
            names=names,
            overwrite=options.overwrite,
        )
        count = sum(
            len({number for plane in planes for number in plane.counts.ids.tolist()})
            for planes in pictures.values()
        )
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        print(f"{format_name}: {count} objects -> {paths[0]}{more}")
    return EXIT_SOME_FAILED if failed else 0
