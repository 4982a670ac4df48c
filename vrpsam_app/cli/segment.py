"""``vrpsam segment``: find the object of annotated references in other images."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vrpsam_app.cli.reference_options import add_reference_options, build_references

if TYPE_CHECKING:
    from vrpsam_app.batch import FileResult
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
        help="segment images after annotated references",
        description="Mark an object in a reference image and segment its like in the targets. "
        "Writes <name>_mask.png (0 and 255, size of the target) for each, and recipe.json, which "
        "says what was run and replays it.",
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
        help='images, folders or patterns such as "plate/*.tif"; may be given again',
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
    parser.add_argument("--model", default=None, metavar="NAME", help="name or folder of the model")
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)"
    )
    parser.add_argument(
        "--max-pixels",
        type=_positive,
        metavar="N",
        help="refuse larger images, before they are decoded (default: 100 million)",
    )
    parser.set_defaults(run=run, usage_error=parser.error)
    return parser


def run(options: argparse.Namespace) -> int:
    """Check everything that can be checked, segment, and report."""
    if bool(options.references) == bool(options.recipe):
        options.usage_error("give either --reference with its marks, or --recipe")

    from tqdm import tqdm

    from vrpsam_app import batch, image_files, output_paths
    from vrpsam_app.recipe import Recipe

    max_pixels: int = options.max_pixels or image_files.MAX_PIXELS
    replayed = Recipe.load(options.recipe) if options.recipe else None
    if replayed is None:
        references = build_references(options.references, max_pixels=max_pixels)
        inputs = [path for entry in options.references for path in entry.input_files()]
    else:
        references, inputs = replayed.references, [options.recipe]
    targets = image_files.find_images(options.targets)
    plan = output_paths.plan_outputs(
        targets, options.out, batch.labels_of(references), overlay=options.overlay
    )
    recipe_path = options.out / "recipe.json"
    output_paths.check_outputs(
        [recipe_path, *(path for outputs in plan for path in outputs)],
        [*inputs, *targets],
        overwrite=options.overwrite,
    )
    output_paths.prepare_folder(options.out)

    predictor = load_predictor(options.model or "embedded", options.device)
    made_by = predictor.describe()
    if replayed is not None:
        print(replayed.promise(made_by))
    intensity_range = replayed.intensity_range if replayed else None
    if intensity_range is None:
        intensity_range = batch.shared_intensity_range(references, targets, max_pixels=max_pixels)
    threshold = options.threshold or (replayed.threshold if replayed else DEFAULT_THRESHOLD)

    records, failed = [], []
    results = batch.segment_files(
        predictor,
        references,
        plan,
        intensity_range=intensity_range,
        threshold=threshold,
        max_pixels=max_pixels,
        overwrite=options.overwrite,
    )
    for result in tqdm(results, total=len(plan), unit="image", disable=None):
        if result.record is None:
            failed.append(result.outputs.target)
            tqdm.write(failure(result), file=sys.stderr)
        else:
            records.append(result.record)
            tqdm.write(summary(result))
    if records:
        Recipe.from_run(
            references,
            records,
            made_by,
            intensity_range=intensity_range,
            settings={"threshold": threshold},
        ).save(recipe_path, overwrite=options.overwrite)
    if failed:
        names = ", ".join(str(path) for path in failed[:MOST_NAMED])
        more = f" and {len(failed) - MOST_NAMED} more" if len(failed) > MOST_NAMED else ""
        print(f"vrpsam: {len(failed)} of {len(plan)} failed: {names}{more}", file=sys.stderr)
    return EXIT_SOME_FAILED if failed else 0


def load_predictor(model: str, device: str) -> VRPSAMPredictor:
    """Load the model; torch is imported here and not before."""
    from vrpsam_app.predictor import VRPSAMPredictor

    return VRPSAMPredictor.from_pretrained(model, device=device)


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
