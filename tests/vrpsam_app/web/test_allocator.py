"""What glibc is told, seen in a process of its own: settings of an allocator last."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from vrpsam_app.web import allocator

IS_GLIBC = platform.libc_ver()[0] == "glibc"

# Small pieces, every hundredth of which is kept: the heap cannot shrink at its end.
HOLES = """
import os, sys
from vrpsam_app.web.allocator import give_memory_back

def megabytes():
    with open("/proc/self/statm") as account:
        return int(account.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

before = megabytes()
pieces = [bytes(60_000) for _ in range(2000)]
kept = pieces[::100]
del pieces
full = megabytes()
returned = give_memory_back()
print(returned, full - before, megabytes() - before)
"""

# Every thread keeps a little; heaps are what glibc counts in its own report.
HEAPS = """
import ctypes, sys, threading
from vrpsam_app.web.allocator import limit_heaps

limited = limit_heaps()
everybody = threading.Barrier(8)
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p

def allocate():
    library.malloc(ctypes.c_size_t(5000))
    everybody.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(limited, flush=True)
library.malloc_info(0, ctypes.c_void_p.in_dll(library, "stdout"))
"""


def said(program: str, **variables: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in allocator._SET_BY_HAND}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)} | variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def test_free_pages_between_others_go_back():
    returned, full, left = said(HOLES).split()
    assert returned == str(IS_GLIBC)
    if IS_GLIBC:
        assert float(full) > 40
        assert float(left) < 0.3 * float(full)


def test_threads_share_few_heaps_unless_a_person_wants_others():
    if not IS_GLIBC:
        assert not allocator.limit_heaps()
        return
    limited, report = said(HEAPS).split("\n", 1)
    assert limited == "True"
    assert report.count("<heap nr=") <= 2
    limited, report = said(HEAPS, MALLOC_ARENA_MAX="6").split("\n", 1)
    assert limited == "False"
    assert report.count("<heap nr=") > 2


@pytest.mark.parametrize("name", ["musl", ""])
def test_another_library_is_left_alone(monkeypatch, name):
    monkeypatch.setattr(platform, "libc_ver", lambda: (name, ""))
    allocator._glibc.cache_clear()
    try:
        assert not allocator.limit_heaps()
        assert not allocator.give_memory_back()
    finally:
        monkeypatch.undo()
        allocator._glibc.cache_clear()
