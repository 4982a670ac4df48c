"""The C library's memory, used as a server should: what was freed goes back to the system."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
from typing import Any

# Number of the parameter in glibc's malloc.h, and the variables by which people set it.
_M_ARENA_MAX = -8
_SET_BY_HAND = ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")
# Requests come in many threads, each of which would have a heap of its own, up to eight for every
# core. Hardly any two threads of Python allocate at the same moment.
_HEAPS = 2


def limit_heaps() -> bool:
    """Let all threads share a few heaps; call it before there are many threads.

    Returns
    -------
    limited : bool
        False where people chose a number themselves, and where the C library is not glibc: others
        have their own ways.
    """
    library = _glibc()
    if library is None or any(name in os.environ for name in _SET_BY_HAND):
        return False
    return bool(library.mallopt(_M_ARENA_MAX, _HEAPS) == 1)


def give_memory_back() -> bool:
    """Return the free pages of all heaps to the system.

    A heap shrinks at its end only. Pictures and features live for one answer, and what lives longer
    comes to lie between them; without this the process stays as large as it ever was, and grows as
    its heaps are broken into smaller and smaller pieces.

    Returns
    -------
    returned : bool
        Whether there was anything to return; False where the C library is not glibc.
    """
    library = _glibc()
    return library is not None and bool(library.malloc_trim(0))


@functools.cache
def _glibc() -> Any:
    """Return the C library of this process if it is glibc, else None."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
