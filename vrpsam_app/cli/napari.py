"""``vrpsam napari``: open napari with the plugin, on files or on a sample."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

from vrpsam_app.errors import ImageFileError, MissingExtraError


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "napari",
        help="open napari with the plugin",
        description="Open napari with the segment widget beside the image: mark on one slice, look "
        "at the answer, segment all slices.",
        epilog='needs napari and a Qt: pip install "vrpsam-app[napari]" "napari[pyqt6]"',
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="IMAGE", help="images and stacks")
    parser.add_argument(
        "--sample",
        action="store_true",
        help="open a made-up stack of nuclei, marked on one slice",
    )
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Open the window in a process of its own, until it is closed.

    The plugin stands above this package, which therefore does not import it.
    """
    for package in ("napari", "qtpy"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(
                f"The plugin needs {package}, which is not installed. Run: pip install "
                '"vrpsam-app[napari]" "napari[pyqt6]"'
            )
    missing = [path for path in options.files if not path.exists()]
    if missing:
        raise ImageFileError(f"{missing[0]} does not exist: check the path.")
    words = [sys.executable, "-m", "napari_plugin", *map(str, options.files)]
    return subprocess.call([*words, "--sample"] if options.sample else words)
