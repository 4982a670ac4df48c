"""Planes of any size from Zarr to Zarr: time and memory over area, and what tiles change.

Run ``python benchmarks/planes.py`` on a quiet machine (a few minutes on two cores: 1024 to 4096
pixels), with ``--full`` for 20,000 x 20,000 as well (about two hours). ``--plot`` draws time over
area. Budgets: memory of the whole process below 2 GB, and masks whose IoU with those of the untiled
plane at the same scale is at least 0.95. Each size runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")

SIZES, FULL = (1024, 2048, 4096), 20_000
MEMORY_BUDGET_MB, IOU_BUDGET = 2000.0, 0.95


def main() -> int:
    """Measure, print a table, and optionally write JSON and a picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help=f"{FULL} x {FULL} as well")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="sides in pixels")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--plot", type=Path, help="draw time over area (needs matplotlib)")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # what a process of its own does
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(agreement() if options.one == "iou" else plane(int(options.one))))
        return 0
    sizes = sorted({*options.sizes, *([FULL] if options.full else [])})
    planes = [in_process(str(size)) for size in sizes]
    iou = in_process("iou")
    per_area = [found["seconds"] / found["megapixels"] for found in planes]
    exponent = slope(
        [found["megapixels"] for found in planes], [found["seconds"] for found in planes]
    )
    print(f"{'side':>7} {'tiles':>7} {'seconds':>9} {'s/Mpx':>7} {'peak MB':>8}")
    for found, each in zip(planes, per_area, strict=True):
        print(
            f"{found['side']:>7} {found['tiles']:>7} {found['seconds']:>9.1f} {each:>7.2f} "
            f"{found['peak_mb']:>8.0f}"
        )
    print(f"time grows with the power {exponent:.2f} of the area")
    for name, value in iou.items():
        print(f"{name}: IoU with the untiled plane at the same scale {value:.3f}")
    within = {
        "memory": all(found["peak_mb"] <= MEMORY_BUDGET_MB for found in planes),
        "iou": all(value >= IOU_BUDGET for value in iou.values()),
    }
    print("; ".join(f"{name} {'ok' if good else 'OVER'}" for name, good in within.items()))
    if options.json:
        figures = {"planes": planes, "exponent": exponent, "iou": iou, "within": within}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    if options.plot:
        draw(planes, options.plot)
    return int(not all(within.values()))


def in_process(what: str) -> dict[str, Any]:
    """Run this file for one measurement."""
    command = [sys.executable, __file__, "--one", what]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def plane(side: int) -> dict[str, Any]:
    """Segment one plane of coins, made on disk in blocks and read in blocks."""
    import numpy as np
    import torch
    import zarr
    from skimage import data

    from vrpsam_app import Box, Reference, VRPSAMPredictor
    from vrpsam_app.stack_runs.run import segment_stack
    from vrpsam_app.stacks.stack_files import open_stack
    from vrpsam_app.tiles.plan import TileOptions

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    coins = data.coins()
    reference = Reference.from_annotations(coins, [Box(14, 33, 70, 90)])
    predictor = VRPSAMPredictor.from_pretrained(device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        source = zarr.create_array(
            f"{folder}/in.zarr", shape=(side, side), chunks=(1024, 1024), dtype="uint8"
        )
        for row in range(0, side, 1024):
            rows = np.arange(row, min(row + 1024, side)) % coins.shape[0]
            source[row : row + 1024] = np.take(
                coins[rows], np.arange(side) % coins.shape[1], axis=1
            )
        told = []
        start = time.perf_counter()
        segment_stack(
            predictor, open_stack(f"{folder}/in.zarr"), reference, f"{folder}/out.zarr",
            tiling=TileOptions("tiles"), progress=told.append,
        )  # fmt: skip
        seconds = time.perf_counter() - start
    return {
        "side": side,
        "megapixels": side * side / 1e6,
        "tiles": told[-1].total,
        "seconds": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def agreement() -> dict[str, float]:
    """Compare tiles of 512 with the untiled plane of 1024, after one and the same reference.

    Both see the picture at its own scale: the untiled one through an input of 1024 pixels.
    """
    import copy
    from dataclasses import replace

    import numpy as np
    import torch
    from skimage import data

    from vrpsam_app import Box, Reference, VRPSAMPredictor
    from vrpsam_app.model_input import InputGeometry
    from vrpsam_app.tiles.object_scale import reference_windows
    from vrpsam_app.tiles.plan import TileOptions
    from vrpsam_app.tiles.tiling import predict_tiled

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    predictor = VRPSAMPredictor.from_pretrained(device="cpu")
    model = copy.copy(predictor._model)
    model.config = replace(model.config, sam=replace(model.config.sam, image_size=1024))

    def repeated(picture: Any) -> Any:
        return np.tile(picture, (4, 4) + (1,) * (picture.ndim - 2))[:1024, :1024]

    questions = {
        "coins, repeated": (repeated(data.coins()), Box(14, 33, 70, 90)),
        "a tissue, repeated": (repeated(data.immunohistochemistry()), Box(60, 360, 100, 400)),
        "a retina": (data.retina()[200:1224, 200:1224], Box(300, 100, 420, 220)),
    }
    found = {}
    for name, (picture, box) in questions.items():
        (shown,) = reference_windows(Reference.from_annotations(picture, [box]), 512, 1)
        encoded = predictor._encode_reference(shown, None)
        rgb = picture if picture.ndim == 3 else np.dstack([picture] * 3)
        geometry = InputGeometry.of(rgb.shape[:2], model.config)
        with torch.inference_mode():
            embedding = model.encode_images(geometry.image(rgb))
            logits = model.decode(embedding, [encoded]).mask_logits
        whole = geometry.to_original(logits, align_corners=model.config.align_corners) > 0
        tiles = predict_tiled(
            predictor, picture, shown, tiling=TileOptions("tiles", tile=512)
        ).probability
        both, either = (tiles > 0.5) & whole, (tiles > 0.5) | whole
        found[name] = float(both.sum() / max(1, either.sum()))
    return found


def slope(areas: list[float], seconds: list[float]) -> float:
    """Return the power with which seconds grow, by least squares of the logarithms."""
    if len(areas) < 2:
        return math.nan
    xs, ys = [math.log(a) for a in areas], [math.log(s) for s in seconds]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True))
    return above / sum((a - x) ** 2 for a in xs)


def draw(planes: list[dict[str, Any]], path: Path) -> None:
    """Draw time over area."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 4))
    areas = [found["megapixels"] for found in planes]
    seconds = [found["seconds"] for found in planes]
    axes.loglog(areas, seconds, "o-", label="measured")
    axes.loglog(areas, [seconds[0] * a / areas[0] for a in areas], "--", label="linear in area")
    axes.set_xlabel("area of the plane, megapixels")
    axes.set_ylabel("seconds, Zarr to Zarr")
    axes.legend()
    figure.savefig(path, dpi=120, bbox_inches="tight")


if __name__ == "__main__":
    raise SystemExit(main())
