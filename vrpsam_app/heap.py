"""The C library's heap, told at once what it would learn late: what is freed is wanted again."""

from __future__ import annotations

import ctypes
import os
import platform

# Numbers of the parameters in glibc's malloc.h, and the variables by which people set them.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_SET_BY_HAND = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
# The largest values that glibc itself arrives at (DEFAULT_MMAP_THRESHOLD_MAX, and twice that).
_MMAP_BYTES = 32 * 1024**2
_TRIM_BYTES = 2 * _MMAP_BYTES


def reuse_freed_memory() -> bool:
    """Let buffers of up to 32 MB come from the heap, and keep 64 MB at its end.

    Each picture needs the same buffers as the one before it. glibc starts with taking blocks of
    128 KB from the system and giving them back at once, and raises its limits whenever it is shown
    a larger one; where that ends is chance. In between, thousands of pages are taken from the
    system, cleared and given back for every picture, a tenth of the time that it takes.

    Returns
    -------
    told : bool
        False where people chose the limits themselves, and where the C library is not glibc.

    Notes
    -----
    It holds for the process, as it would anyway once a block of 32 MB was freed.
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in _SET_BY_HAND):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES) and mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES))
