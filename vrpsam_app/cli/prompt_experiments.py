"""``vrpsam prompt-experiments``: what learned prompts are worth, on four kinds of data."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from vrpsam_app.cli.learn_prompts import add_fit_options, add_model_options, open_model
from vrpsam_app.errors import ConfigError

if TYPE_CHECKING:
    from vrpsam_app.methods.prompted_pictures import PromptedModel
    from vrpsam_app.reproduction.prompt_tasks import PromptTask

EXPERIMENTS = ("faces", "banners", "plates", "scenes")


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "prompt-experiments",
        allow_abbrev=False,
        help="measure what learned prompts are worth",
        description="Learn prompts from a few pictures, with and without boundary point matching, "
        "and compare them with the same clicks and boxes untrained. faces: parts of faces of "
        "CelebAMask-HQ. banners: cut-outs pasted on backgrounds. plates: objects of which boxes "
        "are known, made into masks by the SAM. scenes: generated ones, which need no data. "
        "Writes JSON and Markdown.",
        epilog="example: vrpsam prompt-experiments faces --data CelebAMask-HQ --sam sam_vit_b "
        "--test-sam sam_vit_l",
    )
    parser.add_argument("experiment", choices=EXPERIMENTS, help="which one, see above")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="faces: CelebAMask-HQ; plates: images/ with annotations/ or labels/; banners: "
        "labelled photographs to ask about, optional",
    )
    parser.add_argument(
        "--cut-outs",
        type=Path,
        metavar="FOLDER",
        help="banners: pictures with transparency, or a labelled folder to cut from",
    )
    parser.add_argument(
        "--backgrounds", type=Path, metavar="FOLDER", help="banners: pictures to paste on"
    )
    parser.add_argument(
        "--parts", nargs="+", metavar="NAME", help="faces: parts that are learned, a task each"
    )
    parser.add_argument(
        "--worlds", nargs="+", metavar="NAME", help="scenes: what they show, a task each"
    )
    parser.add_argument("--label", metavar="NAME", help="plates: boxes with this label only")
    add_model_options(parser)
    parser.add_argument(
        "--test-sam",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="other SAMs, asked with what was learned on the first",
    )
    parser.add_argument(
        "--train-images", type=int, default=8, metavar="N", help="to learn from (default: 8)"
    )
    parser.add_argument(
        "--asked", type=int, default=8, metavar="N", help="pictures asked about (default: 8)"
    )
    add_fit_options(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results/prompts"),
        metavar="FOLDER",
        help="results go there (default: %(default)s)",
    )
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Learn, ask, and print the table."""
    from vrpsam_app.methods.prompt_fit import PromptFitSettings
    from vrpsam_app.methods.prompted_pictures import PromptedSAM
    from vrpsam_app.methods.sam_pictures import SAMPictures
    from vrpsam_app.reproduction.prompt_experiments import run_experiment

    if min(options.train_images, options.asked) < 1:
        raise ConfigError(
            f"--train-images {options.train_images}, --asked {options.asked}: expected at least "
            "one of each."
        )
    first = open_model(options)
    models: dict[str, PromptedModel] = {str(first.describe()["model"]): first}
    for path in options.test_sam:
        models[path.stem] = PromptedSAM(SAMPictures.from_file(path, device=options.device))
    outcome = run_experiment(
        options.experiment,
        _tasks(options, first),
        models,
        settings=PromptFitSettings(
            kinds=tuple(options.kinds),
            steps=options.steps,
            learning_rate=options.learning_rate,
            seed=options.seed,
        ),
        command=f"vrpsam {shlex.join(options.typed)}",
        folder=options.out,
        report=lambda line: print(line, flush=True),
    )
    print(outcome.to_markdown())
    for kind, path in outcome.write(options.out).items():
        print(f"{kind}: {path}")
    return 0


def _tasks(options: argparse.Namespace, model: PromptedModel) -> Iterable[PromptTask]:
    from vrpsam_app.reproduction.prompt_tasks import (
        FACE_PARTS,
        WORLDS,
        banner_task,
        cut_outs_of,
        face_tasks,
        plate_task,
        scene_tasks,
    )

    amount = {"images": options.train_images, "asked": options.asked}
    if options.experiment == "scenes":
        return scene_tasks(**amount, worlds=options.worlds or WORLDS, seed=options.seed)
    if options.experiment == "faces":
        return face_tasks(_given(options, "data"), **amount, parts=options.parts or FACE_PARTS)
    if options.experiment == "plates":
        converted = options.out / "plates" / (options.label or "all")
        return [
            plate_task(
                _given(options, "data"),
                converted,
                model,
                **amount,
                label=options.label,
                seed=options.seed,
            )
        ]
    return [
        banner_task(
            cut_outs_of(_given(options, "cut_outs")),
            _given(options, "backgrounds"),
            options.out / "banners",
            **amount,
            photos=options.data,
            seed=options.seed,
        )
    ]


def _given(options: argparse.Namespace, name: str) -> Path:
    path: Path | None = getattr(options, name)
    if path is None:
        raise ConfigError(
            f"{options.experiment} needs --{name.replace('_', '-')}: give the folder with the data."
        )
    return path
