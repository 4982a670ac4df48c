"""``vrpsam objects``: cut masks into single objects, number them through stacks, measure them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vrpsam_app.cli import run_report
from vrpsam_app.cli.object_options import LINKS_HELP, OBJECTS_HELP, link_options, object_options
from vrpsam_app.cli.reading_options import add_measuring_options
from vrpsam_app.errors import ConfigError, VRPSAMError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from vrpsam_app.objects.paths import ObjectPaths
    from vrpsam_app.stacks.stack import Stack

EXIT_SOME_FAILED = 1


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "objects",
        help="cut masks into single objects, and measure them",
        description="Cut masks into single objects, or filter objects that are numbered already; "
        "give them ids that go through a stack; measure them in the unit of the pixel size. "
        "Writes <name>_objects.tif (the ids) and <name>_objects.csv (a line for each object) for "
        "each, and <name>_object_planes.csv for a stack.",
        epilog="example: vrpsam objects results/ --image plate/ --objects distance,min-area=20 "
        "--pixel-size 0.65 --out objects/",
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="MASK_OR_LABELS",
        help="masks (one number beside 0) or label images, stacks of them, folders or patterns",
    )
    parser.add_argument(
        "--image",
        dest="images",
        nargs="+",
        action="extend",
        metavar="IMAGE",
        help="what the masks were found in, to measure the intensities of all channels; matched by "
        "name",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="results go there"
    )
    parser.add_argument(
        "--objects", type=object_options, default="distance", metavar="HOW", help=OBJECTS_HELP
    )
    parser.add_argument(
        "--link",
        type=link_options,
        metavar="HOW",
        help=f"{LINKS_HELP}; what is numbered already keeps its numbers unless this is given",
    )
    parser.add_argument(
        "--classes",
        type=_class_names,
        metavar="A,B,...",
        help="the numbers are classes, 1 for the first name: the objects of each are cut and "
        "written on their own (default: those of the recipe of a run for several classes)",
    )
    add_measuring_options(
        parser.add_argument_group(
            "how files are opened",
            "Channels, axes and scene are those of --image; the pixel size is that of masks too.",
        )
    )
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Cut, link, measure and report, file by file."""
    from vrpsam_app.image_files import find_files
    from vrpsam_app.objects.measurements import require_pandas
    from vrpsam_app.output_paths import by_result_stem, check_outputs, prepare_folder

    require_pandas()
    inputs = _files(options.inputs)
    images = find_files(options.images) if options.images else []
    named = by_result_stem(images)
    if len(images) == len(inputs) == 1:
        sources: dict[Path, Path | None] = dict(zip(inputs, images, strict=True))
    else:
        sources = {path: _image_of(path, named) if images else None for path in inputs}
    planned = _plan(inputs, options)
    check_outputs(
        [file for paths in planned.values() for file in paths],
        [*inputs, *images],
        overwrite=options.overwrite,
    )
    prepare_folder(options.out)
    failed = []
    for (path, number), paths in planned.items():
        try:
            table = _cut(path, number, sources[path], paths, options)
        except (VRPSAMError, OSError, MemoryError) as error:
            failed.append(path)
            reason = str(error) or type(error).__name__
            known = str(path) in reason
            print(reason if known else f"{path}: {reason}", file=sys.stderr)
        else:
            print(f"{path}: {_summary(table)} -> {paths.labels}")
    if failed:
        print(f"vrpsam: {len(failed)} of {len(planned)} failed", file=sys.stderr)
    return EXIT_SOME_FAILED if failed else 0


def _plan(
    inputs: Sequence[Path], options: argparse.Namespace
) -> dict[tuple[Path, int | None], ObjectPaths]:
    """Name the files for every input, and for every class of it."""
    from vrpsam_app.exchange.picture_files import picture_stem
    from vrpsam_app.objects.paths import ObjectPaths
    from vrpsam_app.objects.saved_labels import label_classes
    from vrpsam_app.output_paths import file_names

    planned: dict[tuple[Path, int | None], ObjectPaths] = {}
    stems: set[str] = set()
    for path in inputs:
        stem = picture_stem(path)
        if stem in stems:
            raise ConfigError(
                f"Several inputs belong to {stem!r}: their results would have one name. Give them "
                "one after the other, with a folder each."
            )
        stems.add(stem)
        classes = options.classes or label_classes(path)
        if not classes:
            planned[path, None] = ObjectPaths.of(options.out, stem, stack=True)
        elif options.classes is None:
            print(f"{path}: classes {', '.join(classes)}, as its recipe says")
        for number, name in enumerate(file_names(classes).values(), start=1):
            planned[path, number] = ObjectPaths.of(options.out, f"{stem}_{name}", stack=True)
    return planned


def _cut(
    path: Path,
    number: int | None,
    image: Path | None,
    paths: ObjectPaths,
    options: argparse.Namespace,
) -> pd.DataFrame:
    """Write the objects of one file, or of one class in it, and return what was measured."""
    from tqdm import tqdm

    from vrpsam_app.label_files import holds_masks, open_labels
    from vrpsam_app.objects.files import write_objects
    from vrpsam_app.objects.finding import cut_planes, kept_planes, linked_planes
    from vrpsam_app.objects.linking import DEFAULT_LINKS
    from vrpsam_app.progress import Progress, ProgressMeter
    from vrpsam_app.stacks.stack_files import open_channels, open_stack

    stack = open_labels(path, pixel_size=options.pixel_size)
    if number is not None:
        stack = replace(stack, data=stack.data == number)
    shown: Stack | None = None
    channels: dict[str, Stack] = {}
    if image is not None:
        reading = {k: getattr(options, k) for k in ("channels", "axes", "scene", "pixel_size")}
        channels = open_channels(image, **reading)
        if options.objects.method == "intensity":
            shown = open_stack(image, **reading)
        picture = next(iter(channels.values()))
        if (picture.leading_shape, picture.plane_hw) != (stack.leading_shape, stack.plane_hw):
            raise ConfigError(
                f"{image} has planes of {picture.plane_hw} along {picture.leading_shape}, {path} "
                f"of {stack.plane_hw} along {stack.leading_shape}: they do not belong together."
            )
        if stack.pixel_size is None:
            stack = replace(stack, pixel_size=picture.pixel_size)
    numbered = number is None and not holds_masks(stack)
    links = options.link or (None if numbered else DEFAULT_LINKS)
    whole = bool(stack.axes) if links is None else links.goes_through(stack.axes)
    cutting = options.objects.without_filters() if whole else options.objects
    planes = kept_planes(stack, cutting) if numbered else cut_planes(stack, cutting, images=shown)
    if links is not None:
        planes = linked_planes(planes, stack, links)
    elif stack.axes:
        print(f"{path}: objects keep their numbers; --link gives them others")
    with tqdm(total=stack.plane_count, unit="plane", disable=None, leave=False) as bar:

        def tell(progress: Progress) -> None:
            bar.update(progress.done - bar.n)

        return write_objects(
            paths if stack.axes else replace(paths, planes=None),
            planes,
            plane_hw=stack.plane_hw,
            axes=stack.axes,
            leading_shape=stack.leading_shape,
            images=_intensities(channels) if channels else None,
            channels=_names(channels),
            pixel_size=stack.pixel_size,
            filters=options.objects.resolved(stack.pixel_size) if whole else None,
            keep_numbers=links is None,
            overwrite=options.overwrite,
            meter=ProgressMeter(stack.plane_count, tell),
        )


def _intensities(channels: Mapping[str, Stack]) -> Iterator[NDArray[Any]]:
    """Yield the planes of all channels together, as they are measured."""
    import numpy as np

    first, *others = channels.values()
    for index in first.indices():
        plane = first.intensities(index)
        yield np.stack([plane, *(o.plane(index) for o in others)], -1) if others else plane


def _names(channels: Mapping[str, Stack]) -> Sequence[str] | None:
    """Return the names of channels, None where the file and its kind say all."""
    several = len(channels) > 1
    return tuple(channels) if several else next((s.channels for s in channels.values()), ()) or None


def _files(patterns: Sequence[str]) -> list[Path]:
    """Return masks and labels, and not what stands beside them, such as overlays."""
    from vrpsam_app.exchange.picture_files import labels_among, picture_stem
    from vrpsam_app.image_files import find_files
    from vrpsam_app.output_paths import image_stem

    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = find_files([pattern])
        found |= dict.fromkeys(labels_among(matches))
        others = [p for p in matches if p not in found and picture_stem(p) == image_stem(p)]
        unsaid = [p for p in others if not p.stem.endswith("_overlay")]
        run_report.say_passed_over(unsaid, "masks end in _mask, labels in _labels")
    return list(found)


def _image_of(path: Path, images: Mapping[str, Sequence[Path]]) -> Path:
    """Return the image that a mask was found in, of images by the names of their results."""
    from vrpsam_app.exchange.picture_files import picture_stem

    stem = picture_stem(path)
    matches = images.get(stem, ())
    if len(matches) != 1:
        raise ConfigError(
            f"{path} belongs to {len(matches)} of the images: expected one called {stem}. Rename "
            "it, or leave --image out."
        )
    return matches[0]


def _class_names(text: str) -> list[str]:
    """Read the names of classes."""
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{text!r}: expected different names, commas between")
    return names


def _summary(table: pd.DataFrame) -> str:
    """Say in a few words how many objects there are and how large."""
    count = f"{len(table)} object{'' if len(table) == 1 else 's'}"
    sizes = [name for name in table.columns if name.startswith(("volume_", "area_", "mean_area_"))]
    if not sizes or not len(table):
        return count
    size = next((name for name in sizes if name.startswith("volume_")), sizes[-1])
    what, _, unit = size.rpartition("_")
    return f"{count}, median {what.replace('_', ' ')} {table[size].median():.4g} {unit}"
