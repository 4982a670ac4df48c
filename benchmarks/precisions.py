"""Whether bf16 keeps the embedded model's masks, and what it gains: the same questions both ways.

Run ``python benchmarks/precisions.py`` (a minute on two cores). The questions are fixed: seven on
photographs, and scenes that no training has seen (12; 60 with ``--full``). A precision may be
offered only within the limits of ``vrpsam_app/precision.py``; the exit code is 1 beyond them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
from measuring import Report, finish, parser, side_by_side, start
from pair import Pictures

SCENES, FULL_SCENES = 12, 60


def main() -> int:
    """Ask, compare, measure and report."""
    options = parser(__doc__).parse_args()
    start(options)
    import torch

    from vrpsam_app import VRPSAMPredictor
    from vrpsam_app.evaluation.metrics import iou
    from vrpsam_app.precision import LEAST_AGREEMENT, MOST_LOSS, has_bf16

    native = has_bf16(torch.device(options.device))
    report = Report(
        "precisions",
        "bf16 beside fp32",
        "The embedded model on a fixed set of questions. "
        + ("This machine has bf16." if native else "This machine has no bf16 of its own: the "
           "masks count, the times do not."),
        judged=not options.small,
    )  # fmt: skip
    plain, quick = (
        VRPSAMPredictor.from_pretrained(device=options.device, precision=precision)
        for precision in ("fp32", "bf16")
    )
    agreement, changed, kept, found = [], [], [], []
    for reference, target, truth in questions(options):
        first, second = plain.predict(target, reference), quick.predict(target, reference)
        agreement.append(iou(second.mask, first.mask))
        changed.append(float((second.mask != first.mask).mean()))
        kept.append(iou(first.mask, truth))
        found.append(iou(second.mask, truth))
    report.value("questions", len(agreement), "")
    report.value("mean IoU of bf16 masks with those of fp32", np.mean(agreement), "",
                 at_least=LEAST_AGREEMENT)  # fmt: skip
    report.value("least IoU of bf16 masks with those of fp32", np.min(agreement), "")
    report.value("pixels that change, of ten thousand", 1e4 * np.mean(changed), "")
    report.value("mean IoU with the truth, fp32", np.mean(kept), "")
    report.value("mean IoU with the truth, bf16", np.mean(found), "")
    loss = float(np.mean(kept) - np.mean(found))
    report.value("loss of IoU with the truth", loss, "", at_most=MOST_LOSS)
    images = Pictures()
    times = side_by_side(
        {name: _encoding(p, images) for name, p in (("fp32", plain), ("bf16", quick))},
        options.repeats,
        device=options.device,
    )
    for name, seconds in times.items():
        report.time(f"encoding a picture of 512 x 512 pixels, {name}", seconds)
    report.ratio("bf16, how many times faster", times["fp32"], times["bf16"])
    return finish(report, options)


def _encoding(predictor: Any, images: Pictures) -> Any:
    return lambda: predictor.prepare(images.next())


def questions(options: argparse.Namespace) -> Iterator[tuple[Any, Any, Any]]:
    """Yield reference, target and truth of each question."""
    from vrpsam_app import Reference
    from vrpsam_app.data.photo_episodes import coins, look_alikes, stains
    from vrpsam_app.data.synthetic_dataset import SyntheticDataset

    photos = [coins(kind) for kind in ("box", "point", "background")]
    photos += [look_alikes(kind) for kind in ("gravel", "brick")]
    photos += [stains(kind) for kind in ("brown", "blue")]
    for photo in photos[: 2 if options.small else None]:
        yield (
            Reference.from_annotations(photo.reference, list(photo.marks)),
            photo.target,
            photo.truth,
        )
    groups = 1 if options.small else FULL_SCENES if options.full else SCENES
    scenes = SyntheticDataset.draw(groups, images=2)
    for group in range(groups):
        shown, target = scenes.load(2 * group), scenes.load(2 * group + 1)
        for label in sorted(set(scenes.shown(2 * group)) & set(scenes.shown(2 * group + 1))):
            mask = shown.classes == label
            reference = Reference.from_mask(shown.image, mask, exhaustive=True)
            yield reference, target.image, target.classes == label


if __name__ == "__main__":
    raise SystemExit(main())
