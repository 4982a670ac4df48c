"""``vrpsam segment``: find the object of annotated references in other images."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vrpsam_app.cli.download_bar import DownloadBar
from vrpsam_app.cli.method_options import add_method_options, build_method
from vrpsam_app.cli.range_option import add_range_option
from vrpsam_app.cli.reference_options import (
    ReferenceOptions,
    add_reference_options,
    build_references,
)
from vrpsam_app.cli.stack_runs import (
    add_stack_options,
    connection,
    segment_stacks,
    stack_reading,
    tile_options,
)
from vrpsam_app.cli.store_options import add_store_options, open_store

if TYPE_CHECKING:
    from vrpsam_app.batch import FileResult
    from vrpsam_app.embeddings.store import EmbeddingStore
    from vrpsam_app.predictor import VRPSAMPredictor

DEFAULT_THRESHOLD = 0.5
EXIT_SOME_FAILED = 1
MOST_NAMED = 5  # failed targets in the closing line; each has been reported where it failed


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "segment",
        allow_abbrev=False,  # so that scripts stay valid when options are added
        help="segment images and stacks after annotated references",
        description="Mark an object in a reference image and segment its like in the targets. "
        "Writes <name>_mask.png (0 and 255, size of the target) for each picture and "
        "<name>_labels (0, and 1 for the first class) for each stack, and a recipe, which says "
        "what was run and replays it. vrpsam objects numbers and measures what was found.",
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
    parser.add_argument("--overlay", action="store_true", help="write <name>_overlay.png as well")
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
        "--model",
        default=None,
        metavar="NAME",
        help="name or folder of the model, or organisation/name on the Hub",
    )
    add_method_options(parser)
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)"
    )
    parser.add_argument(
        "--max-pixels",
        type=_positive,
        metavar="N",
        help="refuse larger images, before they are decoded (default: 100 million)",
    )
    add_range_option(
        parser,
        "show images of more than 8 bits from black to white like this (default: by the 0.1 and "
        "99.9 percentiles of all images and references)",
    )
    add_stack_options(parser)
    add_store_options(parser, default="off")
    parser.set_defaults(run=run, usage_error=parser.error)
    return parser


def run(options: argparse.Namespace) -> int:
    """Check everything that can be checked, segment, and report."""
    if bool(options.references) == bool(options.recipe):
        options.usage_error("give either --reference with its marks, or --recipe")
    if options.resume and options.overwrite:
        options.usage_error("either go on with --resume or begin again with --overwrite")

    from vrpsam_app import batch, image_files, output_paths, precompute
    from vrpsam_app.recipe import Recipe
    from vrpsam_app.references import labels_of
    from vrpsam_app.stack_runs import targets as stack_targets

    max_pixels: int = options.max_pixels or image_files.MAX_PIXELS
    reading = stack_reading(options, max_pixels)
    replayed = Recipe.load(options.recipe) if options.recipe else None
    if replayed is None:
        references = build_references(options.references, max_pixels=max_pixels, reading=reading)
        inputs = [path for entry in options.references for path in entry.input_files()]
        pictures = [e.path for e in options.references if isinstance(e, ReferenceOptions)]
    else:
        references, inputs, pictures = replayed.references, [options.recipe], []
    recorded = dict(replayed.sections.get("tiling", {})) if replayed else {}
    tiling = tile_options(options, recorded, pictures)
    targets, stacks = stack_targets.sort_targets(
        precompute.find_targets(options.targets), options.out, reading, options.stack_format
    )
    plan = output_paths.plan_outputs(
        targets, options.out, labels_of(references), overlay=options.overlay
    )
    recipe_path = options.out / "recipe.json"
    output_paths.check_outputs(
        [recipe_path, *(path for outputs in plan for path in outputs)] if plan else [],
        [*inputs, *targets],
        overwrite=options.overwrite or options.resume,
    )
    output_paths.prepare_folder(options.out)

    model = options.model or (replayed.model if replayed else None) or "embedded"
    predictor = build_method(
        options,
        lambda: load_predictor(model, options.device, open_store(options)),
        None if replayed is None else replayed.made_by,
    )
    made_by = predictor.describe()
    if replayed is not None:
        print(replayed.promise(made_by))
    intensity_range = options.intensity_range or (replayed.intensity_range if replayed else None)
    threshold = options.threshold or (replayed.threshold if replayed else DEFAULT_THRESHOLD)
    with connection(options) as client:
        failed, records = [], []
        shared = intensity_range
        if plan and shared is None:
            shared = batch.shared_intensity_range(references, targets, max_pixels=max_pixels)
        for result in _shown(
            batch.segment_files(
                predictor,
                references,
                plan,
                intensity_range=shared,
                threshold=threshold,
                max_pixels=max_pixels,
                overwrite=options.overwrite or options.resume,
                tiling=tiling,
                client=client,
            ),
            len(plan),
        ):
            if result.record is None:
                failed.append(result.outputs.target)
            else:
                records.append(result.record)
        if replayed is not None and records:
            print(
                f"{replayed.count_known(records)} of {len(records)} pictures have the pixels that "
                "the recipe records"
            )
        if records:
            Recipe.from_run(
                references,
                records,
                made_by,
                intensity_range=shared,
                settings={"threshold": threshold},
                sections={"tiling": tiling.to_json()},
            ).save(recipe_path, overwrite=options.overwrite or options.resume)
        failed += segment_stacks(
            predictor,
            references,
            stacks,
            intensity_range=intensity_range,
            threshold=threshold,
            tiling=tiling,
            options=options,
            client=client,
        )
    if failed:
        count = len(plan) + len(stacks)
        names = ", ".join(str(path) for path in failed[:MOST_NAMED])
        more = f" and {len(failed) - MOST_NAMED} more" if len(failed) > MOST_NAMED else ""
        print(f"vrpsam: {len(failed)} of {count} failed: {names}{more}", file=sys.stderr)
    return EXIT_SOME_FAILED if failed else 0


def _shown(results: Iterator[FileResult], total: int) -> Iterator[FileResult]:
    """Report pictures as they are done, beside a bar."""
    from tqdm import tqdm

    for result in tqdm(results, total=total, unit="image", disable=None if total else True):
        if result.record is None:
            tqdm.write(failure(result), file=sys.stderr)
        else:
            tqdm.write(summary(result))
        yield result


def load_predictor(model: str, device: str, store: EmbeddingStore | None = None) -> VRPSAMPredictor:
    """Load the model; torch is imported here and not before."""
    from vrpsam_app.predictor import VRPSAMPredictor

    with DownloadBar() as bar:
        return VRPSAMPredictor.from_pretrained(model, device=device, store=store, progress=bar)


def summary(result: FileResult) -> str:
    """Say in one line what was found in a target and where it was written."""
    several = len(result.predictions) > 1
    found = [
        f"{f'{prediction.label} ' if several else ''}"
        f"{'present' if prediction.present else 'not present'}, score {prediction.score:.2f}, "
        f"{100 * float(prediction.mask.mean()):.1f} % of pixels"
        for prediction in result.predictions
    ]
    written = result.outputs.labels or next(iter(result.outputs.masks.values()))
    return f"{result.outputs.target}: {'; '.join(found)} -> {written}"


def failure(result: FileResult) -> str:
    """Say in one line why a target failed, by its name."""
    reason = str(result.error) or type(result.error).__name__
    target = str(result.outputs.target)
    return reason if target in reason else f"{target}: {reason}"


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
