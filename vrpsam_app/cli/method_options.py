"""Options that choose model and method, and name weights, the same for all commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vrpsam_app.errors import ConfigError
from vrpsam_app.methods import GUARDS, METHODS, MethodSources, Need

if TYPE_CHECKING:
    from vrpsam_app.predictor import VRPSAMPredictor
    from vrpsam_app.reference_segmenter import ReferenceSegmenter

DEFAULT_METHOD = "vrp_sam"
# What a person may choose; the guards are measured only.
CHOICES = tuple(name for name in METHODS if name not in GUARDS)
# The needs of methods that an option serves.
_SERVES: Mapping[str, tuple[Need, ...]] = {
    "sam": ("sam", "prompts", "features"),
    "features": ("features",),
    "prompts": ("prompts",),
}


def add_model_options(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    """Add ``--model``, ``--device``, ``--precision`` and ``--compile``."""
    parser.add_argument(
        "--model",
        default=default,
        metavar="NAME",
        help="name or folder of the model, or organisation/name on the Hub (default: embedded)",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)"
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16"),
        help="in which the model encodes pictures: bf16 is about twice as fast where the processor "
        "or graphics card has it, and changes a few pixels in ten thousand; auto takes it for "
        "SAM's own large encoders there (default: auto; with a recipe, the recorded one)",
    )
    parser.add_argument(
        "--compile",
        action="store_true",
        help="let PyTorch compile the encoder at the first picture of each size: minutes on a "
        "processor, about one on a graphics card, which only long runs win back",
    )


def precision_of(options: argparse.Namespace, recorded: Mapping[str, Any] | None = None) -> str:
    """Return the precision that was asked for, else the one that a recipe records."""
    before = (recorded or {}).get("precision")
    return options.precision or (before if before in ("fp32", "bf16") else "auto")


def add_weight_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--sam`` and ``--features``."""
    parser.add_argument(
        "--sam",
        type=Path,
        metavar="FILE",
        help="SAM's weights for methods that need a SAM (see vrpsam methods): a file, or a name "
        "such as sam_vit_b; without it the model's own SAM is taken, where it has one that answers "
        "prompts by itself",
    )
    parser.add_argument(
        "--features",
        type=Path,
        metavar="FILE",
        help="weights of a backbone whose features --method matching compares: a file, or a name "
        "such as dinov2_b14; without it those of --sam or of the model",
    )
    parser.add_argument(
        "--prompts",
        type=Path,
        metavar="FOLDER",
        help="what vrpsam learn-prompts learned, for --method prompt_learning; without it the "
        "method learns from the references",
    )


def add_method_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--method``, ``--sam`` and ``--features``."""
    parser.add_argument(
        "--method",
        choices=CHOICES,
        metavar="NAME",
        help=f"how to segment (default: {DEFAULT_METHOD}); vrpsam methods lists them all",
    )
    add_weight_options(parser)


def check_weights_used(options: argparse.Namespace, methods: Sequence[str]) -> None:
    """Make sure that the weights which were named are of use to one of the methods.

    Parameters
    ----------
    options : with what :func:`add_weight_options` adds
    methods : their names in the table

    Raises
    ------
    ConfigError
        If some are not: whoever named them expects another method.
    """
    for option, served in _SERVES.items():
        users = [
            name for name, method in METHODS.items() if not set(served).isdisjoint(method.needs)
        ]
        if getattr(options, option) is not None and set(users).isdisjoint(methods):
            raise ConfigError(
                f"--{option} is for {', '.join(users)}: {', '.join(methods)} would not use it. "
                "Choose one of them with --method, or leave it out."
            )


def build_method(
    options: argparse.Namespace,
    predictor: Callable[[], VRPSAMPredictor],
    recorded: Mapping[str, Any] | None = None,
) -> ReferenceSegmenter:
    """Make the method that was chosen.

    Parameters
    ----------
    options : with what :func:`add_method_options` adds, and ``device``
    predictor : loads the model; called only by a method that needs it
    recorded : what a recipe says of its method, which is taken where none was chosen

    Raises
    ------
    ConfigError
        If the method lacks weights, or has no use for some that are named.
    WeightsError
        If weights cannot be read.
    """
    before = str((recorded or {}).get("method"))
    name = options.method or (before if before in METHODS else DEFAULT_METHOD)
    check_weights_used(options, [name])
    sources = MethodSources.of(
        predictor,
        sam=options.sam,
        features=options.features,
        prompts=options.prompts,
        device=options.device,
    )
    return METHODS[name](sources)
