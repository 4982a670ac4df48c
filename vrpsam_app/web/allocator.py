"""Memory, used as a server should: as much as is needed, and what was freed goes back."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
from typing import Any

# Number of the parameter in glibc's malloc.h, and the variables by which people set it.
_M_ARENA_MAX = -8
_SET_BY_HAND = ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")
# Number of the option in Linux' prctl.h.
_PR_SET_THP_DISABLE = 41


def share_one_heap() -> bool:
    """Let all threads use the heap of the process; call it before there are others.

    Requests come in many threads, each of which would have a heap of its own, up to eight for every
    core. Hardly any two threads of Python allocate at the same moment. And the free end of the
    process's own heap is the only one that :func:`give_memory_back` can give back.

    Returns
    -------
    shared : bool
        False where people chose a number of heaps themselves, and where the C library is not glibc:
        others have their own ways.

    Notes
    -----
    ``mtrim`` in glibc's malloc.c (2.36) returns free pages between other pieces in every heap, but
    those at the end only in the first. Any other heap keeps there up to twice the largest block
    that was ever freed, 64 MB at most, as chance has it.
    """
    library = _glibc()
    if library is None or any(name in os.environ for name in _SET_BY_HAND):
        return False
    return bool(library.mallopt(_M_ARENA_MAX, 1) == 1)


def use_small_pages() -> bool:
    """Let the system lend this process pages of 4 KB only; call it before much is allocated.

    Linux joins pages into huge ones of 2 MB wherever a single one of the 512 is in use. It does so
    in the background, 1.6 MB a second of all processes: a server starts to grow after minutes, and
    what it gave back comes back to it, unasked and unused, until all that it ever had is filled.

    Returns
    -------
    small : bool
        False where there are no such pages, and where people asked glibc for them.

    Notes
    -----
    ``PR_SET_THP_DISABLE``, Linux 3.15; programs that this one starts inherit it. The pace and the
    512 are ``pages_to_scan``, ``scan_sleep_millisecs`` and ``max_ptes_none`` of khugepaged, as most
    systems have them.
    """
    if sys.platform != "linux" or "hugetlb" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    one, none = ctypes.c_ulong(1), ctypes.c_ulong(0)
    return bool(ctypes.CDLL(None).prctl(_PR_SET_THP_DISABLE, one, none, none, none) == 0)


def give_memory_back() -> bool:
    """Return the free pages of the heap to the system.

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
