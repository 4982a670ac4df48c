"""Options that say how files are opened as stacks, the same for every command that opens them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from vrpsam_app.errors import VRPSAMError

if TYPE_CHECKING:
    from vrpsam_app.stack_runs.targets import StackReading
    from vrpsam_app.stacks.stack import PixelSize

T = TypeVar("T")


def add_reading_options(group: argparse._ActionsContainer) -> None:
    """Add ``--channels``, ``--axes``, ``--scene`` and ``--pixel-size``."""
    group.add_argument(
        "--channels",
        type=_channels,
        metavar="A,B,C",
        help="channels to show, by number from 0 or name",
    )
    _add_file_options(group)


def add_measuring_options(group: argparse._ActionsContainer) -> None:
    """Add the same options for pictures that are measured, of which any channels may be chosen."""
    group.add_argument(
        "--channels",
        type=_measured_channels,
        metavar="A,B,...",
        help="channels to measure, by number from 0 or name (default: all)",
    )
    _add_file_options(group)


def _add_file_options(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--axes", type=_axes, metavar="NAMES", help="names of all axes of a stack, such as tzyx"
    )
    group.add_argument(
        "--scene",
        type=_scene,
        metavar="N|NAME",
        help="which image, of files that hold several, by number from 0 or name",
    )
    add_pixel_size_option(group)


def add_pixel_size_option(group: argparse._ActionsContainer) -> None:
    """Add ``--pixel-size``."""
    group.add_argument(
        "--pixel-size",
        type=_pixel_size,
        metavar="ROW,COL[,PLANE][UNIT]",
        help="replaces what the files say, such as 0.65 or 0.3,0.3,0.9um",
    )


def stack_reading(options: argparse.Namespace, max_pixels: int) -> StackReading:
    """Return how stacks are opened."""
    from vrpsam_app.stack_runs.targets import StackReading

    return StackReading(
        channels=options.channels,
        axes=options.axes,
        scene=options.scene,
        pixel_size=options.pixel_size,
        max_pixels=max_pixels,
    )


def parsed(parse: Callable[[str], T], text: str) -> T:
    """Read a value; what is wrong with it is said as argparse says it."""
    try:
        return parse(text)
    except VRPSAMError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _channels(text: str) -> tuple[int | str, ...]:
    from vrpsam_app.stacks.options import parse_channels

    return parsed(parse_channels, text)


def _measured_channels(text: str) -> tuple[int | str, ...]:
    from vrpsam_app.stacks.options import parse_channels

    return parsed(partial(parse_channels, most=None), text)


def _axes(text: str) -> tuple[str, ...]:
    from vrpsam_app.stacks.options import parse_axes

    return parsed(parse_axes, text)


def _scene(text: str) -> int | str:
    from vrpsam_app.stacks.options import parse_scene

    return parsed(parse_scene, text)


def _pixel_size(text: str) -> PixelSize:
    from vrpsam_app.stacks.options import parse_pixel_size

    return parsed(parse_pixel_size, text)
