"""``vrpsam methods``: the ways to segment, and what each needs."""

from __future__ import annotations

import argparse

from vrpsam_app.cli.method_options import CHOICES
from vrpsam_app.methods import METHODS

NEEDS = {
    "model": "a model (--model; one comes with the program)",
    "model's sam": "a model built on SAM's own weights (--model), which the program's own is not",
    "sam": "SAM's weights (--sam)",
    "prompts": "SAM's weights (--sam), or a model; --prompts, else it learns from the references",
    "features": "a backbone's weights (--features), SAM's (--sam), or a model",
    "scikit-learn": "pip install 'vrpsam-app[evaluate]'",
}


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command."""
    parser = commands.add_parser(
        "methods",
        help="list the ways to segment, and what each needs",
        description="List the methods that --method chooses from, each with what it is and what "
        "it needs.",
    )
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Print two lines for each method."""
    for name in CHOICES:
        method = METHODS[name]
        print(f"{name}: {method.summary}")
        print(f"    needs {'; '.join(NEEDS[need] for need in method.needs) or 'nothing'}")
    return 0
