"""The most memory that this process has held since a moment of one's choice."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
# Told to clear_refs, Linux takes the memory of now for the peak (proc(5)).
_RESET_PEAK = "5"


def reset_peak_memory() -> None:
    """Begin anew; where the system cannot forget a peak, that of the whole run stays."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text(_RESET_PEAK, encoding="ascii")


def peak_memory() -> int:
    """Return the largest resident set in bytes, 0 where the system does not say."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"))
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
