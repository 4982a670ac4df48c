"""What glibc and Linux are told, seen in a process of its own: such settings last."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

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
from vrpsam_app.web.allocator import share_one_heap

shared = share_one_heap()
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
print(shared, flush=True)
library.malloc_info(0, ctypes.c_void_p.in_dll(library, "stdout"))
"""

# One thread after the other uses 40 MB, in pieces that are smaller than those that glibc has from
# the system one by one, and nothing lives behind them.
ENDS = """
import ctypes, os, sys, threading
from vrpsam_app.web.allocator import give_memory_back, share_one_heap

def megabytes():
    with open("/proc/self/statm") as account:
        return int(account.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

MMAP_THRESHOLD, TRIM_THRESHOLD, MB = -3, -1, 2**20
library = ctypes.CDLL(None)
library.mallopt(MMAP_THRESHOLD, 32 * MB), library.mallopt(TRIM_THRESHOLD, 64 * MB)
library.malloc.restype = library.memset.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

def use():
    for piece in [library.memset(library.malloc(MB), 1, MB) for _ in range(40)]:
        library.free(piece)

if sys.argv[1:] == ["shared"]:
    share_one_heap()
before = megabytes()
for _ in range(3):
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
full = megabytes()
give_memory_back()
print(full - before, megabytes() - before)
"""

# One byte of every 2 MB; the system is asked for huge pages, as some give them to all anyway.
BYTES = """
import mmap, os, sys
from vrpsam_app.web.allocator import use_small_pages

def megabytes():
    with open("/proc/self/statm") as account:
        return int(account.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

small = use_small_pages() if sys.argv[1:] == ["small"] else None
before = megabytes()
memory = mmap.mmap(-1, 64 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_HUGEPAGE)
for place in range(0, len(memory), 2**21):
    memory[place] = 1
print(small, megabytes() - before)
"""
HUGE = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def said(program: str, *words: str, **variables: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in allocator._SET_BY_HAND}
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
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


def test_threads_share_a_heap_unless_a_person_wants_others():
    if not IS_GLIBC:
        assert not allocator.share_one_heap()
        return
    shared, report = said(HEAPS).split("\n", 1)
    assert shared == "True"
    assert report.count("<heap nr=") == 1
    shared, report = said(HEAPS, MALLOC_ARENA_MAX="6").split("\n", 1)
    assert shared == "False"
    assert report.count("<heap nr=") > 2


def test_what_threads_had_goes_back_to_the_last_page():
    if not IS_GLIBC:
        return
    full, left = map(float, said(ENDS, "shared").split())
    assert full > 35
    assert left < 3
    full, left = map(float, said(ENDS).split())  # the reason why there is one heap
    assert left > 35


def test_a_byte_takes_a_page_and_not_two_megabytes():
    if sys.platform != "linux":
        assert not allocator.use_small_pages()
        return
    small, used = said(BYTES, "small").split()
    assert small == "True"
    assert float(used) < 1
    if HUGE.is_file() and "[never]" not in HUGE.read_text(encoding="ascii"):
        _, used = said(BYTES).split()  # the reason why they are declined
        assert float(used) > 40


def test_huge_pages_stay_with_those_who_ask_glibc_for_them(monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
    assert not allocator.use_small_pages()


@pytest.mark.parametrize("name", ["musl", ""])
def test_another_library_is_left_alone(monkeypatch, name):
    monkeypatch.setattr(platform, "libc_ver", lambda: (name, ""))
    allocator._glibc.cache_clear()
    try:
        assert not allocator.share_one_heap()
        assert not allocator.give_memory_back()
    finally:
        monkeypatch.undo()
        allocator._glibc.cache_clear()
