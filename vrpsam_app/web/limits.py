"""How much one visitor may bring and how many may wait: settings of the server."""

from __future__ import annotations

import os
from dataclasses import dataclass

from vrpsam_app.errors import ConfigError

MEGAPIXELS_VARIABLE = "VRPSAM_WEB_MAX_MEGAPIXELS"
DEFAULT_MEGAPIXELS = 100
# Pictures up to so many times the limit are read once, reduced and kept; larger ones are refused by
# their headers.
_READABLE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the server takes from one visitor.

    Attributes
    ----------
    max_pixels : a larger picture is reduced to this when it is brought
    readable_pixels : a larger picture is refused before it is decoded
    pictures : to look in, and to mark, each
    planes : of one stack or movie, spread evenly
    session_bytes : of all files that are kept for one visitor
    waiting : people in the line of one model
    """

    max_pixels: int = DEFAULT_MEGAPIXELS * 10**6
    readable_pixels: int = DEFAULT_MEGAPIXELS * 10**6 * _READABLE
    pictures: int = 1000
    planes: int = 100
    session_bytes: int = 20 * 10**9
    waiting: int = 64


def on_space() -> bool:
    """Tell whether this process runs on a Space of the Hub, where visitors are strangers."""
    return bool(os.environ.get("SPACE_ID"))


def limits() -> Limits:
    """Return the limits of this process, narrower on a Space.

    Raises
    ------
    ConfigError
        If ``VRPSAM_WEB_MAX_MEGAPIXELS`` is no number above 0.
    """
    text = os.environ.get(MEGAPIXELS_VARIABLE, str(DEFAULT_MEGAPIXELS))
    try:
        megapixels = float(text)
    except ValueError:
        megapixels = 0.0
    if not 0 < megapixels < 1e6:
        raise ConfigError(
            f"{MEGAPIXELS_VARIABLE} is {text!r}: expected how many million pixels a picture may "
            f"have, such as {DEFAULT_MEGAPIXELS}."
        )
    pixels = round(megapixels * 10**6)
    if on_space():
        return Limits(
            max_pixels=pixels,
            readable_pixels=2 * pixels,
            pictures=60,
            planes=30,
            session_bytes=500 * 10**6,
        )
    return Limits(max_pixels=pixels, readable_pixels=_READABLE * pixels)
