"""``vrpsam precompute``: encode images now, so that questions about them are answered at once."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from vrpsam_app.cli import run_report, segment
from vrpsam_app.cli.marked_references import build_references
from vrpsam_app.cli.method_options import add_model_options, precision_of
from vrpsam_app.cli.range_option import add_range_option
from vrpsam_app.cli.reading_options import add_reading_options, stack_reading
from vrpsam_app.cli.reference_options import ReferenceOptions, add_reference_options
from vrpsam_app.cli.store_options import add_store_options, open_store
from vrpsam_app.cli.tile_options import add_tile_option, tile_options

if TYPE_CHECKING:
    from vrpsam_app.precompute import EncodedFile
    from vrpsam_app.progress import Progress

EXIT_SOME_FAILED = 1


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "precompute",
        help="encode images in advance",
        description="Encode pictures and stacks into the store of embeddings. Whatever is asked "
        "about them later with the same --store, by other references too, starts at once. "
        "Interrupted, it goes on where it was.",
        epilog="example: vrpsam precompute plate/ && "
        "vrpsam segment --store default --reference a.png --box 4,6,18,22 --target plate/ --out o/",
    )
    parser.add_argument(
        "paths", nargs="+", metavar="IMAGE", help="images, stacks, folders of images or patterns"
    )
    add_reference_options(parser)
    add_range_option(
        parser,
        "show images of more than 8 bits from black to white like this; without it, give the "
        "references that will be asked for, because they share the range of the images",
    )
    add_tile_option(parser, "; needs the references")
    add_reading_options(parser)
    add_model_options(parser, default="embedded")
    add_store_options(parser, default="default")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Encode, and say what was stored and what was there."""
    from tqdm import tqdm

    from vrpsam_app import precompute
    from vrpsam_app.errors import ConfigError
    from vrpsam_app.image_files import MAX_PIXELS, find_files, passed_over

    store = open_store(options)
    if store is None:
        raise ConfigError("Without a store there is nothing to precompute: leave --store off out.")
    paths = find_files(options.paths)
    run_report.say_passed_over(passed_over(options.paths, paths), segment.NAME_IMAGES)
    reading = stack_reading(options, MAX_PIXELS)
    entries = options.references or ()
    references = build_references(entries, reading)
    marked = [entry.path for entry in entries if isinstance(entry, ReferenceOptions)]
    predictor = segment.load_predictor(
        options.model, options.device, store, precision_of(options), compiled=options.compile
    )
    with tqdm(total=0, unit="plane", disable=None) as bar:

        def show(progress: Progress) -> None:
            bar.total = progress.total
            bar.update(progress.done - bar.n)

        results = precompute.encode_files(
            predictor,
            store,
            paths,
            references=references,
            intensity_range=options.intensity_range,
            tiling=tile_options(options, marked, reading),
            reading=reading,
            progress=show,
        )
        done = []
        for result in results:
            done.append(result)
            tqdm.write(summary(result), file=sys.stderr if result.error else sys.stdout)
    failed = sum(result.error is not None for result in done)
    print(
        f"{sum(r.stored for r in done)} stored, {sum(r.found for r in done)} found, "
        f"{failed} of {len(done)} files failed; {store.folder.folder} holds "
        f"{store.folder.nbytes / 1e6:.0f} MB"
    )
    return EXIT_SOME_FAILED if failed else 0


def summary(result: EncodedFile) -> str:
    """Say in one line what became of a file."""
    if result.error is not None:
        reason = str(result.error) or type(result.error).__name__
        return reason if str(result.path) in reason else f"{result.path}: {reason}"
    intensity = result.intensity_range
    shown = "" if intensity is None else f", shown from {intensity.low:g} to {intensity.high:g}"
    return f"{result.path}: {result.stored} stored, {result.found} found{shown}"
