"""What the embedded model's time grows with, and what it does not grow with.

Run ``python benchmarks/scaling.py`` (a minute on two cores): references, classes, side of the
picture, and what was asked before.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from measuring import Curve, Report, Times, finish, parser, side_by_side, start
from pair import Pictures

REFERENCES, CLASSES = (1, 2, 3, 5, 8), (1, 2, 3, 4)
SIDES, FULL_SIDES = (128, 256, 512, 1024), (128, 256, 512, 1024, 2048, 4096)
BEFORE, FULL_BEFORE = (0, 20, 60), (0, 50, 200, 1000)
MOST_GROWN = 1.15


def main() -> int:
    """Measure, report and draw."""
    options = parser(__doc__).parse_args()
    start(options)
    from vrpsam_app import VRPSAMPredictor

    predictor = VRPSAMPredictor.from_pretrained(device=options.device, precision="fp32")
    report = Report(
        "scaling",
        "What the time grows with",
        "The embedded model; targets and references are encoded unless they are called new. A "
        "plane beyond the model's side of 512 pixels is cut into tiles by the usual rule.",
        judged=not options.small,
    )
    for measure in (references, classes, sides, users):
        measure(predictor, report, options)
    return finish(report, options)


def references(predictor: Any, report: Report, options: argparse.Namespace) -> None:
    """Ask with more and more references."""
    images = Pictures()
    shown = [images.reference() for _ in range(max(REFERENCES))]
    target = images.next()
    counts = REFERENCES[:2] if options.small else REFERENCES
    calls = {n: partial(predictor.predict, target, shown[:n]) for n in counts}
    _curve(
        report, options, "references of one class", calls, "an encoded target, cached references"
    )


def classes(predictor: Any, report: Report, options: argparse.Namespace) -> None:
    """Ask for more and more classes."""
    from dataclasses import replace

    images = Pictures()
    shown = [replace(images.reference(), label=f"class {i}") for i in range(max(CLASSES))]
    target = images.next()
    counts = CLASSES[:2] if options.small else CLASSES
    calls = {n: partial(predictor.predict_classes, target, shown[:n]) for n in counts}
    _curve(
        report, options, "classes, a reference each", calls, "an encoded target, cached references"
    )


def sides(predictor: Any, report: Report, options: argparse.Namespace) -> None:
    """Ask about larger and larger new pictures."""
    from vrpsam_app.tiles.tiling import predict_tiled

    shown = Pictures().reference()
    random = np.random.default_rng(0)
    passing = predictor.passing()

    def ask(side: int) -> None:
        picture = random.integers(0, 256, (side, side), dtype=np.uint8)
        predict_tiled(passing, picture, shown)

    chosen: Sequence[int] = FULL_SIDES if options.full else SIDES[: 2 if options.small else None]
    found = _timed({side: partial(ask, side) for side in chosen}, options)
    for side, times in found.items():
        report.time(f"new picture of {side} x {side} pixels", times)
    points = [[side * side / 1e6, times.median] for side, times in found.items()]
    report.curves.append(
        Curve(
            "a new picture", "area, megapixels", "seconds", {"measured": points}, logarithmic=True
        )
    )


def users(predictor: Any, report: Report, options: argparse.Namespace) -> None:
    """Ask after more and more pictures of other people."""
    images = Pictures()
    shown = images.reference()
    counts = FULL_BEFORE if options.full else BEFORE[: 2 if options.small else None]
    asked, found = 0, {}
    for count in counts:
        for _ in range(count - asked):
            predictor.prepare(images.next())
        asked = count
        found |= _timed({count: lambda: predictor.predict(images.next(), shown)}, options)
    for count, times in found.items():
        report.time(f"new target after {count} other pictures", times)
    points = [[count, times.median] for count, times in found.items()]
    report.curves.append(
        Curve(
            "a new target of 512 x 512",
            "pictures asked about before",
            "seconds",
            {"measured": points},
        )
    )
    grown = points[-1][1] / points[0][1]
    report.value(
        f"new target after {asked} others, beside the first", grown, "x",
        MOST_GROWN,
    )  # fmt: skip


def _curve(
    report: Report,
    options: argparse.Namespace,
    what: str,
    calls: dict[int, Callable[[], object]],
    title: str,
) -> None:
    found = _timed(calls, options)
    for count, times in found.items():
        report.time(f"{count} {what}", times)
    points = [[count, times.median] for count, times in found.items()]
    report.curves.append(Curve(title, what, "seconds", {"measured": points}))


def _timed(calls: dict[int, Callable[[], object]], options: argparse.Namespace) -> dict[int, Times]:
    named = {str(count): call for count, call in calls.items()}
    found = side_by_side(named, options.repeats, device=options.device)
    return {int(count): times for count, times in found.items()}


if __name__ == "__main__":
    raise SystemExit(main())
