"""``vrpsam reproduce``: run the paper's experiments, on its data or at small scale."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vrpsam_app.errors import ConfigError

if TYPE_CHECKING:
    from vrpsam_app.reproduction.bench import Bench
    from vrpsam_app.reproduction.experiments import Experiment
    from vrpsam_app.reproduction.measured import Measured

EXIT_SOME_FAILED = 1
EVERYTHING = "all"


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "reproduce",
        help="run the experiments of the VRP-SAM paper",
        description="Run the tables and the figure of the paper: on COCO and PASCAL where their "
        "folders are given, else at small scale on generated scenes, with a SAM and backbones "
        "trained on the way. Every model is trained once and every number kept as soon as it is "
        "known, so that the same command goes on where it was stopped.",
        epilog="example: vrpsam reproduce table5 --out runs/paper",
    )
    parser.add_argument(
        "experiments",
        nargs="*",
        metavar="NAME",
        help=f"table1 to table7, figure6, or {EVERYTHING}; none with --write-docs makes the page "
        "of what is known",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/paper"),
        metavar="FOLDER",
        help="models and results go there (default: %(default)s)",
    )
    parser.add_argument(
        "--folds",
        nargs="+",
        type=int,
        choices=range(4),
        default=[0, 1, 2, 3],
        help="fill cells as far as these folds go (default: all)",
    )
    parser.add_argument(
        "--write-docs",
        type=Path,
        metavar="FILE",
        help="add the results to the page FILE, and to the file of results beside it",
    )
    parser.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help="of each model (default: 400 at small scale, else as many as the paper's epochs have)",
    )
    parser.add_argument("--batch", type=int, metavar="N", help="episodes of a step (default: 8)")
    parser.add_argument(
        "--episodes",
        type=int,
        metavar="N",
        help="asked of each fold (default: 100 at small scale, else 1000)",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="of the computation on a CPU")
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="of everything that is drawn (default: 0 at small scale, else 321)",
    )
    small = parser.add_argument_group("at small scale")
    small.add_argument(
        "--size", type=int, metavar="PIXELS", help="side of the pictures (default: 128)"
    )
    small.add_argument(
        "--sam-steps", type=int, metavar="N", help="of the small SAM (default: 2500)"
    )
    small.add_argument(
        "--backbone-steps", type=int, metavar="N", help="of the small backbones (default: 600)"
    )
    small.add_argument(
        "--groups", type=int, metavar="N", help="of scenes to learn from (default: 240)"
    )
    paper = parser.add_argument_group("at the paper's scale")
    paper.add_argument("--coco", type=Path, metavar="ROOT", help="COCO 2014")
    paper.add_argument("--pascal", type=Path, metavar="ROOT", help="PASCAL VOC 2012 with SBD")
    paper.add_argument("--sam", type=Path, metavar="FILE", help="weights of SAM ViT-H")
    paper.add_argument(
        "--backbone",
        nargs="+",
        default=[],
        metavar="[NAME=]FILE",
        help="weights of resnet50_v2 (the published one, which needs no name), resnet50, "
        "vgg16_bn, dinov2_b14",
    )
    paper.add_argument(
        "--precision",
        choices=("fp32", "bf16"),
        help="in which it computes: bf16 is faster where the graphics card has it (default: fp32)",
    )
    paper.add_argument("--accumulate", type=int, metavar="N", help="batches of a step (default: 1)")
    paper.add_argument(
        "--best-epoch", action="store_true", help="keep the epoch that is best on the test fold"
    )
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Run, print what came of it, and write tables."""
    from vrpsam_app.reproduction.paper_page import write_page
    from vrpsam_app.reproduction.paper_tables import EXPERIMENTS, experiment

    names = options.experiments
    if not names:
        if options.write_docs is None:
            raise ConfigError(
                f"No experiment was named: expected some of {', '.join(EXPERIMENTS)}, or "
                f"{EVERYTHING}."
            )
        print(f"wrote {write_page(options.write_docs, [])}")
        return 0
    chosen = [experiment(n) for n in (EXPERIMENTS if EVERYTHING in names else names)]
    results, failed = _run(options, chosen)
    if options.write_docs is not None:
        print(f"wrote {write_page(options.write_docs, results)}")
    return EXIT_SOME_FAILED if failed else 0


def _run(options: argparse.Namespace, chosen: list[Experiment]) -> tuple[list[Measured], bool]:
    """Return what was measured, and whether something failed."""
    import torch

    from vrpsam_app.output_paths import prepare_folder
    from vrpsam_app.reproduction.result_tables import own_table, summary_lines
    from vrpsam_app.reproduction.runner import Runner, described

    bench = _bench(options)
    if options.threads:
        torch.set_num_threads(options.threads)
    runner = Runner(bench, options.out, device=options.device)
    results = runner.run(chosen, tuple(sorted(set(options.folds))))
    if runner.skipped and not results:
        raise ConfigError(
            f"Nothing of {', '.join(one.name for one in chosen)} can be run: it "
            f"{', '.join(dict.fromkeys(runner.skipped.values()))}."
        )
    tables = prepare_folder(options.out / "tables")
    for one in chosen:
        print(f"\n{one.label}. {one.title}")
        print("\n".join(summary_lines(one, results, runner.bench.scale)))
        path = tables / f"{one.name}.md"
        path.write_text(own_table(one, results).to_markdown(), encoding="utf-8")
        print(f"table: {path}")
    for run_, missing in runner.skipped.items():
        print(f"not run: {described(run_)}: {missing}")
    for run_, why in runner.failed.items():
        print(f"vrpsam: {described(run_)}: {why}", file=sys.stderr)
    return results, bool(runner.failed)


def _bench(options: argparse.Namespace) -> Bench:
    """Choose the scale: that of the paper where one of its data sets is given."""
    if options.coco is None and options.pascal is None:
        return _small_bench(options)
    from vrpsam_app.reproduction.paper_bench import (
        EPISODES,
        PaperBench,
        PaperFiles,
        parse_backbones,
    )

    _refuse(options, ("size", "sam_steps", "backbone_steps", "groups"), "at small scale only")
    backbones = parse_backbones(options.backbone)
    if options.sam is None or not backbones:
        raise ConfigError(
            "--coco and --pascal need the weights of what is frozen: give --sam FILE and "
            "--backbone FILE."
        )
    files = PaperFiles(
        sam=options.sam, backbones=backbones, coco=options.coco, pascal=options.pascal
    )
    changes = _given(options, ("steps", "batch", "seed", "precision", "accumulate"))
    if options.best_epoch:
        changes["keep"] = "best"
    return PaperBench(
        files=files,
        episodes=EPISODES if options.episodes is None else options.episodes,
        changes=changes,
        computing={"device": options.device, **_given(options, ("threads",))},
    )


def _small_bench(options: argparse.Namespace) -> Bench:
    from vrpsam_app.reproduction.small_bench import SmallBench
    from vrpsam_app.reproduction.small_scale import SmallScale

    _refuse(options, ("sam", "precision", "accumulate"), "with --coco or --pascal only")
    if options.backbone or options.best_epoch:
        raise ConfigError("--backbone and --best-epoch are for --coco and --pascal only.")
    names = tuple(field.name for field in dataclasses.fields(SmallScale))
    settings = SmallScale(**_given(options, names))
    return SmallBench(settings, options.out, device=options.device, threads=options.threads)


def _given(options: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of these names that were given."""
    return {n: value for n in names if (value := getattr(options, n)) is not None}


def _refuse(options: argparse.Namespace, names: tuple[str, ...], where: str) -> None:
    given = _given(options, names)
    if given:
        words = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ConfigError(f"{words}: these options make sense {where}.")
