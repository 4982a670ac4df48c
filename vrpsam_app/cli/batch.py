"""``vrpsam batch``: from a folder of pictures to a reviewed data set."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vrpsam_app.cli import segment
from vrpsam_app.cli.batch_input import EXIT_SOME_FAILED, add, add_input, init
from vrpsam_app.cli.cluster_options import add_cluster_options, connection
from vrpsam_app.cli.mark_options import add_mark_options
from vrpsam_app.cli.method_options import (
    add_method_options,
    add_model_options,
    build_method,
    precision_of,
)
from vrpsam_app.cli.store_options import add_store_options, open_store
from vrpsam_app.cli.tile_options import add_tile_option, tile_options

if TYPE_CHECKING:
    from vrpsam_app.reference_segmenter import ReferenceSegmenter
    from vrpsam_app.review.project import ReviewProject
    from vrpsam_app.review.state import PictureState

# As `review_state.STATUSES` has them, which this module does not load to build the parser.
STATUSES = ("new", "failed", "waiting", "accepted", "fixed", "rejected")


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command, its actions and their options."""
    parser = commands.add_parser(
        "batch",
        help="turn a folder of pictures into a reviewed data set",
        description="Collect pictures and references in a project, segment everything, look at "
        "the doubtful results first, accept, fix or reject, and export the data set. A project "
        "that was interrupted goes on where it was.",
        epilog="example: vrpsam batch init cells plate/ --reference a.png --box 4,6,18,22 && "
        "vrpsam batch run cells && vrpsam batch list cells",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(
        name: str, run: Callable[[argparse.Namespace], int], help_text: str
    ) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=help_text, description=help_text)
        added.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
        added.set_defaults(run=run, usage_error=added.error)
        return added

    add_input(action("init", init, "Make a project of pictures and references."))
    add_input(action("add", add, "Add pictures and references to a project."), may_use_its_own=True)

    running = action("run", run, "Segment every picture that is not decided.")
    running.add_argument(
        "--threshold",
        type=float,
        default=0.5,
        metavar="P",
        help="probability above which a pixel is part of the mask (default: %(default)s)",
    )
    running.add_argument(
        "--redo",
        nargs="+",
        default=(),
        choices=("accepted", "fixed", "rejected"),
        help="segment decided pictures again too, after other references; drawn masks stay",
    )
    add_tile_option(running)
    add_cluster_options(running)
    _add_segmenter(running)

    listing = action("list", list_pictures, "List pictures, the most doubtful first.")
    listing.add_argument(
        "--status",
        nargs="+",
        choices=STATUSES,
        default=STATUSES,
        help="only pictures of which this is known (default: all)",
    )
    listing.add_argument("--most", type=int, metavar="N", help="no more than so many")

    accepting = action("accept", accept, "Say that masks are right.")
    accepting.add_argument(
        "--from-score",
        type=float,
        metavar="S",
        help="every waiting picture that is at least this certain",
    )
    for deciding in (
        accepting,
        action("reject", reject, "Leave pictures out of the data set."),
        action("undo", undo, "Take back what was decided."),
    ):
        deciding.add_argument("names", nargs="*", metavar="NAME", help="as vrpsam batch list says")
        _add_person(deciding)

    fixing = action("fix", fix, "Put another mask in the place of the one that was found.")
    fixing.add_argument("name", metavar="NAME", help="as vrpsam batch list says")
    fixing.add_argument(
        "--with-mask",
        type=Path,
        metavar="IMAGE",
        help="a mask drawn elsewhere, not 0 on the object",
    )
    fixing.add_argument("--class", dest="label", metavar="NAME", help="which class it is about")
    add_mark_options(fixing)
    _add_person(fixing)
    _add_segmenter(fixing)

    exporting = action("export", export, "Write the finished data set.")
    exporting.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="the data set goes there"
    )
    exporting.add_argument(
        "--validation",
        type=float,
        default=0.2,
        metavar="P",
        help="share to check with (default: %(default)s)",
    )
    exporting.add_argument(
        "--licence",
        "--license",
        default="unknown",
        metavar="SPDX",
        help="of the pictures, for the card (default: %(default)s)",
    )
    exporting.add_argument(
        "--objects",
        nargs="?",
        const="distance",
        metavar="HOW",
        help='number objects, such as "distance,min-area=20"; without it masks hold classes',
    )
    exporting.add_argument(
        "--unreviewed", action="store_true", help="take in what nobody has looked at as well"
    )
    exporting.add_argument("--overwrite", action="store_true", help="replace an earlier export")
    return parser


def run(options: argparse.Namespace) -> int:
    """Segment, and say what is doubtful."""
    from tqdm import tqdm

    from vrpsam_app.review.run import run_review

    project = _project(options)
    if not 0 < options.threshold < 1:
        options.usage_error(f"--threshold is {options.threshold}: expected between 0 and 1")
    segmenter = _segmenter(options)
    failed = 0
    with connection(options) as client, tqdm(total=0, unit="image", disable=None) as bar:

        def show(progress: Any) -> None:
            bar.total = progress.total
            bar.update(progress.done - bar.n)

        for reviewed in run_review(
            project,
            segmenter,
            threshold=options.threshold,
            tiling=tile_options(options),
            redo=options.redo,
            client=client,
            progress=show,
        ):
            failed += reviewed.error is not None
            stream = sys.stdout if reviewed.error is None else sys.stderr
            tqdm.write(line_of(project, reviewed.picture), file=stream)
    print(totals(project))
    return EXIT_SOME_FAILED if failed else 0


def list_pictures(options: argparse.Namespace) -> int:
    """Print one line for each picture."""
    project = _project(options)
    for picture in project.by_doubt(options.status, options.most):
        print(line_of(project, picture))
    print(totals(project))
    return 0


def accept(options: argparse.Namespace) -> int:
    """Accept pictures."""
    project = _project(options)
    names = list(options.names)
    if options.from_score is not None:
        names += [
            picture.name
            for picture in project.by_doubt(["waiting"])
            if picture.certainty is not None and picture.certainty >= options.from_score
        ]
    elif not names:
        options.usage_error("give the names of pictures, or --from-score")
    project.accept(names, who=options.who, note=options.note)
    print(totals(project))
    return 0


def reject(options: argparse.Namespace) -> int:
    """Reject pictures."""
    project = _project(options)
    project.reject(_names(options), who=options.who, note=options.note)
    print(totals(project))
    return 0


def undo(options: argparse.Namespace) -> int:
    """Take decisions back."""
    project = _project(options)
    project.undo(_names(options), who=options.who, note=options.note)
    print(totals(project))
    return 0


def fix(options: argparse.Namespace) -> int:
    """Replace the mask of a picture by a drawn one, or by an answer to marks on it."""
    from vrpsam_app.annotations import annotations_from_json
    from vrpsam_app.errors import ConfigError
    from vrpsam_app.image_files import read_image, read_mask
    from vrpsam_app.review.run import corrected_masks

    if (options.with_mask is None) == (not options.marks):
        options.usage_error("give either --with-mask, or marks such as --point 40,60")
    project = _project(options)
    if options.with_mask is not None:
        label = options.label or (project.classes[0] if len(project.classes) == 1 else None)
        if label is None:
            raise ConfigError(
                f"The project has the classes {', '.join(project.classes)}: say with --class which "
                "one the mask is of."
            )
        masks: Any = {label: read_mask(options.with_mask)}
    else:
        picture = project.state.picture(options.name)
        shape = picture.shape or read_image(project.path_of(picture)).shape
        marks = annotations_from_json(options.marks, (shape[0], shape[1]))
        masks = corrected_masks(
            project, _segmenter(options), options.name, marks, label=options.label
        )
    project.fix(options.name, masks, who=options.who, note=options.note)
    print(line_of(project, project.state.picture(options.name)))
    return 0


def export(options: argparse.Namespace) -> int:
    """Write the data set."""
    from vrpsam_app.objects.instances import ObjectOptions
    from vrpsam_app.review.export import FINISHED, export_dataset

    facts = export_dataset(
        _project(options),
        options.out,
        statuses=(*FINISHED, "waiting") if options.unreviewed else FINISHED,
        validation_share=options.validation,
        licence=options.licence,
        objects=None if options.objects is None else ObjectOptions.from_text(options.objects),
        overwrite=options.overwrite,
    )
    print(
        f"{facts.pictures} pictures ({facts.train} to learn from, {facts.validation} to check "
        f"with) in {options.out}; README.md there says how they were made"
    )
    return 0


def line_of(project: ReviewProject, picture: PictureState) -> str:
    """Say in one line what is known of a picture: of a fixed one, how large the drawn masks are."""
    if picture.status == "failed":
        return f"{picture.name}: failed: {picture.error}"
    by = f" by {picture.who}" if picture.status in ("accepted", "fixed", "rejected") else ""
    start = f"{picture.name}: {picture.status}{by}"
    if picture.status == "fixed":
        said = {
            label: f"{100 * mask.mean():.1f} % of pixels"
            for label, mask in project.masks_of(picture).items()
        }
    elif picture.certainty is None:
        return start
    else:
        start += f", certainty {picture.certainty:.2f}"
        said = {
            label: f"{'present' if finding.present else 'not present'}, "
            f"{100 * finding.share:.1f} % of pixels"
            for label, finding in picture.classes.items()
        }
    several = len(said) > 1
    return f"{start}: " + "; ".join(f"{k} {v}" if several else v for k, v in said.items())


def totals(project: ReviewProject) -> str:
    """Say how many pictures have each status."""
    statuses = [picture.status for picture in project.state.pictures()]
    counted = ", ".join(f"{statuses.count(s)} {s}" for s in STATUSES if s in statuses)
    return f"{len(statuses)} pictures: {counted}" if statuses else "no pictures"


def _project(options: argparse.Namespace) -> ReviewProject:
    from vrpsam_app.review.project import ReviewProject

    return ReviewProject(options.project)


def _segmenter(options: argparse.Namespace) -> ReferenceSegmenter:
    return build_method(
        options,
        lambda: segment.load_predictor(
            options.model,
            options.device,
            open_store(options),
            precision_of(options),
            compiled=options.compile,
        ),
    )


def _names(options: argparse.Namespace) -> list[str]:
    if not options.names:
        options.usage_error("give the names of pictures")
    return list(options.names)


def _add_segmenter(parser: argparse.ArgumentParser) -> None:
    add_model_options(parser, default="embedded")
    add_method_options(parser)
    add_store_options(parser, default="default")


def _add_person(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--who", metavar="NAME", help="who decides (default: who is logged in)")
    parser.add_argument("--note", default="", metavar="TEXT", help="why, for later")
