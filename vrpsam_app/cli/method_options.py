"""Options that choose a method and name the weights it needs, the same for all commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vrpsam_app.methods import METHODS, MethodSources

if TYPE_CHECKING:
    from vrpsam_app.predictor import VRPSAMPredictor
    from vrpsam_app.reference_segmenter import ReferenceSegmenter

DEFAULT_METHOD = "vrp_sam"


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


def add_method_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--method``, ``--sam`` and ``--features``."""
    parser.add_argument(
        "--method",
        choices=tuple(METHODS),
        metavar="NAME",
        help=f"how to segment (default: {DEFAULT_METHOD}); vrpsam methods lists them all",
    )
    add_weight_options(parser)


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
        If the method lacks weights.
    WeightsError
        If weights cannot be read.
    """
    before = str((recorded or {}).get("method"))
    name = options.method or (before if before in METHODS else DEFAULT_METHOD)
    sources = MethodSources.of(
        predictor, sam=options.sam, features=options.features, device=options.device
    )
    return METHODS[name](sources)
