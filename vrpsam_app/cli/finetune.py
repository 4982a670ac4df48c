"""``vrpsam finetune``: teach a model one's own images, and see what that gave."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command."""
    parser = commands.add_parser(
        "finetune",
        help="teach a model your own images",
        description="Train on some pictures of a labelled folder (images/, masks/), measure on the "
        "others before and after, and keep the model under a name: `--model NAME` then takes it. "
        "A run that was stopped goes on when the same command is given again.",
    )
    parser.add_argument("folder", type=Path, help="labelled folder")
    parser.add_argument("--name", required=True, help="of the new model, one that is not taken")
    parser.add_argument(
        "--model", default="embedded", help="where to start from (default: %(default)s)"
    )
    parser.add_argument(
        "--train-images",
        type=int,
        metavar="N",
        help="fields of view to learn from (default: 10, or fewer so that two are left to measure "
        "on)",
    )
    parser.add_argument(
        "--one-image", action="store_true", help="each picture is a class of its own"
    )
    parser.add_argument("--upright", action="store_true", help="mirror pictures, do not turn them")
    parser.add_argument(
        "--steps", type=int, default=240, help="of the dense encoder (default: %(default)s)"
    )
    parser.add_argument(
        "--learning-rate",
        type=float,
        default=3e-4,
        metavar="RATE",
        help="highest of these steps (default: %(default)s)",
    )
    parser.add_argument(
        "--cut-episodes",
        type=int,
        default=300,
        metavar="N",
        help="answers from which it learns where to cut them (default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        choices=("fp32", "bf16"),
        default="fp32",
        help="in which it computes: bf16 is faster where the processor or graphics card has it "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)"
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        help="processes that draw the pictures (default: %(default)s)",
    )
    parser.add_argument(
        "--episodes", type=int, default=40, help="questions to measure by (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of everything that is drawn (default: %(default)s)"
    )
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Fine-tune and print the gain."""
    from vrpsam_app.training.finetune import Finetuning, finetune

    names = Finetuning.__dataclass_fields__
    folder, gains = finetune(
        Finetuning(**{name: value for name, value in vars(options).items() if name in names})
    )
    print("format  before  after   gain, 95 % interval")
    for gain in gains:
        change = gain.difference
        print(
            f"{gain.format:<7} {gain.before:.3f}   {gain.after:.3f}   {change.mean:+.3f} "
            f"({change.low:+.3f} to {change.high:+.3f}, {change.count} questions)"
        )
    print(f"Kept as {options.name!r} in {folder}")
    return 0
