"""A stack that is larger than memory, in napari: how soon its first slice is there.

Run ``python benchmarks/napari_first_result.py`` (a minute on two cores): the stack has 200 lazy
slices of 2048 x 2048, one of them with a click on an object, and *All slices* is pressed. Where
there is no screen, a virtual one is started (``xvfb-run``). Three ways, each in processes of its
own:

- ``cold``: nothing is loaded yet, not even PyTorch.
- ``loaded``: the model is, and has seen no slice.
- ``live``: the live answer to the slice is on the screen, as it is for whoever marks one.

The clock stops when the slice that a person looks at is drawn; ``processor`` counts all threads.
The run then goes on over some slices (all with ``--full``): memory that they add, and the longest
time for which the window stood still.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measuring import Report, Times, finish, in_process, parser, start
from stacks import PeakMemory, resident_mb

MOST_SECONDS = {"cold": 6.0, "loaded": 3.0, "live": 3.0}
MOST_GROWTH_MB, MOST_PAUSE = 400.0, 1.0
SLICES, SMALL_SLICES = 200, 4
SIDE, SMALL_SIDE = 2048, 512
FURTHER = 12  # slices over which memory and pauses are watched
MARKED = 2  # slice that is clicked on and looked at


def main() -> int:
    """Open, mark and press in each way, and report."""
    asked = parser(__doc__)
    asked.set_defaults(repeats=3)
    options = asked.parse_args()
    if options.part:
        if options.part != "cold":
            start(options)  # which imports PyTorch
        print(json.dumps(first_result(options)))
        return 0
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        screen = ["xvfb-run", "-a", "-s", "-screen 0 1600x1200x24"]
        os.execvp(screen[0], [*screen, sys.executable, *sys.argv])
    start(options)
    report = Report(
        "napari_first_result",
        "The first slice in napari",
        "200 lazy slices of 2048 x 2048, one of them clicked on; from *All slices* to the shown "
        "slice on the screen. *Processor* is the time of all threads together.",
        judged=not options.small,
    )
    growth, pause = [0.0], [0.0]
    for part, limit in MOST_SECONDS.items():
        runs = [in_process(__file__, part, options) for _ in range(options.repeats)]
        report.time(f"{part}: first slice", Times(tuple(r["seconds"] for r in runs)), limit)
        report.time(f"{part}: processor", Times(tuple(r["processor"] for r in runs)))
        growth += [r["growth"] for r in runs if part == "live"]
        pause += [r["pause"] for r in runs]
    report.value("memory that further slices add", max(growth), "MB", MOST_GROWTH_MB)
    report.value("longest time that the window stood still", max(pause), "s", MOST_PAUSE)
    return finish(report, options)


def first_result(options: argparse.Namespace) -> dict[str, float]:
    """Open a viewer, mark an object, press the button and wait."""
    with _own_folders() as folder:
        from qtpy.QtWidgets import QApplication

        viewer, widget = _opened(options, folder)
        live = options.part == "live"

        def settle(done: Callable[[], bool]) -> None:
            while not done():
                QApplication.processEvents()
                time.sleep(0.002)

        def idle() -> bool:
            return not (widget.marks.waits or widget.preview.busy or widget.workers.running)

        widget.form.live.setChecked(live)
        widget.pick_tool("points")
        if options.part != "cold":
            widget.session.segmenter()
        viewer.layers.selection.active.add([[float(MARKED), 300.0, 300.0]])
        settle(idle)
        if (options.part == "cold") == ("torch" in sys.modules):
            raise RuntimeError("PyTorch is not as it should be before the button is pressed.")
        begun, processor = time.perf_counter(), time.process_time()
        widget.form.all_slices.click()
        records = widget.session.results
        settle(lambda: bool(records and records[-1].findings) or not widget.workers.running)
        QApplication.processEvents()  # it is on the screen now
        found = {
            "seconds": time.perf_counter() - begun,
            "processor": time.process_time() - processor,
        }
        (record,) = records
        if (MARKED,) not in record.findings or not record.plane((MARKED,)).any():
            raise RuntimeError(f"Nothing was found: {widget.form.status.text()}")
        before, pause = resident_mb(), 0.0
        wanted = len(record.planes.stack.data) if options.full else FURTHER
        with PeakMemory() as peak:
            while widget.workers.running and len(record.findings) < wanted:
                turn = time.perf_counter()
                QApplication.processEvents()
                pause = max(pause, time.perf_counter() - turn)
                time.sleep(0.002)
        widget.stop()
        settle(idle)
        viewer.close()
        return {**found, "growth": peak.most - before, "pause": pause}


def _opened(options: argparse.Namespace, folder: Path) -> tuple[Any, Any]:
    """Return a viewer with a lazy stack, and the segment widget in it."""
    from dataclasses import replace

    import dask.array as da
    import napari
    import numpy as np

    from napari_plugin.segment_widget import SegmentWidget
    from napari_plugin.session import Session

    count, side = (SMALL_SLICES, SMALL_SIDE) if options.small else (SLICES, SIDE)

    def read(block_info: Any = None) -> Any:
        z = block_info[None]["array-location"][0][0]
        plane = np.random.default_rng(z).integers(0, 40, (1, side, side), dtype=np.uint8)
        plane[0, 200 + z : 400 + z, 200:400] = 200
        return plane

    meta = np.empty((0, 0, 0), np.uint8)
    stack = da.map_blocks(read, chunks=((1,) * count, (side,), (side,)), dtype=np.uint8, meta=meta)
    viewer = napari.Viewer()
    session = Session.of(viewer)
    session.preferences = replace(session.preferences, folder=str(folder), cache_gb=0.0)
    session.choose(device=options.device)
    viewer.add_image(stack, contrast_limits=(0, 255))
    viewer.dims.set_point(0, MARKED)
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget)
    return viewer, widget


@contextmanager
def _own_folders() -> Iterator[Path]:
    """Give napari settings and results a folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="napari-"))
    os.environ["NAPARI_CONFIG"] = str(folder / "settings.yaml")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
