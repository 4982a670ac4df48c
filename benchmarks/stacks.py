"""Stacks from disk to disk: what the engine costs beside the model, in time and memory.

Run ``python benchmarks/stacks.py`` (three minutes on two cores), with ``--full`` for 200 slices of
512 x 512 and of 2048 x 2048. Three questions, each in a process of its own:

- ``engine``: slices of 512 x 512 from Zarr to Zarr, beside the bare calls of the encoder and the
  decoder on the same slices, made before and after.
- ``length``: seconds for each slice of shorter and longer stacks, which should be the same.
- ``memory``: growth of memory and reads of each chunk over slices of 2048 x 2048 of 16 bits: no
  chunk is read more than once beyond the eight sampled slices.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections import Counter
from typing import Any

from measuring import Curve, Report, Times, finish, in_process, parser, peak_mb, start

MOST_ENGINE, MOST_GROWTH_MB, MOST_READS, PROCESS_MB = 1.15, 400.0, 1, 1500.0
SLICES, FULL_SLICES, SMALL_SLICES = 64, 200, 4
LARGE, FULL_LARGE, SMALL_LARGE = 12, 200, 2


def main() -> int:
    """Ask all questions and report."""
    asked = parser(__doc__)
    asked.add_argument("--slices", type=int, help="of 512 x 512 (default: 64, 200 with --full)")
    options = asked.parse_args()
    standard = SMALL_SLICES if options.small else FULL_SLICES if options.full else SLICES
    options.slices = options.slices or standard
    if options.part:
        start(options)
        ask = {"engine": engine, "length": length, "memory": memory}[options.part]
        print(json.dumps(ask(options)))
        return 0
    report = Report(
        "stacks",
        "Stacks from disk to disk",
        "The embedded model. *Bare calls* are the encoder and the decoder on slices that lie "
        "ready, without reading, writing, hashing or measuring.",
        judged=not options.small,
    )
    slices = ("--slices", str(options.slices))
    found = in_process(__file__, "engine", options, *slices)
    whole, bare = Times(tuple(found["whole"])), Times(tuple(found["bare"]))
    count = found["slices"]
    report.time(f"{count} slices of 512 x 512, disk to disk", whole)
    report.time("bare encoder and decoder calls", bare)
    report.ratio("disk to disk beside bare calls", whole, bare, MOST_ENGINE)
    report.value("peak memory of the process", found["mb"], "MB", PROCESS_MB)
    lengths = in_process(__file__, "length", options, *slices)["each"]
    report.curves.append(
        Curve("each slice", "slices of the stack", "seconds a slice", {"measured": lengths})
    )
    for count, seconds in lengths:
        report.value(f"stack of {count} slices, each", seconds, "s")
    found = in_process(__file__, "memory", options)
    report.value(f"{found['slices']} slices of 2048 x 2048, each", found["each"], "s")
    report.value("memory that they add", found["growth"], "MB", MOST_GROWTH_MB)
    report.value("reads of a chunk beyond the sample", found["reads"], "", MOST_READS)
    report.curves.append(
        Curve("memory", "slices of 2048 x 2048 done", "MB", {"process": found["course"]})
    )
    return finish(report, options)


def engine(options: argparse.Namespace) -> dict[str, Any]:
    """Time a stack from disk to disk beside the bare calls of the model, in turn."""
    predictor, reference, picture = loaded(options)
    import numpy as np
    import zarr

    from vrpsam_app.stack_runs.run import segment_stack
    from vrpsam_app.stacks.stack_files import open_stack

    whole, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        source = zarr.create_array(
            f"{folder}/in.zarr",
            shape=(options.slices, 512, 512),
            chunks=(1, 512, 512),
            dtype="uint8",
        )
        for z in range(options.slices):
            source[z] = np.roll(picture, 3 * z, axis=1)
        segment_stack(
            predictor, open_stack(f"{folder}/in.zarr").data[:2], reference, f"{folder}/w.zarr"
        )
        before = bare_calls(predictor, reference, source)
        for turn in range(options.repeats):
            begun = time.perf_counter()
            segment_stack(
                predictor, open_stack(f"{folder}/in.zarr"), reference,
                f"{folder}/{turn}.ome.zarr", tiling="whole",
            )  # fmt: skip
            whole.append(time.perf_counter() - begun)
            after = bare_calls(predictor, reference, source)
            bare.append((before + after) / 2)
            before = after
    return {"slices": options.slices, "whole": whole, "bare": bare, "mb": peak_mb()}


def bare_calls(predictor: Any, reference: Any, source: Any) -> float:
    """Sum the seconds that the encoder and the decoder take on slices that lie ready."""
    import torch

    from vrpsam_app.images import to_rgb
    from vrpsam_app.model_input import InputGeometry

    model, config = predictor.model, predictor.config
    with torch.inference_mode():
        marks = InputGeometry.of(reference.image.shape[:2], config)
        shown = model.encode_images(marks.image(to_rgb(reference.image)).to(predictor.device))
        is_box = torch.tensor([reference.kind == "box"], device=predictor.device)
        encoded = model.encode_reference(shown, marks.marks(reference).to(predictor.device), is_box)
    seconds = 0.0
    for z in range(source.shape[0]):
        rgb = to_rgb(source[z])
        geometry = InputGeometry.of((rgb.shape[0], rgb.shape[1]), config)
        image = geometry.image(rgb).to(predictor.device)
        with torch.inference_mode():
            begun = time.perf_counter()
            output = model.decode(model.encode_images(image), [encoded])
            geometry.to_original(output.mask_logits, align_corners=config.align_corners)
        seconds += time.perf_counter() - begun
    return seconds


def length(options: argparse.Namespace) -> dict[str, Any]:
    """Time stacks of several lengths."""
    predictor, reference, picture = loaded(options)
    import numpy as np

    from vrpsam_app.stack_runs.run import segment_stack

    found = []
    with tempfile.TemporaryDirectory() as folder:
        segment_stack(predictor, picture[None], reference, f"{folder}/w.zarr", tiling="whole")
        for count in (options.slices // 4, options.slices // 2, options.slices):
            stack = np.stack([np.roll(picture, 5 * count + z, axis=0) for z in range(count)])
            begun = time.perf_counter()
            segment_stack(predictor, stack, reference, f"{folder}/{count}.zarr", tiling="whole")
            found.append([count, (time.perf_counter() - begun) / count])
    return {"each": found}


def memory(options: argparse.Namespace) -> dict[str, Any]:
    """Watch the memory and count reads while large slices are segmented."""
    predictor, reference, _ = loaded(options)
    import dask.array as da
    import numpy as np

    from vrpsam_app.stack_runs.run import segment_stack

    planes = SMALL_LARGE if options.small else FULL_LARGE if options.full else LARGE
    side = 2048
    reads: Counter[int] = Counter()

    def read(block_info: Any = None) -> Any:
        z = block_info[None]["array-location"][0][0]
        reads[z] += 1
        return np.random.default_rng(z).integers(0, 4000, (1, side, side), dtype=np.uint16)

    stack = da.map_blocks(
        read,
        chunks=((1,) * planes, side, side),
        dtype=np.uint16,
        meta=np.empty((0, 0, 0), np.uint16),
    )
    course: list[list[float]] = []
    with tempfile.TemporaryDirectory() as folder:
        segment_stack(
            predictor, stack[:2].rechunk(-1)[:, :512, :512], reference, f"{folder}/w.zarr"
        )
        reads.clear()
        before = resident_mb()
        with PeakMemory() as peak:
            begun = time.perf_counter()
            segment_stack(
                predictor, stack, reference, f"{folder}/out.zarr", tiling="whole",
                progress=lambda told: course.append([told.done, resident_mb()]),
            )  # fmt: skip
            seconds = time.perf_counter() - begun
    sampled = {int(i) for i in np.linspace(0, planes - 1, 8).round()}
    beyond = [count - (z in sampled) for z, count in reads.items()]
    return {
        "slices": planes,
        "growth": peak.most - before,
        "reads": max(beyond),
        "each": seconds / planes,
        "course": course,
    }


def loaded(options: argparse.Namespace) -> tuple[Any, Any, Any]:
    """Return the embedded model, a coin as reference, and the coins at 512 x 512."""
    from skimage import data

    from vrpsam_app import Box, Reference, VRPSAMPredictor
    from vrpsam_app.geometry import resize_bilinear

    picture = resize_bilinear(data.coins(), (512, 512))
    reference = Reference.from_annotations(picture, [Box(24, 44, 118, 120)])
    predictor = VRPSAMPredictor.from_pretrained(device=options.device)
    predictor.predict(picture, reference)
    return predictor, reference, picture


def resident_mb() -> float:
    """Memory of this process now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class PeakMemory:
    """Looks at the memory every few milliseconds, in a thread."""

    def __enter__(self) -> PeakMemory:
        self.most = resident_mb()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self.most = max(self.most, resident_mb())


if __name__ == "__main__":
    raise SystemExit(main())
