"""Options about single objects, the same for every command that cuts masks into them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from vrpsam_app.errors import VRPSAMError

if TYPE_CHECKING:
    from vrpsam_app.objects.instances import ObjectOptions
    from vrpsam_app.objects.linking import LinkOptions
    from vrpsam_app.stacks.stack import PixelSize

T = TypeVar("T")

OBJECTS_HELP = (
    "how a mask becomes objects: distance (at their necks; the default), intensity (between "
    "bright places), probability or components (as they hang together); then diameter=N of a "
    "typical one, min-area=N, max-area=N, clear-border, min-score=P, diagonal, prompts (ask the "
    "model again for each), unit=um; with commas between"
)
LINKS_HELP = (
    "ids through the planes of a stack: match (the default), unique (no id twice) or separate "
    "(each plane counts from 1); then min-overlap=P, gaps=N, through-necks; with commas between"
)


def object_options(text: str) -> ObjectOptions:
    """Read what follows ``--objects``."""
    from vrpsam_app.objects.instances import ObjectOptions

    return _read(ObjectOptions.from_text, text)


def link_options(text: str) -> LinkOptions:
    """Read what follows ``--link``."""
    from vrpsam_app.objects.linking import LinkOptions

    return _read(LinkOptions.from_text, text)


def pixel_size(text: str) -> PixelSize:
    """Read what follows ``--pixel-size``."""
    from vrpsam_app.stacks.options import parse_pixel_size

    return _read(parse_pixel_size, text)


def _read(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except VRPSAMError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
