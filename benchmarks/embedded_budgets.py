"""Time and memory of the embedded model beside what it may cost, on two threads in fp32.

Run ``python benchmarks/embedded_budgets.py`` on a quiet machine. The figures are medians of seven;
the exit code is 1 when a budget is exceeded.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

REPEATS = 7
# What each figure may be: seconds, megabytes.
BUDGETS = {
    "import vrpsam_app, s": 0.3,
    "new 512 x 512 target, s": 0.30,
    "class of five cached references on an encoded target, s": 0.15,
    "stroke end to new mask on an encoded target, s": 0.3,
    "weight file, MB": 25.0,
    "peak memory of the process, MB": 1500.0,
}


def main() -> int:
    """Measure, print a table, and optionally write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args()
    figures = dict(measure())
    width = max(map(len, BUDGETS))
    for name, budget in BUDGETS.items():
        verdict = "ok" if figures[name] <= budget else "OVER"
        print(f"{name:<{width}}  {figures[name]:8.3f}  of {budget:8.3f}  {verdict}")
    if options.json:
        options.json.write_text(json.dumps({"figures": figures, "budgets": BUDGETS}, indent=2))
    return int(any(figures[name] > budget for name, budget in BUDGETS.items()))


def measure() -> Iterator[tuple[str, float]]:
    """Yield name and figure."""
    yield "import vrpsam_app, s", median(import_time)

    import numpy as np
    import torch

    from hub_weights import find_model
    from vrpsam_app import Box, Reference, Scribble, VRPSAMPredictor

    torch.set_num_threads(2)
    rng = np.random.default_rng(0)

    def picture() -> np.ndarray:
        return rng.integers(0, 256, (512, 512, 3), dtype=np.uint8)

    predictor = VRPSAMPredictor.from_pretrained(device="cpu")
    references = [
        Reference.from_annotations(picture(), [Box(100, 100, 200, 220)]) for _ in range(5)
    ]
    predictor.predict(picture(), references)  # warm: caches of the library, and the references
    yield (
        "new 512 x 512 target, s",
        median(lambda: timed(lambda: predictor.predict(picture(), references[:1]))),
    )
    target = picture()
    predictor.predict(target, references)
    yield (
        "class of five cached references on an encoded target, s",
        median(lambda: timed(lambda: predictor.predict(target, references))),
    )
    drawn_on = picture()
    predictor.prepare(drawn_on)
    rows = iter(range(20, 500, 10))

    def stroke() -> float:
        row = float(next(rows))
        marks = [Scribble(((row, 50.0), (row + 5, 300.0)), width=8)]
        return timed(lambda: predictor.predict(target, Reference.from_annotations(drawn_on, marks)))

    yield "stroke end to new mask on an encoded target, s", median(stroke)
    yield "weight file, MB", find_model("embedded").weights.stat().st_size / 1e6
    yield (
        "peak memory of the process, MB",
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    )


def import_time() -> float:
    """Seconds that ``import vrpsam_app`` adds to a fresh interpreter."""
    code = "import time; t = time.perf_counter(); import vrpsam_app; print(time.perf_counter() - t)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(run.stdout)


def timed(call: Callable[[], object]) -> float:
    """Return how long a call takes, in seconds."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def median(measurement: Callable[[], float]) -> float:
    """Return the median of a few measurements."""
    return statistics.median(measurement() for _ in range(REPEATS))


if __name__ == "__main__":
    raise SystemExit(main())
