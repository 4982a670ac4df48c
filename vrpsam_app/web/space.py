"""A folder that is pushed to a Space of the Hub as it is: ``make space`` makes it.

It holds the program itself and the embedded model, so the Space starts without weights on the Hub
and without a release on a package registry.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from vrpsam_app import __version__
from vrpsam_app.errors import ConfigError, OutputError, VRPSAMError

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("vrpsam_app", "hub_weights")
PYTHON_VERSION = "3.12"  # the newest that ZeroGPU has
# What ZeroGPU has of torch, and the torchvision that goes with it.
TORCH = ("torch>=2.8,<2.12", "torchvision>=0.23,<0.27")
EXTRAS = ("web", "video")
MADE_HERE = "Made by `make space`."

_README = """\
---
title: VRP-SAM
emoji: 🎯
colorFrom: blue
colorTo: green
sdk: gradio
sdk_version: {gradio}
python_version: "{python}"
app_file: app.py
short_description: Mark one object, find every one like it
license: apache-2.0
tags:
- segment-anything
- few-shot-segmentation
- visual-prompting
- microscopy
disable_embedding: false
---

# VRP-SAM: mark one, find every one like it

Draw a box, a stroke or a point on one object in a picture. The app finds every object of that kind,
there and in any other pictures, and gives you masks, numbered objects, measurements and COCO
annotations.

Release {version}. The model is in this repository: nothing is downloaded, and no request leaves the
Space. Pictures are removed when the page is closed.

To use more than this Space lends, run it on your own computer: `pip install "vrpsam-app[web]"` from
a copy of this repository's sources, then `vrpsam app`.

{made_here}
"""

_GIT_ATTRIBUTES = """\
*.safetensors filter=lfs diff=lfs merge=lfs -text
*.png filter=lfs diff=lfs merge=lfs -text
"""


def stage_space(folder: Path, *, source: Path = ROOT) -> Path:
    """Fill a folder with all that a Space needs.

    Parameters
    ----------
    folder : is made; one that was made here before is replaced, but for its ``.git``
    source : the project's own folder

    Raises
    ------
    ConfigError
        If `source` is not the project's own folder.
    OutputError
        If `folder` holds something else, or cannot be written.
    """
    project = source / "pyproject.toml"
    if not project.is_file():
        raise ConfigError(
            f"{source} has no pyproject.toml: run this in a copy of the sources, not in an "
            "installed package."
        )
    _clear(folder)
    try:
        for room in ROOMS:
            ignored = shutil.ignore_patterns("__pycache__", "*.pyi", "*.pyc")
            shutil.copytree(source / room, folder / room, ignore=ignored)
        for name in ("app.py", "LICENSE"):
            shutil.copyfile(source / name, folder / name)
        readme = _README.format(
            gradio=version("gradio"),
            python=PYTHON_VERSION,
            version=__version__,
            made_here=MADE_HERE,
        )
        (folder / "README.md").write_text(readme, encoding="utf-8")
        (folder / "requirements.txt").write_text(requirements(project), encoding="utf-8")
        (folder / ".gitattributes").write_text(_GIT_ATTRIBUTES, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror or error}). Choose another folder, and "
            "check the free space."
        ) from error
    return folder


def requirements(project: Path) -> str:
    """Return what a Space installs: gradio is chosen by its own field, torch by ZeroGPU."""
    with project.open("rb") as file:
        stated = tomllib.load(file)["project"]
    wanted = list(stated["dependencies"])
    for extra in EXTRAS:
        wanted += stated["optional-dependencies"].get(extra, [])
    others = [line for line in wanted if _name(line) not in ("gradio", "torch", "torchvision")]
    return "\n".join([*TORCH, *dict.fromkeys(others), "spaces"]) + "\n"


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower()


def _clear(folder: Path) -> None:
    """Empty a folder that was made here; leave any other alone."""
    if not folder.exists():
        folder.mkdir(parents=True)
        return
    readme = folder / "README.md"
    known = readme.is_file() and MADE_HERE in readme.read_text(encoding="utf-8", errors="replace")
    held = [path for path in folder.iterdir() if path.name != ".git"]
    if held and not known:
        raise OutputError(
            f"{folder} holds other files, which are not replaced: choose an empty folder."
        )
    for path in held:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def main() -> int:
    """Read the folder from the command line and fill it."""
    parser = argparse.ArgumentParser(prog="make space", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "build" / "space")
    folder: Path = parser.parse_args().folder
    try:
        stage_space(folder)
    except VRPSAMError as error:
        print(error, file=sys.stderr)
        return 2
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 1e6:.0f} MB, ready to push to a Space")
    return 0


if __name__ == "__main__":
    sys.exit(main())
