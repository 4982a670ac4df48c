"""``vrpsam evaluate``: measure methods on labelled data and write a report."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from vrpsam_app.cli.method_options import add_weight_options, check_weights_used
from vrpsam_app.errors import ConfigError

EPISODES, FULL, PAPER = 20, 200, 1000
NEGATIVE_SHARE = 0.5  # negative targets for each one that shows the class, where there are such
EXIT_SOME_FAILED = 1

DEFAULT_METHODS = (
    "vrp_sam",
    "pixel_forest,click,mask,box,shots=1",  # seconds a target, so it is asked less
    "tuned_threshold",
    "training_free_prior",
)
FORMATS = ("mask", "click", "stroke", "box", "outline")


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "evaluate",
        help="measure how well methods find what the references show",
        description="Measure methods on labelled data: the same episodes for all of them. Every "
        "answer is kept as soon as it is there, so that the same command goes on where it was "
        "stopped. Writes report.html, summary.json and tables.md.",
        epilog="example: vrpsam evaluate --data labelled/cells labelled/particles,one-image "
        "--format click mask --shots 1 5 --out results/eval",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        action="extend",
        metavar="FOLDER[,one-image][,components][,kinds]",
        help="labelled folders (images/, masks/), or folders of such; one-image: reference and "
        "target are halves of each picture; components: connected parts are objects; kinds: one "
        "object a picture, of the kind in per_image_class.json. 'synthetic' needs no folder; "
        "pascal5i, coco20i (with fold=N), fss1000, perseg, davis2017, isic, kvasir, celebamask "
        "say how a benchmark's folder is laid out",
    )
    parser.add_argument(
        "--method",
        dest="methods",
        nargs="+",
        action="extend",
        metavar="NAME[,FORMAT...][,shots=N]",
        help="methods (see vrpsam methods), the first of which is compared with the others; all "
        "adds every other one, the slow ones by mask and with one reference only; with "
        f"formats or shots it is asked those only (default: {' '.join(DEFAULT_METHODS)})",
    )
    parser.add_argument(
        "--model",
        default="embedded",
        metavar="NAME",
        help="name or folder of the model (default: %(default)s)",
    )
    add_weight_options(parser)
    parser.add_argument(
        "--format",
        dest="formats",
        nargs="+",
        choices=FORMATS,
        help="how references are marked, the main way first (default: click mask box; for the "
        "paper's protocol: mask)",
    )
    parser.add_argument(
        "--shots",
        nargs="+",
        type=_positive,
        default=[1],
        metavar="N",
        help="references (default: 1)",
    )
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument(
        "--episodes",
        type=_positive,
        metavar="N",
        help=f"targets of each data set (default: {EPISODES}; paper: {PAPER})",
    )
    amount.add_argument("--full", action="store_true", help=f"{FULL} targets of each data set")
    parser.add_argument(
        "--negatives",
        type=_share,
        metavar="SHARE",
        help="targets without the object, for each one with it, where there are such (default: "
        f"{NEGATIVE_SHARE}; the paper's protocol has none)",
    )
    parser.add_argument(
        "--protocol",
        choices=("default", "paper"),
        default="default",
        help="paper: pictures of 512 x 512 and marks as in the paper's experiments (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--shift", action="store_true", help="ask the main question on changed pictures as well"
    )
    parser.add_argument(
        "--effort",
        nargs="?",
        type=_positive,
        const=5,
        default=0,
        metavar="N",
        help="count a simulated person's corrections on N targets of each data set (default: "
        "%(const)s); with --sam also the clicks that SAM alone takes, object by object",
    )
    parser.add_argument("--seed", type=_natural, default=0, help="of the episodes (default: 0)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results/eval"),
        metavar="FOLDER",
        help="results go there (default: %(default)s)",
    )
    parser.add_argument(
        "--page", type=Path, metavar="FILE.md", help="also write the comparison as a document"
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)"
    )
    parser.add_argument(
        "--threads",
        type=_positive,
        metavar="N",
        help="threads of the computation on a CPU; give 1 where other work shares the cores",
    )
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Measure, write the report, and say where it is."""
    from vrpsam_app.data.data_words import DataWords
    from vrpsam_app.evaluation.evaluation_plan import EvaluationPlan
    from vrpsam_app.evaluation.evaluation_run import EvaluationRun, evaluate
    from vrpsam_app.evaluation.method_words import MethodWords
    from vrpsam_app.evaluation.shift_suite import SHIFTS

    methods = MethodWords.parse_all(options.methods or DEFAULT_METHODS)
    if not options.methods:
        # Who names no method need not know which formats the slow one is asked.
        methods = tuple(replace(m, optional=m.formats is not None) for m in methods)
    # A SAM is also clicked where effort is measured.
    names = [words.name for words in methods]
    check_weights_used(options, [*names, "sam"] if options.effort else names)
    paper = options.protocol == "paper"
    episodes = options.episodes or (FULL if options.full else PAPER if paper else EPISODES)
    if paper and options.negatives:
        raise ConfigError(
            "--negatives makes no sense with --protocol paper, whose targets all show the object: "
            "leave it out."
        )
    usual = 0.0 if paper else NEGATIVE_SHARE
    negatives = usual if options.negatives is None else options.negatives
    outcome = evaluate(
        EvaluationRun(
            data=tuple(map(DataWords.parse, options.data)),
            methods=methods,
            plan=EvaluationPlan(
                formats=tuple(
                    options.formats or (("mask",) if paper else ("click", "mask", "box"))
                ),
                shots=tuple(sorted(set(options.shots))),
                shifts=tuple(SHIFTS) if options.shift else (),
                paper=paper,
            ),
            model=options.model,
            sam=options.sam,
            features=options.features,
            prompts=options.prompts,
            device=options.device,
            threads=options.threads,
            episodes=episodes,
            negatives=round(negatives * episodes),
            effort=options.effort,
            seed=options.seed,
            folder=options.out,
            command=f"vrpsam {shlex.join(options.typed)}",
            page=options.page,
        )
    )
    for cell in outcome.report.summary.cells:
        column = f"{cell.column.format} x{cell.column.shots}"
        print(
            f"{cell.dataset}, {column}{f' {cell.column.shift}' if cell.column.shift else ''}, "
            f"{cell.method}: IoU {cell.iou.mean:.3f}"
        )
    plan = outcome.report.plan
    for name, why in plan["left_out"].items():
        print(f"vrpsam: not asked: {name}: {why}", file=sys.stderr)
    for what in plan["not_asked"]:
        print(f"vrpsam: not asked: {what}", file=sys.stderr)
    if options.negatives and plan["without_negatives"]:
        without = ", ".join(plan["without_negatives"])
        print(f"vrpsam: no target lacks the object: {without}", file=sys.stderr)
    for name, path in outcome.paths.items():
        print(f"{name}: {path}")
    if outcome.failed:
        print(f"vrpsam: {outcome.failed} failed; the report names them", file=sys.stderr)
    return EXIT_SOME_FAILED if outcome.failed else 0


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a positive whole number")
    return int(text)


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 0")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 10:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 0 to 10")
    return value
