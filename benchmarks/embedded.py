"""The embedded model beside what it may cost, on two threads in fp32.

Run ``python benchmarks/embedded.py`` (half a minute on two cores).
"""

from __future__ import annotations

import json

from measuring import Report, finish, in_process, parser, peak_mb, side_by_side, start, timed
from pair import Pictures

# Seconds, and megabytes, that each may take.
NEW_TARGET, CACHED_CLASS, STROKE, FIRST_MASK = 0.30, 0.15, 0.3, 3.0
FILE_MB, PROCESS_MB = 25.0, 1500.0
TOGETHER = 8


def main() -> int:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    start(options)
    if options.part == "first":
        print(json.dumps(first_mask(options.device)))
        return 0

    from hub_weights import find_model
    from vrpsam_app import Reference, Scribble, VRPSAMPredictor

    report = Report(
        "embedded",
        "The embedded model",
        "Pictures of 512 x 512 pixels, everything included: bringing it to 8 bits, encoding, "
        "references, decoding, the mask at the picture's size.",
        judged=not options.small,
    )
    predictor = VRPSAMPredictor.from_pretrained(device=options.device, precision="fp32")
    images = Pictures()
    references = [images.reference() for _ in range(5)]
    target, drawn_on = images.next(), images.next()
    predictor.predict(target, references)
    predictor.prepare(drawn_on)
    rows = iter(range(10_000))

    def stroke() -> None:
        row = 20.0 + next(rows) % 400
        marks = [Scribble(((row, 50.0), (row + 5, 300.0)), width=8)]
        predictor.predict(target, Reference.from_annotations(drawn_on, marks))

    def many() -> None:
        for _ in predictor.predict_many([images.next() for _ in range(TOGETHER)], references[:1]):
            pass

    found = side_by_side(
        {
            "a new target, one of eight": many,
            "a class of five cached references on an encoded target": lambda: predictor.predict(
                target, references
            ),
            "end of a stroke to the new mask on an encoded target": stroke,
            "the encoder alone": lambda: predictor.prepare(images.next()),
        },
        options.repeats,
        device=options.device,
    )
    first, *others, encoder = found.items()
    report.time(first[0], first[1].times(1 / TOGETHER), NEW_TARGET)
    for (name, times), limit in zip(others, (CACHED_CLASS, STROKE), strict=True):
        report.time(name, times, limit)
    report.time(*encoder)
    report.value(
        "file of weights", find_model("embedded").weights.stat().st_size / 1e6, "MB", FILE_MB
    )
    once = in_process(__file__, "first", options)
    report.value("loading the model", once["load"], "s")
    report.value("first mask after that", once["first"], "s", FIRST_MASK)
    report.value("second mask, another target", once["second"], "s")
    report.value("peak memory of a process with three masks", once["mb"], "MB", PROCESS_MB)
    return finish(report, options)


def first_mask(device: str) -> dict[str, float]:
    """Load the model and ask for a first mask, in a process that has done nothing else."""
    from vrpsam_app import VRPSAMPredictor

    made: list[VRPSAMPredictor] = []
    load = timed(lambda: made.append(VRPSAMPredictor.from_pretrained(device=device)))
    images = Pictures()
    shown = images.reference()
    first, second, _ = (timed(lambda: made[0].predict(images.next(), shown)) for _ in range(3))
    return {"load": load, "first": first, "second": second, "mb": peak_mb()}


if __name__ == "__main__":
    raise SystemExit(main())
