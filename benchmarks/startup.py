"""How long it takes until something can be done: imports and commands in fresh interpreters.

Run ``python benchmarks/startup.py`` (a minute on two cores).
"""

from __future__ import annotations

from measuring import Report, finish, fresh, parser, start

IMPORT_LIMIT = 0.3

_TIMED = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
_COMMAND = """
import contextlib, io, sys
from vrpsam_app.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main({!r})
"""
IMPORTS = {
    "import vrpsam_app": "import vrpsam_app",
    "from vrpsam_app import Reference": "from vrpsam_app import Reference",
    "from vrpsam_app import VRPSAMPredictor": "from vrpsam_app import VRPSAMPredictor",
    "import torch": "import torch",
}
COMMANDS = {
    "python -c pass": "pass",
    "vrpsam --help": _COMMAND.format(["--help"]),
    "vrpsam segment --help": _COMMAND.format(["segment", "--help"]),
    "vrpsam methods": _COMMAND.format(["methods"]),
}


def main() -> int:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    start(options)
    report = Report(
        "startup",
        "Starting up",
        "Imports as a fresh interpreter times them, commands from the interpreter's start to its "
        "end. PyTorch is imported by what needs it, and is shown for comparison.",
        judged=not options.small,
    )
    for name, code in IMPORTS.items():
        limit = IMPORT_LIMIT if name == "import vrpsam_app" else None
        report.time(name, fresh(_TIMED.format(code), options.repeats), limit)
    for name, code in COMMANDS.items():
        report.time(name, fresh(code, options.repeats))
    return finish(report, options)


if __name__ == "__main__":
    raise SystemExit(main())
