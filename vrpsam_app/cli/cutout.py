"""``vrpsam cutout``: photos of an object without what is around it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vrpsam_app.cli import segment
from vrpsam_app.cli.method_options import (
    add_method_options,
    add_model_options,
    build_method,
    precision_of,
)
from vrpsam_app.cli.reference_options import add_reference_options
from vrpsam_app.cli.store_options import add_store_options, open_store
from vrpsam_app.errors import ConfigError

if TYPE_CHECKING:
    from vrpsam_app.cutouts import CutoutOptions

EXIT_SOME_FAILED = 1
WHICH = ("each", "together", "largest")


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "cutout",
        help="take the background away from photos of an object",
        description="Find an object in photos and write it on a transparent background, as PNG: "
        "one for each object, <name>_cutout_1.png and so on, or <name>_cutout.png. Ready to "
        "fine-tune an image generator on: give --square --size 512.",
        epilog="example: vrpsam cutout --reference dog.jpg --box 40,60,180,220 --target photos/ "
        "--which largest --square --size 512 --out cutouts/",
    )
    add_reference_options(parser)
    parser.add_argument(
        "--target",
        dest="targets",
        action="extend",
        nargs="+",
        required=True,
        metavar="IMAGE",
        help="photos, folders of photos or patterns; may be given again",
    )
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="FOLDER",
        help="take the masks or labels that are there, as vrpsam segment or vrpsam objects has "
        "written them (<name>_mask.png, <name>_labels.png, <name>_objects.tif) or under the "
        "photo's name, instead of --reference",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="they go there")
    parser.add_argument("--overwrite", action="store_true", help="replace what exists already")
    look = parser.add_argument_group("how they look")
    look.add_argument(
        "--which",
        choices=WHICH,
        default="each",
        help="every object alone, all together, or the largest one of each photo "
        "(default: %(default)s)",
    )
    look.add_argument("--square", action="store_true", help="pad to a square")
    look.add_argument("--size", type=int, metavar="N", help="pixels of the longer side")
    look.add_argument(
        "--margin",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="room around the object, as a share of its longer side (default: %(default)s)",
    )
    look.add_argument("--no-crop", action="store_true", help="keep the photo's size")
    look.add_argument("--hard-edge", action="store_true", help="no half transparent pixels")
    look.add_argument(
        "--smallest",
        type=int,
        default=16,
        metavar="N",
        help="leave out objects of fewer pixels (default: %(default)s)",
    )
    look.add_argument(
        "--no-tidy", action="store_true", help="keep small holes and small loose pieces"
    )
    look.add_argument(
        "--hidden",
        default="255,255,255",
        metavar="R,G,B",
        help="colour below transparent pixels, for programs that ignore transparency (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.5,
        metavar="P",
        help="probability above which a pixel is part of the object (default: %(default)s)",
    )
    add_model_options(parser, default="embedded")
    add_method_options(parser)
    add_store_options(parser, default="off")
    parser.set_defaults(run=run, usage_error=parser.error)
    return parser


def run(options: argparse.Namespace) -> int:
    """Find, cut out, write, and say what could not be."""
    if bool(options.references) == (options.masks is not None):
        options.usage_error("give either --reference with its marks, or --masks")
    if not 0 < options.threshold < 1:
        options.usage_error(f"--threshold is {options.threshold}: expected between 0 and 1")

    from tqdm import tqdm

    from vrpsam_app.cli.marked_references import build_references
    from vrpsam_app.cutout_files import FoundBySegmenter, FoundOnDisk, cut_out_files
    from vrpsam_app.image_files import find_images
    from vrpsam_app.stack_runs.targets import StackReading

    look = _look(options)
    targets = find_images(options.targets)
    if options.masks is not None:
        found: FoundOnDisk | FoundBySegmenter = FoundOnDisk(options.masks)
    else:
        references = build_references(options.references, StackReading())
        segmenter = build_method(
            options,
            lambda: segment.load_predictor(
                options.model, options.device, open_store(options), precision_of(options)
            ),
        )
        found = FoundBySegmenter.of(segmenter, references, targets, threshold=options.threshold)
    failed = 0
    results = cut_out_files(found, targets, options.out, look, overwrite=options.overwrite)
    for result in tqdm(results, total=len(targets), unit="photo", disable=None):
        if result.error is not None:
            failed += 1
            reason = str(result.error) or type(result.error).__name__
            told = reason if str(result.target) in reason else f"{result.target}: {reason}"
            tqdm.write(told, file=sys.stderr)
        else:
            names = ", ".join(path.name for path in result.paths)
            tqdm.write(f"{result.target}: {names}")
    if failed:
        print(f"vrpsam: {failed} of {len(targets)} failed", file=sys.stderr)
    return EXIT_SOME_FAILED if failed else 0


def _look(options: argparse.Namespace) -> CutoutOptions:
    from vrpsam_app.cutouts import CutoutOptions

    try:
        red, green, blue = (int(part) for part in options.hidden.split(","))
    except ValueError as error:
        raise ConfigError(
            f"--hidden {options.hidden!r}: expected red, green and blue, such as 255,255,255."
        ) from error
    return CutoutOptions(
        which=options.which,
        crop=not options.no_crop,
        margin=options.margin,
        square=options.square,
        size=options.size,
        soft=not options.hard_edge,
        smallest=options.smallest,
        tidy=not options.no_tidy,
        hidden=(red, green, blue),
    )
