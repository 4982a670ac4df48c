"""``vrpsam segment``: find the object of annotated references in other images."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vrpsam_app.cli import run_report
from vrpsam_app.cli.cluster_options import add_cluster_options, connection
from vrpsam_app.cli.download_bar import DownloadBar
from vrpsam_app.cli.marked_references import build_references
from vrpsam_app.cli.method_options import (
    add_method_options,
    add_model_options,
    build_method,
    precision_of,
)
from vrpsam_app.cli.object_options import (
    LINKS_HELP,
    OBJECTS_HELP,
    link_options,
    memory_options,
    object_options,
)
from vrpsam_app.cli.range_option import add_range_option
from vrpsam_app.cli.reading_options import add_reading_options, stack_reading
from vrpsam_app.cli.reference_options import ReferenceOptions, add_reference_options
from vrpsam_app.cli.store_options import add_store_options, open_store
from vrpsam_app.cli.tile_options import add_tile_option, tile_options

if TYPE_CHECKING:
    from vrpsam_app.embeddings.store import EmbeddingStore
    from vrpsam_app.folder_run import FolderRun
    from vrpsam_app.methods.suggestion import Verdict
    from vrpsam_app.predictor import VRPSAMPredictor
    from vrpsam_app.recipe import Recipe
    from vrpsam_app.reference_segmenter import ReferenceSegmenter
    from vrpsam_app.run_settings import RunSettings
    from vrpsam_app.stack_runs.cluster import Client
    from vrpsam_app.stack_runs.targets import StackReading

EXIT_SOME_FAILED = 1
NAME_IMAGES = "name what is an image by itself, or give a series a folder of its own"


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "segment",
        help="segment images and stacks after annotated references",
        description="Mark an object in a reference image and segment its like in the targets. "
        "Writes <name>_mask.png (0 and 255, size of the target) for each picture and "
        "<name>_labels (0, and 1 for the first class) for each stack, and a recipe, which says "
        "what was run and replays it; with --objects also numbers and measures of single objects.",
        epilog="example: vrpsam segment --reference cells.png --box 40,60,180,220 "
        "--target folder/ --out results/",
    )
    add_reference_options(parser)
    parser.add_argument(
        "--recipe", type=Path, metavar="FILE", help="take the references from an earlier run"
    )
    parser.add_argument(
        "--target",
        dest="targets",
        action="extend",
        nargs="+",
        required=True,
        metavar="IMAGE",
        help='images, stacks, folders of images or patterns such as "plate/*.tif"; may be given '
        "again",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="where the results go"
    )
    parser.add_argument(
        "--overlay",
        action="store_true",
        help="write <name>_overlay.png as well, <name>_overlay.mp4 of a movie or stack",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace results that exist already"
    )
    parser.add_argument(
        "--threshold",
        type=_fraction,
        metavar="P",
        help="probability from which a pixel belongs to the object (default: 0.5)",
    )
    parser.add_argument(
        "--smallest-piece",
        type=_positive,
        metavar="N",
        help="leave connected pieces of fewer pixels out of the masks of pictures",
    )
    add_model_options(parser, default=None)  # None: that of a recipe, else the embedded one
    add_method_options(parser)
    parser.add_argument(
        "--max-pixels",
        type=_positive,
        metavar="N",
        help="refuse larger images, before they are decoded; planes of files that are read in "
        "parts are segmented like stacks of one plane (default: 100 million)",
    )
    add_range_option(
        parser,
        "show images of more than 8 bits from black to white like this (default: by the 0.1 and "
        "99.9 percentiles of all pictures and references, and of each stack by its own)",
    )
    _add_stack_options(parser)
    _add_object_options(parser)
    add_cluster_options(parser)
    add_store_options(parser, default="off")
    parser.set_defaults(run=run, usage_error=parser.error)
    return parser


def _add_stack_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "large images and stacks",
        "A target with slices, time points or both is segmented plane by plane; its result, "
        "<name>_labels, is complete up to the last finished plane whenever the run is stopped.",
    )
    add_tile_option(group)
    group.add_argument(
        "--resume",
        action="store_true",
        help="go on with what was begun in this folder; pictures are asked about again",
    )
    group.add_argument(
        "--stack-format",
        choices=("ome-zarr", "zarr", "tif"),
        help="of the results of stacks (default: tif for TIFF files, else ome-zarr)",
    )
    group.add_argument(
        "--memory",
        nargs="?",
        const="",
        metavar="HOW",
        type=memory_options,
        help="go through movies and stacks in order, with sure planes as further references: "
        "object (each label is one object, wherever it goes), or kind (all that "
        "looks like it); then size=N planes kept, every=N planes between, agreement=P; axis=z, "
        "along which, start=N, from which plane both ways; with commas between "
        "(default: object)",
    )
    group.add_argument(
        "--mask-frames",
        action="store_true",
        help="also write the labels of movies and stacks as PNGs, <name>_masks/00000.png",
    )
    add_reading_options(group)


def _add_object_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "single objects",
        "What is found is also cut into objects: <name>_objects.tif holds their numbers, "
        "<name>_objects.csv what was measured in the unit of the pixel size.",
    )
    group.add_argument(
        "--objects",
        nargs="?",
        const="distance",
        metavar="HOW",
        type=object_options,
        help=OBJECTS_HELP,
    )
    group.add_argument("--link", metavar="HOW", type=link_options, help=LINKS_HELP)


def run(options: argparse.Namespace) -> int:
    """Check everything that can be checked, segment, and report."""
    if bool(options.references) == bool(options.recipe):
        options.usage_error("give either --reference with its marks, or --recipe")
    if options.resume and options.overwrite:
        options.usage_error("either go on with --resume or begin again with --overwrite")

    from vrpsam_app.folder_run import FolderRun, reading_of
    from vrpsam_app.image_files import MAX_PIXELS, passed_over
    from vrpsam_app.methods.suggestion import suggestion_for
    from vrpsam_app.recipe import Recipe

    max_pixels = options.max_pixels or MAX_PIXELS
    replayed = Recipe.load(options.recipe) if options.recipe else None
    reading = stack_reading(options, max_pixels)
    if replayed is not None:
        reading = reading.completed_by(reading_of(replayed, max_pixels=max_pixels))
    if replayed is None:
        references = build_references(options.references, reading)
        inputs = [path for entry in options.references for path in entry.input_files()]
    else:
        references, inputs = replayed.references, [options.recipe]
    planned = FolderRun.of(
        references,
        options.targets,
        options.out,
        _settings(options, replayed, reading),
        inputs=inputs,
        reading=reading,
        stack_format=options.stack_format,
        overlay=options.overlay,
        mask_frames=options.mask_frames,
        overwrite=options.overwrite,
        resume=options.resume,
    )
    known = [options.out, *(outputs.target for outputs in planned.pictures)]
    known += [*(t.path for t in planned.stacks), *(t.path for t in planned.unopened)]
    run_report.say_passed_over(passed_over(options.targets, known), NAME_IMAGES)
    model = options.model or (replayed.model if replayed else None) or "embedded"
    recorded = None if replayed is None else replayed.made_by
    precision = precision_of(options, recorded)
    segmenter = build_method(
        options,
        lambda: load_predictor(
            model, options.device, open_store(options), precision, compiled=options.compile
        ),
        recorded,
    )
    if replayed is not None:
        print(replayed.promise(segmenter.describe()))
    verdicts: list[Verdict] = []
    failed = [target.path for target in planned.unopened]
    for target in planned.unopened:
        print(run_report.failure(target.path, target.error), file=sys.stderr)
    with connection(options) as client:
        failed += [*_pictures(planned, segmenter, replayed, client, verdicts)]
        failed += _stacks(planned, segmenter, client, verdicts)
    if replayed is None and (better := suggestion_for(verdicts, segmenter.describe())):
        print(f"{better} Add: {better.options}")
    if failed:
        count = len(planned.pictures) + len(planned.stacks) + len(planned.unopened)
        print(run_report.failures(failed, count), file=sys.stderr)
    return EXIT_SOME_FAILED if failed else 0


def _settings(
    options: argparse.Namespace, replayed: Recipe | None, reading: StackReading
) -> RunSettings:
    """Return what was typed, and for the rest what a recipe says."""
    from vrpsam_app.run_settings import RunSettings

    settings = RunSettings() if replayed is None else RunSettings.of_recipe(replayed)
    typed = {
        "threshold": options.threshold,
        "intensity_range": options.intensity_range,
        "objects": options.objects,
        "links": options.link,
        "memory": options.memory,
        "smallest_piece": options.smallest_piece,
    }
    if replayed is None or options.tiles is not None:
        entries = options.references or ()
        marked = [entry.path for entry in entries if isinstance(entry, ReferenceOptions)]
        tiling = tile_options(options, marked, reading)
        if not marked:  # the references are the recipe's, and so is the size of their pixels
            tiling = replace(tiling, reference_pixel_size=settings.tiling.reference_pixel_size)
        typed["tiling"] = tiling
    settings = replace(settings, **{k: v for k, v in typed.items() if v is not None})
    if options.link is not None and settings.objects is None:
        options.usage_error("--link gives ids to objects: add --objects")
    return settings


def _pictures(
    planned: FolderRun,
    segmenter: ReferenceSegmenter,
    replayed: Recipe | None,
    client: Client | None,
    verdicts: list[Verdict],
) -> Iterator[Path]:
    """Segment the pictures, report them, and yield those that failed; keep what was said."""
    records = []
    results = planned.segment_pictures(segmenter, client=client)
    for result in run_report.shown(results, len(planned.pictures)):
        if result.record is None:
            yield result.outputs.target
        else:
            records.append(result.record)
            verdicts += result.predictions
    if replayed is not None and records:
        print(
            f"{replayed.count_known(records)} of {len(records)} pictures have the pixels that "
            "the recipe records"
        )
        if corrected := planned.settings.corrections:
            print(
                f"{corrected.count(records)} of {len(corrected)} pictures that were corrected are "
                "among them, and were corrected again"
            )


def _stacks(
    planned: FolderRun,
    segmenter: ReferenceSegmenter,
    client: Client | None,
    verdicts: list[Verdict],
) -> Iterator[Path]:
    """Segment the stacks, report them, and yield those that failed; keep what was said."""
    for target in planned.stacks:
        with run_report.stack_bar(target) as tell:
            try:
                outcome = planned.segment_stack(segmenter, target, client=client, progress=tell)
            except KeyboardInterrupt:
                run_report.say_stopped(target)
                raise
            run_report.show_stack(outcome)
        if outcome.result is None:
            yield target.path
        else:
            verdicts += [v for plane in outcome.result.planes for v in plane.verdicts.values()]


def load_predictor(
    model: str,
    device: str,
    store: EmbeddingStore | None = None,
    precision: str = "auto",
    *,
    compiled: bool = False,
) -> VRPSAMPredictor:
    """Load the model; torch is imported here and not before."""
    from vrpsam_app.predictor import VRPSAMPredictor

    with DownloadBar() as bar:
        return VRPSAMPredictor.from_pretrained(
            model,
            device=device,
            precision=precision,
            compiled=compiled,
            store=store,
            progress=bar,
        )


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number between 0 and 1")
    return value


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a positive whole number")
    return int(text)
