"""Stacks from disk to disk: what the engine costs beside the model, in time and memory.

Run ``python benchmarks/stacks.py`` on a quiet machine (about two minutes on two cores), with
``--full`` for 200 slices of 2048 x 2048. Three questions, each in a process of its own:

- ``engine``: 64 slices of 512 x 512 from Zarr to Zarr, beside the bare calls of the encoder and the
  decoder on the same slices, made before and after. Budget: 1.15 times those.
- ``length``: seconds for each slice of shorter and longer stacks, which should be the same.
- ``memory``: growth of memory and reads of each chunk over slices of 2048 x 2048 of 16 bits.
  Budget: 400 MB, and one read beyond the eight sampled slices.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")

ENGINE_BUDGET, MEMORY_BUDGET_MB = 1.15, 400.0


def main() -> int:
    """Ask all questions, print a table, and optionally write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="200 large slices, not 12")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--slices", type=int, default=64, help="of 512 x 512 (default: 64)")
    parser.add_argument("--question", choices=("engine", "length", "memory"), help="only this one")
    options = parser.parse_args()
    if options.question is not None:
        ask = {"engine": engine, "length": length, "memory": memory}[options.question]
        print(json.dumps(ask(options.slices, options.full)))
        return 0
    figures: dict[str, Any] = {}
    for question in ("engine", "length", "memory"):
        command = [sys.executable, __file__, "--question", question]
        command += ["--slices", str(options.slices), *(["--full"] if options.full else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figures[question] = json.loads(done.stdout.splitlines()[-1])
    within = {
        "engine": figures["engine"]["ratio"] <= ENGINE_BUDGET,
        "memory": figures["memory"]["growth_mb"] <= MEMORY_BUDGET_MB
        and figures["memory"]["most_reads_beyond_sample"] <= 1,
    }
    for question, found in figures.items():
        verdict = {True: "ok", False: "OVER", None: ""}[within.get(question)]
        print(f"{question}  {verdict}")
        for name, value in found.items():
            print(
                f"  {name:<28} {value:.3f}" if isinstance(value, float) else f"  {name:<28} {value}"
            )
    if options.json:
        options.json.write_text(json.dumps({"figures": figures, "within": within}, indent=1) + "\n")
    return int(not all(within.values()))


def engine(slices: int, full: bool) -> dict[str, float]:
    """Time a stack from disk to disk beside the bare calls of the model."""
    predictor, reference, picture = loaded()
    import numpy as np
    import zarr

    from vrpsam_app.stack_runs.run import segment_stack
    from vrpsam_app.stacks.stack_files import open_stack

    with tempfile.TemporaryDirectory() as folder:
        source = zarr.create_array(
            f"{folder}/in.zarr", shape=(slices, 512, 512), chunks=(1, 512, 512), dtype="uint8"
        )
        for z in range(slices):
            source[z] = np.roll(picture, 3 * z, axis=1)
        segment_stack(
            predictor, open_stack(f"{folder}/in.zarr").data[:2], reference, f"{folder}/w.zarr"
        )
        before = bare_calls(predictor, reference, source)
        start = time.perf_counter()
        segment_stack(
            predictor, open_stack(f"{folder}/in.zarr"), reference, f"{folder}/out.ome.zarr",
            tiling="whole",
        )  # fmt: skip
        seconds = time.perf_counter() - start
        after = bare_calls(predictor, reference, source)
    encode, decode = ((a + b) / 2 for a, b in zip(before, after, strict=True))
    return {
        "slices": slices,
        "disk to disk, s": seconds,
        "bare encoder calls, s": encode,
        "bare decoder calls, s": decode,
        "ratio": seconds / (encode + decode),
    }


def bare_calls(predictor: Any, reference: Any, source: Any) -> tuple[float, float]:
    """Sum the seconds that the encoder and the decoder take on slices that lie ready."""
    import torch

    from vrpsam_app.images import to_rgb
    from vrpsam_app.model_input import InputGeometry

    model = predictor._model
    encoded = predictor._encode_reference(reference, None).to(predictor._device)
    encode = decode = 0.0
    for z in range(source.shape[0]):
        rgb = to_rgb(source[z])
        geometry = InputGeometry.of(rgb.shape[:2], predictor.config)
        image = geometry.image(rgb).to(predictor._device)
        with torch.inference_mode():
            start = time.perf_counter()
            embedding = model.encode_images(image)
            between = time.perf_counter()
            output = model.decode(embedding, [encoded])
            geometry.to_original(output.mask_logits, align_corners=predictor.config.align_corners)
        encode += between - start
        decode += time.perf_counter() - between
    return encode, decode


def length(slices: int, full: bool) -> dict[str, float]:
    """Time stacks of several lengths."""
    predictor, reference, picture = loaded()
    import numpy as np

    from vrpsam_app.stack_runs.run import segment_stack

    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        segment_stack(predictor, picture[None], reference, f"{folder}/w.zarr", tiling="whole")
        for count in (slices // 4, slices // 2, slices):
            stack = np.stack([np.roll(picture, 5 * count + z, axis=0) for z in range(count)])
            start = time.perf_counter()
            segment_stack(predictor, stack, reference, f"{folder}/{count}.zarr", tiling="whole")
            found[f"{count} slices, s each"] = (time.perf_counter() - start) / count
    each = list(found.values())
    found["slowest over fastest"] = max(each) / min(each)
    return found


def memory(slices: int, full: bool) -> dict[str, float]:
    """Watch the memory and count reads while large slices are segmented."""
    predictor, reference, _ = loaded()
    import dask.array as da
    import numpy as np

    from vrpsam_app.stack_runs.run import segment_stack

    planes, side = 200 if full else 12, 2048
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
    with tempfile.TemporaryDirectory() as folder:
        segment_stack(
            predictor, stack[:2].rechunk(-1)[:, :512, :512], reference, f"{folder}/w.zarr"
        )
        reads.clear()
        before = resident_mb()
        with PeakMemory() as peak:
            start = time.perf_counter()
            segment_stack(predictor, stack, reference, f"{folder}/out.zarr", tiling="whole")
            seconds = time.perf_counter() - start
    sampled = {int(i) for i in np.linspace(0, planes - 1, 8).round()}
    beyond = [count - (z in sampled) for z, count in reads.items()]
    return {
        "slices": planes,
        "growth_mb": peak.most - before,
        "most_reads_beyond_sample": max(beyond),
        "slice, s": seconds / planes,
        "peak of the process, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def loaded() -> tuple[Any, Any, Any]:
    """Return the embedded model, a coin as reference, and the coins at 512 x 512."""
    import torch
    from skimage import data

    from vrpsam_app import Box, Reference, VRPSAMPredictor
    from vrpsam_app.geometry import resize_bilinear

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    picture = resize_bilinear(data.coins(), (512, 512))
    reference = Reference.from_annotations(picture, [Box(24, 44, 118, 120)])
    predictor = VRPSAMPredictor.from_pretrained(device="cpu")
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
