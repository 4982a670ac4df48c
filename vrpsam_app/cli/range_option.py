"""The option that says which intensities are shown from black to white."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vrpsam_app.images import IntensityRange


def add_range_option(parser: argparse.ArgumentParser, help_text: str) -> None:
    """Add ``--intensity-range``; its value is an `IntensityRange` or None."""
    parser.add_argument(
        "--intensity-range", type=_range, metavar="LOW,HIGH", help=help_text, default=None
    )


def _range(text: str) -> IntensityRange:
    from vrpsam_app.images import IntensityRange

    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected the lower and the higher intensity such as 100,4000"
        )
    return IntensityRange(low, high)
