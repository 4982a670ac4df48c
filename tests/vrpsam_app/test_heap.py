"""What glibc is told, seen in a process of its own: settings of an allocator last."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from vrpsam_app import heap

# Buffers as of a picture: one after the other is filled and freed, the largest last.
_COUNT_PAGES = """
import resource, sys
import numpy as np
from vrpsam_app.heap import reuse_freed_memory
told = reuse_freed_memory() if sys.argv[1] == "told" else None
def picture():
    held = [np.ones(mb * 2**17) for mb in (10, 12, 8, 14)]
picture()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    picture()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, told)
"""


def pages_taken(told: str, **variables: str) -> tuple[int, str]:
    free = {k: v for k, v in os.environ.items() if k not in heap._SET_BY_HAND}
    free |= {"PYTHONPATH": str(Path(heap.__file__).parents[1]), **variables}
    out = subprocess.run(
        [sys.executable, "-c", _COUNT_PAGES, told],
        env=free, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    pages, answer = out.split()
    return int(pages), answer


def test_what_one_picture_leaves_serves_the_next():
    (taken, answer), (untold, _) = pages_taken("told"), pages_taken("untold")
    is_glibc = platform.libc_ver()[0] == "glibc"
    assert answer == str(is_glibc)
    assert not is_glibc or taken < 0.05 * untold


def test_what_people_set_by_hand_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    assert not heap.reuse_freed_memory()


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not heap.reuse_freed_memory()
