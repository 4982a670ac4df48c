"""Files that count on in their names: whether one is missing among them."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

_log = logging.getLogger(__name__)


def warn_of_gaps(files: Sequence[Path]) -> None:
    """Say where numbers are left out, in names that differ in one number and mostly count on.

    Parameters
    ----------
    files : the planes of a stack, in natural order
    """
    numbers = _counted([file.name for file in files])
    steps = [after - before for before, after in pairwise(numbers)]
    step = min(steps, default=0)
    gaps = [index for index, size in enumerate(steps) if size > step]
    if not gaps or step < 1 or 2 * len(gaps) > len(steps):
        return
    before, after = files[gaps[0]], files[gaps[0] + 1]
    _log.warning(
        "%s is followed by %s%s: files seem to be missing, and those behind move up. Check the "
        "folder.",
        before,
        after.name,
        f", and {len(gaps) - 1} more such gaps" if len(gaps) > 1 else "",
    )


def _counted(names: Sequence[str]) -> list[int]:
    """Return the number that names differ in, [] if they differ in anything else."""
    parts = [re.split(r"(\d+)", name) for name in names]
    if len({tuple(part[::2]) for part in parts}) != 1:
        return []
    rows = [list(map(int, part[1::2])) for part in parts]
    varying = [list(column) for column in zip(*rows, strict=True) if len(set(column)) > 1]
    return varying[0] if len(varying) == 1 else []
