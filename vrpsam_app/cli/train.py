"""``vrpsam train``: make a model from generated scenes and labelled folders."""

from __future__ import annotations

import argparse
from pathlib import Path

from vrpsam_app.config import EMBEDDED_CONFIG

PRESETS = {"embedded": EMBEDDED_CONFIG}


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command."""
    parser = commands.add_parser(
        "train",
        help="train a model, or go on with a run that was stopped",
        description="Train a model. The run's folder holds all that is needed to go on: give the "
        "same command again.",
    )
    parser.add_argument("--preset", choices=sorted(PRESETS), default="embedded")
    parser.add_argument(
        "--run",
        dest="run_folder",
        type=Path,
        default=Path("runs/embedded"),
        metavar="FOLDER",
        help="state, log and model of the run",
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="FOLDER[,one-image][,upright][,weight=N]",
        help="labelled folder (images/, masks/); may be given several times",
    )
    parser.add_argument("--synthetic-share", type=float, default=0.5, metavar="SHARE")
    parser.add_argument("--steps", type=int, default=20_000, help="length of the schedule")
    parser.add_argument(
        "--quality-steps",
        type=int,
        default=400,
        metavar="STEPS",
        help="at the end, of the head that judges masks alone",
    )
    parser.add_argument("--minutes", type=float, help="stop after so long; go on another time")
    parser.add_argument("--groups", type=int, default=5, help="groups of pictures per batch")
    parser.add_argument("--learning-rate", type=float, default=1e-3, metavar="RATE")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw the pictures")
    parser.add_argument("--threads", type=int, help="threads of the computation on a CPU")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="FOLDER",
        help="model whose weights a new run begins with",
    )
    parser.add_argument(
        "--export", type=Path, metavar="FOLDER", help="also write the model there at the end"
    )
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Train and save."""
    from vrpsam_app.training.run import TrainingRun, train

    train(
        TrainingRun(
            config=PRESETS[options.preset],
            folder=options.run_folder,
            data=tuple(options.data),
            synthetic_share=options.synthetic_share,
            steps=options.steps,
            quality_steps=options.quality_steps,
            minutes=options.minutes,
            groups=options.groups,
            learning_rate=options.learning_rate,
            precision=options.precision,
            device=options.device,
            workers=options.workers,
            threads=options.threads,
            seed=options.seed,
            start_from=options.start_from,
            export=options.export,
        )
    )
    return 0
