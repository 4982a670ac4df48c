"""The command line, ``vrpsam``: one file per command, which reads options and calls the library."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from vrpsam_app import __version__
from vrpsam_app.cli import (
    app,
    batch,
    cutout,
    doctor,
    evaluate,
    export_objects,
    finetune,
    import_objects,
    learn_prompts,
    library,
    methods,
    napari,
    objects,
    precompute,
    prompt_experiments,
    reproduce,
    segment,
    train,
    weights,
)
from vrpsam_app.errors import VRPSAMError

COMMANDS = (
    segment,
    objects,
    export_objects,
    import_objects,
    batch,
    cutout,
    library,
    precompute,
    app,
    napari,
    train,
    finetune,
    learn_prompts,
    evaluate,
    reproduce,
    prompt_experiments,
    methods,
    weights,
    doctor,
)

EXIT_INPUT_ERROR = 2  # as argparse has it for options that it cannot read
EXIT_INTERRUPTED = 130  # as shells have it: 128 + SIGINT
EXIT_OUTPUT_CLOSED = 141  # 128 + SIGPIPE


class Parser(argparse.ArgumentParser):
    """Takes options by their whole names only, so that scripts stay valid when some are added."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **{"allow_abbrev": False, **settings})


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``vrpsam`` with all its commands, which are parsed like it."""
    parser = Parser(
        prog="vrpsam",
        description="Mark an object once in a reference image, segment its like in other images.",
    )
    parser.add_argument("--version", action="version", version=f"vrpsam-app {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        added = command.add_parser(commands)
        added.add_argument(
            "--debug", action="store_true", help="show where in the code an error arose"
        )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Returns
    -------
    code
        0: done. 1: some of the work failed and was named. 2: the input cannot be used; one
        sentence on standard error says why. 130: interrupted. 141: nobody reads the output any
        more.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # A log or console may have no place for a letter in the name of a picture.
        sys.stdout.reconfigure(errors="backslashreplace")
    typed = list(sys.argv[1:] if argv is None else argv)
    options = build_parser().parse_args(typed, argparse.Namespace(typed=typed))
    try:
        code = _run(options)
        print(end="", flush=True)
    except BrokenPipeError:
        if options.debug:
            raise
        # What is still held goes nowhere; else Python would fail at it again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OUTPUT_CLOSED
    return code


def _run(options: argparse.Namespace) -> int:
    """Run a command; what went wrong is a sentence."""
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except VRPSAMError as error:
        if options.debug:
            raise
        print(f"vrpsam: {error}", file=sys.stderr)
        return EXIT_INPUT_ERROR
    except KeyboardInterrupt:
        print("vrpsam: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
