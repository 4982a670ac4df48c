"""``vrpsam learn-prompts``: teach a frozen SAM what your clicks and boxes mean."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vrpsam_app.errors import ConfigError

if TYPE_CHECKING:
    from vrpsam_app.methods.prompted_pictures import PromptedModel


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command."""
    parser = commands.add_parser(
        "learn-prompts",
        allow_abbrev=False,
        help="teach a SAM what your clicks and boxes mean",
        description="Learn from a few pictures whose objects are labelled how clicks and boxes are "
        "meant; the SAM, or the model that comes with the program, stays as it is. Some pictures "
        "are learned from, the others measure. `vrpsam segment --method prompt_learning "
        "--prompts FOLDER` then uses what was learned.",
        epilog="example: vrpsam learn-prompts labelled/banners --sam sam_vit_b --out banners",
    )
    parser.add_argument(
        "data", type=Path, help="labelled folder (images/, masks/ with numbered objects)"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="what is learned goes there"
    )
    parser.add_argument(
        "--class", dest="class_name", metavar="NAME", help="objects of this class only"
    )
    add_model_options(parser)
    parser.add_argument(
        "--train-images",
        type=int,
        default=8,
        metavar="N",
        help="pictures to learn from (default: 8)",
    )
    add_fit_options(parser)
    parser.set_defaults(run=run)
    return parser


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--sam``, ``--model``, ``--device`` and ``--threads``."""
    parser.add_argument(
        "--sam",
        type=Path,
        metavar="FILE",
        help="SAM's weights: a file, or a name such as sam_vit_b (default: the model)",
    )
    parser.add_argument(
        "--model",
        default="embedded",
        metavar="NAME",
        help="model, where no --sam is given (default: %(default)s)",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="of the computation on a CPU")


def add_fit_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how prompts are learned."""
    parser.add_argument(
        "--marks",
        dest="kinds",
        nargs="+",
        choices=("click", "box"),
        default=["click", "box"],
        help="kinds of prompts that are learned (default: both)",
    )
    parser.add_argument(
        "--steps", type=int, default=400, metavar="N", help="of learning (default: %(default)s)"
    )
    parser.add_argument(
        "--learning-rate",
        type=float,
        default=3e-3,
        metavar="RATE",
        help="highest of these steps (default: %(default)s)",
    )
    parser.add_argument(
        "--boundary",
        type=float,
        default=1.0,
        metavar="WEIGHT",
        help="of boundary point matching while learning; 0 leaves it out (default: 1)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of everything that is drawn (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Learn, and print the gain."""
    from vrpsam_app.data.folder_dataset import FolderDataset
    from vrpsam_app.methods.prompt_examples import examples_of_dataset
    from vrpsam_app.methods.prompt_fit import PromptFitSettings
    from vrpsam_app.training.prompt_tuning import PromptTuning, tune_prompts

    settings = PromptFitSettings(
        kinds=tuple(options.kinds),
        steps=options.steps,
        learning_rate=options.learning_rate,
        boundary=options.boundary,
        seed=options.seed,
    )
    dataset = FolderDataset.open(options.data, None, leave_out_restricted=False)
    examples = examples_of_dataset(dataset, options.class_name)
    tuned = tune_prompts(
        open_model(options),
        examples,
        PromptTuning(folder=options.out, train_images=options.train_images, settings=settings),
    )
    if tuned.gains:
        print("prompt  before  after   gain, 95 % interval")
    for gain in tuned.gains:
        change = gain.difference
        print(
            f"{gain.kind:<7} {gain.before:.3f}   {gain.after:.3f}   {change.mean:+.3f} "
            f"({change.low:+.3f} to {change.high:+.3f}, {change.count} pictures)"
        )
    print(f"learned prompts: {tuned.folder}")
    return 0


def open_model(options: argparse.Namespace) -> PromptedModel:
    """Open the SAM that was named, else the model's, else the model as a whole.

    Raises
    ------
    WeightsError
        If weights cannot be found or read.
    """
    import torch

    from vrpsam_app.methods import MethodSources
    from vrpsam_app.methods.prompted_pictures import PromptedSAM, PromptedVRPSAM
    from vrpsam_app.predictor import VRPSAMPredictor

    if options.threads is not None:
        if options.threads < 1:
            raise ConfigError(f"--threads {options.threads}: expected a positive number.")
        torch.set_num_threads(options.threads)
    sources = MethodSources.of(
        lambda: VRPSAMPredictor.from_pretrained(options.model, device=options.device),
        sam=options.sam,
        device=options.device,
    )
    return PromptedSAM(sources.sam()) if sources.has_sam else PromptedVRPSAM(sources.predictor())
