from __future__ import annotations

import numpy as np

from vrpsam_app.evaluation.peak_memory import peak_memory, reset_peak_memory


def test_peak_rises_with_memory_and_stays_when_it_is_freed():
    reset_peak_memory()
    before = peak_memory()
    block = np.ones(64 * 2**20, np.uint8)
    assert block.sum() == 64 * 2**20
    del block
    assert before > 2**20
    assert peak_memory() >= before + 48 * 2**20
