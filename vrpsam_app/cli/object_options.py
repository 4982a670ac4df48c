"""Options about single objects, the same for every command that cuts masks into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vrpsam_app.cli.reading_options import parsed

if TYPE_CHECKING:
    from vrpsam_app.objects.instances import ObjectOptions
    from vrpsam_app.objects.linking import LinkOptions
    from vrpsam_app.video.options import MemoryOptions

OBJECTS_HELP = (
    "how a mask becomes objects: distance (at their necks), intensity (between "
    "bright places), probability or components (as they hang together); then diameter=N of a "
    "typical one, min-area=N, max-area=N, clear-border, min-score=P, diagonal, prompts (ask the "
    "model again for each), unit=um; with commas between; what is linked through a stack (--link) "
    "stays or goes whole: by its largest area in any plane, the border in any, its mean score "
    "(default: distance)"
)
LINKS_HELP = (
    "ids through the planes of a stack: match, unique (no id twice) or separate "
    "(each plane counts from 1); then min-overlap=P, gaps=N, through-necks; with commas between "
    "(default: match)"
)


def object_options(text: str) -> ObjectOptions:
    """Read what follows ``--objects``."""
    from vrpsam_app.objects.instances import ObjectOptions

    return parsed(ObjectOptions.from_text, text)


def memory_options(text: str) -> MemoryOptions:
    """Read what follows ``--memory``."""
    from vrpsam_app.video.options import MemoryOptions

    return parsed(MemoryOptions.from_text, text)


def link_options(text: str) -> LinkOptions:
    """Read what follows ``--link``."""
    from vrpsam_app.objects.linking import LinkOptions

    return parsed(LinkOptions.from_text, text)
