"""Planes of any size from Zarr to Zarr: time and memory over area, and what tiles change.

Run ``python benchmarks/planes.py`` on a quiet machine (two minutes on two cores: 512 to 2048
pixels), with ``--full`` for up to 20,000 x 20,000 (half an hour). Each size runs in a process of
its own; masks are compared with those of the untiled plane at the same scale.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from typing import Any

from measuring import Curve, Report, finish, in_process, parser, peak_mb, start

SIZES, FULL_SIZES, SMALL_SIZES = (512, 1024, 2048), (1024, 2048, 4096, 20_000), (256,)
MOST_MB, LEAST_IOU, MOST_POWER = 2000.0, 0.95, 1.1


def main() -> int:
    """Measure and report."""
    asked = parser(__doc__)
    asked.add_argument("--sizes", type=int, nargs="+", help="sides in pixels")
    options = asked.parse_args()
    if options.part:
        start(options)
        print(json.dumps(agreement() if options.part == "iou" else plane(int(options.part))))
        return 0
    standard = SMALL_SIZES if options.small else FULL_SIZES if options.full else SIZES
    report = Report(
        "planes",
        "Planes of any size",
        "One plane from Zarr to Zarr in tiles, by the embedded model.",
        judged=not options.small,
    )
    planes = [in_process(__file__, str(size), options) for size in options.sizes or standard]
    for found in planes:
        name = f"{found['side']} x {found['side']} pixels, {found['tiles']} tiles"
        report.value(name, found["seconds"], "s")
        report.value(f"{name}: peak memory of the process", found["peak_mb"], "MB", MOST_MB)
    points = [[found["megapixels"], found["seconds"]] for found in planes]
    if len(points) > 1:
        power = slope([x for x, _ in points], [y for _, y in points])
        report.value("power of the area with which the time grows", power, "", MOST_POWER)
    if not options.small:
        for name, value in in_process(__file__, "iou", options).items():
            report.value(f"{name}: IoU with the untiled plane", value, "", at_least=LEAST_IOU)
    first = points[0]
    linear = [[x, first[1] * x / first[0]] for x, _ in points]
    report.curves.append(
        Curve(
            "Zarr to Zarr",
            "area, megapixels",
            "seconds",
            {"measured": points, "linear in area": linear},
            logarithmic=True,
        )
    )
    return finish(report, options)


def plane(side: int) -> dict[str, Any]:
    """Segment one plane of coins, made on disk in blocks and read in blocks."""
    import numpy as np
    import zarr
    from skimage import data

    from vrpsam_app import Box, Reference, VRPSAMPredictor
    from vrpsam_app.stack_runs.run import segment_stack
    from vrpsam_app.stacks.stack_files import open_stack
    from vrpsam_app.tiles.plan import TileOptions

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
        "peak_mb": peak_mb(),
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
    from vrpsam_app.images import to_rgb
    from vrpsam_app.model_input import InputGeometry
    from vrpsam_app.tiles.object_scale import reference_windows
    from vrpsam_app.tiles.plan import TileOptions
    from vrpsam_app.tiles.tiling import predict_tiled

    predictor = VRPSAMPredictor.from_pretrained(device="cpu")
    model = copy.copy(predictor.model)
    model.config = replace(model.config, sam=replace(model.config.sam, image_size=1024))

    def repeated(picture: Any) -> Any:
        return np.tile(picture, (4, 4) + (1,) * (picture.ndim - 2))[:1024, :1024]

    questions = {
        "coins, repeated": (repeated(data.coins()), Box(14, 33, 70, 90)),
        "a tissue, repeated": (repeated(data.immunohistochemistry()), Box(60, 360, 100, 400)),
        "the disc of a retina": (data.retina()[193:1217, :1024], Box(350, 129, 563, 310)),
    }
    found = {}
    for name, (picture, box) in questions.items():
        (shown,) = reference_windows(Reference.from_annotations(picture, [box]), 512, 1)
        rgb = to_rgb(picture)
        geometry = InputGeometry.of(rgb.shape[:2], model.config)
        seen = InputGeometry.of(shown.image.shape[:2], predictor.config)
        with torch.inference_mode():
            encoded = predictor.model.encode_reference(
                predictor.model.encode_images(seen.image(to_rgb(shown.image))),
                seen.marks(shown),
                torch.tensor([shown.kind == "box"]),
            )
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


if __name__ == "__main__":
    raise SystemExit(main())
