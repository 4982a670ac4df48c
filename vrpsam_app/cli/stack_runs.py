"""The part of ``vrpsam segment`` that is about stacks, tiles and several workers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from vrpsam_app.errors import VRPSAMError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from vrpsam_app.images import IntensityRange
    from vrpsam_app.progress import Progress
    from vrpsam_app.references import Reference
    from vrpsam_app.segmenter import Segmenter
    from vrpsam_app.stack_runs.cluster import Client
    from vrpsam_app.stack_runs.run import StackResult
    from vrpsam_app.stack_runs.targets import StackReading, StackTarget
    from vrpsam_app.tiles.plan import TileOptions

# A run that takes less is over before anybody has read how long it takes.
_WORTH_SAYING = 60.0


def add_stack_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group(
        "large images and stacks",
        "A target with slices, time points or both is segmented plane by plane; its result, "
        "<name>_labels, is complete up to the last finished plane whenever the run is stopped.",
    )
    group.add_argument(
        "--tiles",
        default=None,
        metavar="HOW",
        help="auto: large planes with small objects are cut into tiles (default); whole: never; "
        "tiles: always; a number: always, of so many pixels",
    )
    group.add_argument(
        "--resume", action="store_true", help="go on with stacks that were begun in this folder"
    )
    group.add_argument(
        "--stack-format",
        choices=("ome-zarr", "zarr", "tif"),
        help="of the results of stacks (default: tif for TIFF files, else ome-zarr)",
    )
    group.add_argument(
        "--channels", metavar="A,B,C", help="channels to show, by number from 0 or name"
    )
    group.add_argument("--axes", help="names of all axes of a stack, such as tzyx")
    group.add_argument(
        "--pixel-size",
        metavar="ROW,COL[,PLANE][UNIT]",
        help="replaces what the files say, such as 0.65 or 0.3,0.3,0.9um",
    )
    add_cluster_options(parser)


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers`` and ``--scheduler``."""
    cluster = parser.add_argument_group("several workers")
    cluster.add_argument("--workers", type=int, metavar="N", help="use N processes of this machine")
    cluster.add_argument(
        "--scheduler", metavar="ADDRESS", help="use a dask cluster, such as tcp://10.0.0.5:8786"
    )


def stack_reading(options: argparse.Namespace, max_pixels: int) -> StackReading:
    """Return how stacks are opened."""
    from vrpsam_app.stack_runs.targets import StackReading
    from vrpsam_app.stacks.options import parse_axes, parse_channels, parse_pixel_size

    return StackReading(
        channels=None if options.channels is None else parse_channels(options.channels),
        axes=None if options.axes is None else parse_axes(options.axes),
        pixel_size=None if options.pixel_size is None else parse_pixel_size(options.pixel_size),
        max_pixels=max_pixels,
    )


def tile_options(
    options: argparse.Namespace, recorded: dict[str, Any], references: Sequence[Path]
) -> TileOptions:
    """Return how planes are shown: as was said, else as in the recipe, else by the rule.

    Parameters
    ----------
    recorded : what a recipe says of it; empty without one
    references : files of the references, whose pixel size counts if it is known
    """
    from vrpsam_app.errors import ConfigError
    from vrpsam_app.stack_runs.targets import StackReading, common_pixel_size
    from vrpsam_app.tiles.plan import TileOptions, Tiling

    if options.tiles is None and recorded:
        return TileOptions.from_json(recorded)
    how: Any = options.tiles or "auto"
    size = common_pixel_size(references, StackReading()) if references else None
    if how.isdecimal():
        return TileOptions("tiles", tile=int(how), reference_pixel_size=size)
    if how not in get_args(Tiling):
        raise ConfigError(f"--tiles {how}: expected auto, whole, tiles, or a number of pixels.")
    return TileOptions(how, reference_pixel_size=size)


def connection(options: argparse.Namespace) -> AbstractContextManager[Client | None]:
    """Return the cluster that was asked for, None if the work is done here."""
    if options.workers is None and options.scheduler is None:
        return nullcontext()
    from vrpsam_app.stack_runs.cluster import connect

    return connect(options.scheduler, options.workers)


def segment_stacks(
    segmenter: Segmenter,
    references: Sequence[Reference],
    targets: Sequence[StackTarget],
    *,
    intensity_range: IntensityRange | None,
    threshold: float,
    tiling: TileOptions,
    options: argparse.Namespace,
    client: Client | None,
) -> list[Path]:
    """Segment stack after stack, say what was found, and return those that failed."""
    from tqdm import tqdm

    from vrpsam_app.stack_runs.run import segment_stack

    failed = []
    for target in targets:
        with _bar(target) as tell:
            try:
                result = segment_stack(
                    segmenter,
                    target.stack,
                    references,
                    target.out,
                    tiling=tiling,
                    intensity_range=intensity_range,
                    threshold=threshold,
                    resume=options.resume,
                    overwrite=options.overwrite,
                    client=client,
                    progress=tell,
                )
            except (VRPSAMError, OSError, MemoryError) as error:
                failed.append(target.path)
                reason = str(error) or type(error).__name__
                known = str(target.path) in reason or str(target.out) in reason
                tqdm.write(reason if known else f"{target.path}: {reason}", file=sys.stderr)
            except KeyboardInterrupt:
                tqdm.write(
                    f"{target.path}: stopped. What is finished is kept; the same command with "
                    "--resume goes on.",
                    file=sys.stderr,
                )
                raise
            else:
                tqdm.write(summary(target, result))
    return failed


def summary(target: StackTarget, result: StackResult) -> str:
    """Say in one line what was found in a stack and where it was written."""
    count = len(result.planes)
    labels = list(result.planes[0].verdicts)
    found = []
    for label in labels:
        verdicts = [plane.verdicts[label] for plane in result.planes]
        present = sum(v.present for v in verdicts)
        name = f"{label} " if len(labels) > 1 else ""
        found.append(f"{name}in {present} of {count} plane{'' if count == 1 else 's'}")
    kept = "" if result.asked == count else f", {count - result.asked} of them stored before"
    return f"{target.path}: {'; '.join(found)}{kept} -> {result.path}"


@contextmanager
def _bar(target: StackTarget) -> Iterator[Any]:
    """Show a bar, and say once how long it will take."""
    from tqdm import tqdm

    from vrpsam_app.progress import in_words

    said = False
    with tqdm(total=None, unit="step", disable=None, leave=False) as bar:

        def tell(progress: Progress) -> None:
            nonlocal said
            bar.total = progress.total
            bar.set_postfix_str(progress.message, refresh=False)
            bar.update(progress.done - bar.n)
            left = progress.seconds_left
            if not said and left is not None:
                said = True
                if left > _WORTH_SAYING:
                    count = target.stack.plane_count
                    planes = "1 plane" if count == 1 else f"{count} planes"
                    tqdm.write(f"{target.path}: {planes}, about {in_words(left)}")

        yield tell
