"""Stacks segmented from one annotated slice, beside the peers: foreground, objects, seconds.

Run ``python benchmarks/linked_objects.py`` for the generated stack of nuclei, or ``--scene
lookalike`` for the one whose look-alikes are as bright. Real stacks are given by their paths::

    python benchmarks/linked_objects.py --stack nuclei.tif --labels nuclei_labels.tif
    python benchmarks/linked_objects.py --stack membranes.tif --labels membranes.tif --foreground
    python benchmarks/linked_objects.py --stack movie.tif --labels tracked.tif --axis t --slice 0

Everything on one slice is marked in the reference; all others are targets. Each method gets the
same slice, the same rule by which masks are cut into objects, and the same by which objects are
linked. IoU is of the foreground of the other slices, all pixels together. F1 counts objects at an
IoU above one half: in each of the other slices, and, linked, in the whole stack. Labels that a tool
made are agreement with that tool and no truth.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
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

METHODS = (
    "vrp_sam",
    "pixel_forest",
    "tuned_threshold",
    "training_free_prior",
)
"""Our model and its peers that need no other weights; PerSAM needs those of a SAM."""


@dataclass(frozen=True)
class Figures:
    """What one method reached.

    Attributes
    ----------
    method : name
    iou : of the foreground of the slices that were not annotated
    slice_f1 : of their objects, slice by slice; None where only the foreground counts
    f1 : of objects through the stack; None likewise
    matched, found, true : objects through the stack
    seconds : for a slice, on average, everything included
    """

    method: str
    iou: float
    slice_f1: float | None
    f1: float | None
    matched: int
    found: int
    true: int
    seconds: float

    def __str__(self) -> str:
        said = f"{self.method:<20} IoU {self.iou:.3f}"
        if self.f1 is not None and self.slice_f1 is not None:
            said += (
                f"  slice F1 {self.slice_f1:.3f}  linked F1 {self.f1:.3f} "
                f"({self.matched} of {self.true} matched, {self.found} found)"
            )
        return f"{said}  {self.seconds:.2f} s/slice"


def main() -> int:
    """Measure, print a table, and optionally write JSON."""
    from vrpsam_app.objects.instances import ObjectOptions
    from vrpsam_app.objects.linking import LinkOptions

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scene", choices=("nuclei", "lookalike"), default="nuclei")
    parser.add_argument("--stack", type=Path, help="a stack in any format that is read")
    parser.add_argument("--labels", type=Path, help="its labels: true objects, or a mask")
    parser.add_argument("--axis", choices=("z", "t"), default="z", help="what slices are")
    parser.add_argument("--foreground", action="store_true", help="there are no single objects")
    parser.add_argument("--method", nargs="+", default=METHODS, help="who is asked")
    parser.add_argument("--model", default="embedded", help="name or folder of the model")
    parser.add_argument("--slice", type=int, help="the annotated one (default: the middle)")
    parser.add_argument("--objects", default="distance", help="how masks are cut")
    parser.add_argument("--link", default="match", help="how objects are linked")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args()
    if (options.stack is None) != (options.labels is None):
        parser.error("give --stack and --labels together")
    image, truth = read_stack(options.stack, options.labels, options.scene)
    annotated = len(image) // 2 if options.slice is None else options.slice
    cut = None if options.foreground else ObjectOptions.from_text(options.objects)
    links = LinkOptions.from_text(options.link).along(options.axis)
    rows = []
    for method in methods(options.model, options.method):
        rows.append(measure(method, image, truth, annotated, cut, links))
        print(rows[-1], flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))
    return 0


def read_stack(
    stack: Path | None, labels: Path | None, scene: str
) -> tuple[NDArray[Any], NDArray[np.integer]]:
    """Return intensities and true objects, both (planes, H, W)."""
    if stack is None or labels is None:
        if scene == "lookalike":
            from vrpsam_app.data.lookalike_scenes import nuclei_among_rods

            among = nuclei_among_rods()
            return among.image, among.labels_of("nucleus")
        from vrpsam_app.data.volume_scenes import nuclei_volume

        made = nuclei_volume()
        return made.image, made.labels
    from vrpsam_app import open_stack
    from vrpsam_app.label_files import open_labels

    opened = open_stack(stack), open_labels(labels)
    image, truth = (np.stack([x.plane(i) for i in x.indices()]) for x in opened)
    if image.shape[:3] != truth.shape:
        raise SystemExit(
            f"{stack} has planes of {image.shape[:3]} and {labels} of {truth.shape}: they do not "
            "belong together."
        )
    return image, truth


def methods(model: str, names: Sequence[str]) -> Iterator[ReferenceSegmenter]:
    """Yield each method; all of them share one model."""
    from vrpsam_app import VRPSAMPredictor
    from vrpsam_app.methods import METHODS as KNOWN
    from vrpsam_app.methods.method_sources import MethodSources

    loaded: list[VRPSAMPredictor] = []

    def load() -> VRPSAMPredictor:
        if not loaded:
            loaded.append(VRPSAMPredictor.from_pretrained(model, device="cpu"))
        return loaded[0]

    for name in names:
        yield KNOWN[name](MethodSources(load))


def measure(
    method: ReferenceSegmenter,
    image: NDArray[Any],
    truth: NDArray[np.integer],
    annotated: int,
    objects: ObjectOptions | None,
    links: LinkOptions,
) -> Figures:
    """Ask a method for every slice, link what it finds, and compare.

    Parameters
    ----------
    objects : how masks are cut; None where only the foreground counts
    """
    from vrpsam_app import Reference, find_objects, link
    from vrpsam_app.evaluation.object_scores import object_scores
    from vrpsam_app.images import intensity_range_of

    reference = Reference.from_mask(image[annotated], truth[annotated] > 0, exhaustive=True)
    intensity_range = intensity_range_of([image.reshape(-1, image.shape[-1])])
    start = time.perf_counter()
    planes: list[NDArray[Any]] = []
    for plane in image:
        prediction = method.predict(plane, reference, intensity_range=intensity_range)
        if objects is None:
            planes.append(prediction.mask)
            continue
        found = find_objects(
            prediction,
            objects,
            image=plane,
            references=[reference],
            segmenter=method if hasattr(method, "predict_from_prompts") else None,
            intensity_range=intensity_range,
        )
        planes.append(found.instance_labels)
    stack = np.stack(planes)
    linked = stack if objects is None else link(stack, links)
    seconds = (time.perf_counter() - start) / len(image)
    others = np.arange(len(image)) != annotated
    both, either = (
        operation(stack[others] > 0, truth[others] > 0).sum()
        for operation in (np.logical_and, np.logical_or)
    )
    iou = float(both / either) if either else 1.0
    name = str(method.describe()["method"])
    if objects is None:
        return Figures(name, iou, None, None, 0, 0, 0, seconds)
    slices = [object_scores(a, b) for a, b in zip(stack[others], truth[others], strict=True)]
    total = sum(s.found + s.true for s in slices)
    slice_f1 = 2 * sum(s.matched for s in slices) / total if total else 1.0
    whole = object_scores(linked, truth)
    return Figures(name, iou, slice_f1, whole.f1, whole.matched, whole.found, whole.true, seconds)


if __name__ == "__main__":
    raise SystemExit(main())
