"""Objects of a z-stack found from one annotated slice, beside threshold and watershed.

Run ``python benchmarks/linked_objects.py`` for a generated stack of nuclei, or with ``--data
FOLDER`` for one that holds ``stack.tif`` and ``stack_labels.tif``. Everything on the middle slice
is marked in the reference; the other slices are the targets. Both ways get the same slice, the same
rule by which masks are cut into objects, and the same by which objects are linked through slices.

F1 counts objects of three dimensions: one is found if its IoU with a true one is above one half.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vrpsam_app.objects.instances import ObjectOptions
    from vrpsam_app.objects.linking import LinkOptions
    from vrpsam_app.reference_segmenter import ReferenceSegmenter


@dataclass(frozen=True)
class Figures:
    """What one method reached.

    Attributes
    ----------
    method : name
    f1 : of objects in three dimensions, at IoU 0.5
    matched, found, true : objects
    iou : of the foreground, all voxels together
    seconds : for the whole stack
    """

    method: str
    f1: float
    matched: int
    found: int
    true: int
    iou: float
    seconds: float


def main() -> int:
    """Measure, print a table, and optionally write JSON."""
    from vrpsam_app.objects.instances import ObjectOptions
    from vrpsam_app.objects.linking import LinkOptions

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with stack.tif and stack_labels.tif")
    parser.add_argument("--model", default="embedded", help="name or folder of the model")
    parser.add_argument("--slice", type=int, help="the annotated one (default: the middle)")
    parser.add_argument("--objects", default="distance", help="how masks are cut")
    parser.add_argument("--link", default="match", help="how objects are linked")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args()
    image, truth = read_stack(options.data)
    annotated = len(image) // 2 if options.slice is None else options.slice
    rows = []
    for method in methods(options.model):
        cut = ObjectOptions.from_text(options.objects)
        rows.append(
            measure(method, image, truth, annotated, cut, LinkOptions.from_text(options.link))
        )
        row = rows[-1]
        print(
            f"{row.method:<18} F1 {row.f1:.3f}  {row.matched} of {row.true} matched, "
            f"{row.found} found  IoU {row.iou:.3f}  {row.seconds:.1f} s"
        )
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))
    return 0


def read_stack(folder: Path | None) -> tuple[NDArray[Any], NDArray[np.integer]]:
    """Return intensities and true objects, both (planes, H, W)."""
    if folder is None:
        from vrpsam_app.data.volume_scenes import nuclei_volume

        scene = nuclei_volume()
        return scene.image, scene.labels
    from vrpsam_app import open_stack
    from vrpsam_app.label_files import open_labels

    image, labels = open_stack(folder / "stack.tif"), open_labels(folder / "stack_labels.tif")
    planes = [np.stack([stack.plane(i) for i in stack.indices()]) for stack in (image, labels)]
    return planes[0], planes[1]


def methods(model: str) -> Iterator[ReferenceSegmenter]:
    """Yield our model, then the threshold that is best on the annotated slice."""
    from vrpsam_app import VRPSAMPredictor
    from vrpsam_app.methods import METHODS
    from vrpsam_app.methods.method_sources import MethodSources

    def load() -> VRPSAMPredictor:
        return VRPSAMPredictor.from_pretrained(model, device="cpu")

    for name in ("vrp_sam", "tuned_threshold"):
        yield METHODS[name](MethodSources(load))


def measure(
    method: ReferenceSegmenter,
    image: NDArray[Any],
    truth: NDArray[np.integer],
    annotated: int,
    objects: ObjectOptions,
    links: LinkOptions,
) -> Figures:
    """Ask a method for every slice, link what it finds, and compare."""
    from vrpsam_app import Reference, find_objects, link
    from vrpsam_app.evaluation.object_scores import object_scores
    from vrpsam_app.images import intensity_range_of

    reference = Reference.from_mask(image[annotated], truth[annotated] > 0, exhaustive=True)
    intensity_range = intensity_range_of([image.reshape(-1, image.shape[-1])])
    start = time.perf_counter()
    planes = []
    for plane in image:
        prediction = method.predict(plane, reference, intensity_range=intensity_range)
        found = find_objects(
            prediction,
            objects,
            image=plane,
            references=[reference],
            segmenter=method if hasattr(method, "predict_from_prompts") else None,
            intensity_range=intensity_range,
        )
        planes.append(found.instance_labels)
    linked = link(np.stack(planes), links)
    seconds = time.perf_counter() - start
    scores = object_scores(linked, truth)
    both, either = ((linked > 0) & (truth > 0)).sum(), ((linked > 0) | (truth > 0)).sum()
    name = str(method.describe()["method"])
    return Figures(
        name, scores.f1, scores.matched, scores.found, scores.true, float(both / either), seconds
    )


if __name__ == "__main__":
    raise SystemExit(main())
