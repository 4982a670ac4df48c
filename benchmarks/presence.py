"""Choose from which presence on matching and PerSAM say that an object is there.

Run ``python benchmarks/presence.py --data FOLDER ... --out results/presence`` on the training parts
of labelled folders, never on those that are measured on; with ``--sam FILE`` for
``--method persam`` and for matching on a SAM. Without a SAM matching takes the verdict of the model
that it asks, so that the number says how good that one is. Answers are kept as they are made: the
same command goes on where it was stopped. What it prints can be given to ``MatchingSettings`` and
``PerSAMSettings``.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")


def main(argv: list[str] | None = None) -> int:
    """Ask, choose, print and write."""
    from vrpsam_app.data.data_words import DataWords
    from vrpsam_app.evaluation.evaluation_plan import EvaluationPlan, MeasuredMethod
    from vrpsam_app.evaluation.evaluation_set import open_sets
    from vrpsam_app.evaluation.evaluator import Evaluator
    from vrpsam_app.evaluation.presence_choice import COST, choose_presence
    from vrpsam_app.image_files import write_whole
    from vrpsam_app.methods import METHODS, MethodSources

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", required=True, help="as for vrpsam evaluate")
    parser.add_argument("--method", nargs="+", default=["matching"], choices=METHODS)
    parser.add_argument("--format", nargs="+", default=["mask", "box"])
    parser.add_argument("--episodes", type=int, default=20, help="of each data set (20)")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--sam", type=Path)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--cost", type=float, default=COST, help="mean IoU that may be lost")
    parser.add_argument("--out", type=Path, default=Path("results/presence"))
    options = parser.parse_args(argv)

    sets = [
        found
        for words in map(DataWords.parse, options.data)
        for found in open_sets(
            words,
            options.out / "lists",
            episodes=options.episodes,
            negatives=options.episodes,
            seed=1,
            split="train",
        )
    ]
    sources = MethodSources.of(
        partial(_load, options.model, options.device),
        sam=options.sam,
        features=options.features,
        device=options.device,
    )
    plan = EvaluationPlan(formats=tuple(options.format), shots=(1,))
    methods = [MeasuredMethod(name, partial(METHODS[name], sources)) for name in options.method]
    results = list(Evaluator(methods, sets, plan, options.out).run())
    chosen = {}
    for name in options.method:
        choice = choose_presence((r for r in results if r.asked.method == name), cost=options.cost)
        chosen[name] = asdict(choice)
        absent = "" if choice.absent_found is None else f", {100 * choice.absent_found:.0f} % of"
        absent = f"{absent} {choice.absent} absent ones found" if absent else ""
        print(
            f"{name}: presence {choice.threshold:.2f}, costs {choice.iou_lost:.3f} IoU on "
            f"{choice.present} targets{absent}"
        )
    text = json.dumps(chosen, indent=1) + "\n"
    write_whole(options.out / "presence.json", text.encode(), overwrite=True)
    return 0


def _load(model: str, device: str):
    from vrpsam_app import VRPSAMPredictor

    return VRPSAMPredictor.from_pretrained(model, device=device)


if __name__ == "__main__":
    raise SystemExit(main())
