"""``vrpsam batch init`` and ``add``: pictures and references into a project."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vrpsam_app.cli.marked_references import build_references
from vrpsam_app.cli.reference_options import add_reference_options

if TYPE_CHECKING:
    from vrpsam_app.references import Reference
    from vrpsam_app.review.project import ReviewProject

EXIT_SOME_FAILED = 1


def add_input(parser: argparse.ArgumentParser, *, may_use_its_own: bool = False) -> None:
    """Add what goes into a project: pictures, references, and what it holds already as such."""
    parser.add_argument(
        "pictures", nargs="*", metavar="IMAGE", help="images, folders of images or patterns"
    )
    parser.add_argument("--copy", action="store_true", help="copy the pictures into the project")
    add_reference_options(parser)
    if may_use_its_own:
        parser.add_argument(
            "--use",
            nargs="+",
            default=(),
            metavar="NAME",
            help="take accepted or fixed pictures of the project as references",
        )


def init(options: argparse.Namespace) -> int:
    """Make a project and fill it, or leave none behind."""
    from vrpsam_app.review.project import LIBRARY_NAME, STATE_NAME, ReviewProject

    if not options.pictures:
        options.usage_error("give the pictures, or folders of pictures, after the project")
    given = _Given.of(options)
    was_there = options.project.expanduser().exists()
    project = ReviewProject.create(options.project)
    try:
        return _fill(project, given)
    except BaseException:
        # Half a project would be in the way of the same command, given once more.
        if was_there:
            for name in (STATE_NAME, LIBRARY_NAME):
                (project.folder / name).unlink(missing_ok=True)
        else:
            shutil.rmtree(project.folder, ignore_errors=True)
        raise


def add(options: argparse.Namespace) -> int:
    """Add to a project."""
    from vrpsam_app.review.project import ReviewProject

    if not (options.pictures or options.references or options.use):
        options.usage_error("give pictures, references, or --use with pictures of the project")
    given = _Given.of(options)
    project = ReviewProject(options.project)
    project.use_as_references(options.use)  # first, since a name may be misspelt
    return _fill(project, given)


@dataclass(frozen=True, slots=True)
class _Given:
    """What goes into a project, read before anything is changed there."""

    paths: Sequence[Path]
    references: Sequence[Reference]
    copy: bool

    @classmethod
    def of(cls, options: argparse.Namespace) -> _Given:
        from vrpsam_app.image_files import find_images
        from vrpsam_app.stack_runs.targets import StackReading

        paths = find_images(options.pictures) if options.pictures else []
        references = build_references(options.references or (), StackReading())
        return cls(paths, references, options.copy)


def _fill(project: ReviewProject, given: _Given) -> int:
    failed = added = 0
    for item in project.add_pictures(given.paths, copy=given.copy):
        if item.error is not None:
            failed += 1
            print(f"vrpsam: {item.error}", file=sys.stderr)
        elif item.same_as is not None:
            print(f"{item.path}: has the same pixels as {item.same_as}, left out")
        else:
            added += 1
    project.add_references(given.references)
    count = len(project.library)
    print(
        f"{added} pictures added, {count} reference{'' if count == 1 else 's'} in {project.folder}"
    )
    for label, names in project.unasked(("accepted", "fixed")).items():
        print(
            f"{label}: {len(names)} decided picture{'' if len(names) == 1 else 's'} without a mask "
            "of it, which batch export needs: batch run --redo accepted, or batch fix"
        )
    return EXIT_SOME_FAILED if failed else 0
