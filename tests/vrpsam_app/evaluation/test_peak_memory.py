from __future__ import annotations

import mmap

from vrpsam_app.evaluation.peak_memory import peak_memory, reset_peak_memory

SIZE = 64 * 2**20


def test_peak_rises_with_memory_and_stays_when_it_is_freed():
    reset_peak_memory()
    before = peak_memory()
    # From the system itself: the heap may have as much that is free and counted already.
    with mmap.mmap(-1, SIZE) as block:
        block.write(b"\1" * SIZE)
    assert before > 2**20
    assert peak_memory() >= before + 48 * 2**20
