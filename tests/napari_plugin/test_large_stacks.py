"""A stack that does not fit in memory, segmented beside a window that stays alive."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from qtpy.QtCore import QTimer

SHAPE = (200, 2048, 2048)
# In bytes; what is measured is about half of it, and nothing may pile up.
MOST_GROWTH = 400 * 10**6


def resident() -> int:
    """Return the memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.parametrize("objects", [False, True])
def test_memory_and_the_window(objects, viewer, make_widget, settle, grey, qtbot):
    def draw(block_info: Any = None) -> Any:
        z = block_info[None]["array-location"][0][0]
        plane = np.full((1, *SHAPE[1:]), 20, np.uint8)
        plane[0, 100 + z : 400 + z, 100:400] = 200
        return plane

    chunks = ((1,) * SHAPE[0], *((n,) for n in SHAPE[1:]))
    stack = da.map_blocks(draw, chunks=chunks, dtype=np.uint8)
    viewer.add_image(stack, contrast_limits=(0, 255))
    widget = make_widget(viewer)
    widget.form.show_as.setCurrentIndex(int(not objects))
    viewer.dims.set_point(0, 5)
    widget.pick_tool("points")
    viewer.layers.selection.active.add(np.array([5.0, 250, 250]))
    settle(widget)
    before, peak, ticks = resident(), [0], [0.0]
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.wait(0.05):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    longest = [0.0]

    def tick() -> None:
        now = time.monotonic()
        if ticks[0]:
            longest[0] = max(longest[0], now - ticks[0])
        ticks[0] = now

    timer = QTimer()
    timer.timeout.connect(tick)
    timer.start(20)
    widget.segment_all()
    record = widget.session.results[-1]
    qtbot.waitUntil(lambda: len(record.findings) >= 40, timeout=600_000)
    widget.stop()
    settle(widget)
    timer.stop()
    stopped.set()
    watcher.join()
    assert peak[0] - before < MOST_GROWTH
    assert longest[0] < 2.0  # seconds without a tick of the window
    assert (np.asarray(record.layer.data[30, 140:420, 110:390]) > 0).all()
