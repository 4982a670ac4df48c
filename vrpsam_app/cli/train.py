"""``vrpsam train``: make a model from scenes and labelled pictures, or one of the paper's."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vrpsam_app.data.folder_layout import SPLITS_EXAMPLE
from vrpsam_app.errors import ConfigError
from vrpsam_app.training.presets import PRESETS, Preset, paper_run
from vrpsam_app.training.training_run import TrainingRun

if TYPE_CHECKING:
    from vrpsam_app.config import ModelConfig
    from vrpsam_app.data.data_words import DataWords

ENCODERS = ("resnet50_v2", "resnet101_v2", "resnet50", "vgg16_bn", "dinov2_b14")

# Options that are fields of the run; those that are not given keep the preset's value.
_PLAIN = TrainingRun(config=PRESETS["embedded"].config, folder=Path())
_FIELDS = frozenset(f.name for f in dataclasses.fields(TrainingRun)) - {"config", "folder", "data"}


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command."""
    parser = commands.add_parser(
        "train",
        help="train a model, or go on with a run that was stopped",
        description="Train a model. The run's folder holds all that is needed to go on: give the "
        "same command again.",
        epilog="example: vrpsam train --preset paper-coco --data COCO2014 --fold 0 "
        "--sam sam_vit_h_4b8939.pth --backbone resnet50_v2.pth --precision bf16",
    )
    parser.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        default="embedded",
        help="the small model, or the paper's on COCO-20i or PASCAL-5i (default: %(default)s)",
    )
    parser.add_argument(
        "--run",
        dest="run_folder",
        type=Path,
        metavar="FOLDER",
        help="state, log, curves and model of the run (default: runs/PRESET, with "
        "--fold runs/PRESET-foldN)",
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="FOLDER[,one-image][,upright][,weight=N]",
        help="labelled folder: images/, masks/, and splits.json with the names of the pictures to "
        f"learn from and to measure on, such as {SPLITS_EXAMPLE}; may be given several times; with "
        "--fold the root of COCO or PASCAL VOC",
    )
    parser.add_argument(
        "--steps",
        type=_positive_or_zero,
        help="length of the schedule (default: 20000; for the paper's models what --epochs gives)",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        help="stop after so long before the schedule's end, and go on another time; the stages "
        "after it are not cut short",
    )
    parser.add_argument(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help=f"highest of the schedule (default: {_by_preset('learning_rate')})",
    )
    parser.add_argument(
        "--accumulate",
        type=_positive,
        metavar="N",
        help=f"batches whose gradients make one step {_default('accumulate')}",
    )
    parser.add_argument(
        "--precision",
        choices=("fp32", "bf16"),
        help="in which it computes: bf16 is faster where the processor or graphics card has it "
        f"{_default('precision')}",
    )
    parser.add_argument("--device", help=f"auto, cpu, cuda or mps {_default('device')}")
    parser.add_argument(
        "--workers",
        type=_positive_or_zero,
        help=f"processes that draw the pictures {_default('workers')}",
    )
    parser.add_argument("--threads", type=_positive, help="threads of the computation on a CPU")
    parser.add_argument(
        "--seed",
        type=_positive_or_zero,
        help=f"of everything that is drawn (default: {_by_preset('seed')})",
    )
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="FOLDER",
        help="model whose weights a new run begins with",
    )
    parser.add_argument(
        "--export", type=Path, metavar="FOLDER", help="also write the model there at the end"
    )
    parser.add_argument(
        "--license",
        "--licence",
        metavar="SPDX",
        help=f"of the model, such as cc-by-4.0; without one it is not published {_by_licence()}",
    )
    parser.add_argument(
        "--validate-every",
        type=_positive,
        metavar="STEPS",
        help="look at other pictures (default: 1000; for the paper's models an epoch)",
    )
    _add_variants(parser)
    _add_embedded(parser)
    _add_paper(parser)
    parser.set_defaults(run=run)
    return parser


def _add_variants(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("variants, as the paper's tables compare them")
    group.add_argument(
        "--marks",
        choices=("mask", "box", "scribble", "point", "mix"),
        help="how references are marked (default: mask for the paper's models, else a mix)",
    )
    group.add_argument("--loss", choices=("bce", "dice", "both"), help="Table 5 (default: both)")
    group.add_argument(
        "--queries", type=_positive, metavar="N", help="prompts of a reference, Figure 6"
    )
    group.add_argument(
        "--query-init",
        choices=("random", "foreground", "background", "half"),
        help="of the paper's models: what queries start from, Table 6: learned vectors, or the "
        "reference's prototypes (default: random)",
    )


def _add_embedded(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the embedded model")
    group.add_argument(
        "--synthetic-share",
        type=float,
        metavar="SHARE",
        help=f"scenes beside data {_default('synthetic_share')}",
    )
    group.add_argument(
        "--dense-steps",
        type=_positive_or_zero,
        metavar="STEPS",
        help="at the beginning, of the encoder that learns what labels name (default: 16000; none "
        "with --start-from, whose encoder goes on where it is given)",
    )
    group.add_argument(
        "--groups", type=_positive, help=f"groups of pictures per batch {_default('groups')}"
    )
    group.add_argument(
        "--cooldown",
        type=_positive,
        metavar="STEPS",
        help="at the end, over which the learning rate falls (default: a cosine over all)",
    )
    group.add_argument(
        "--cut-episodes",
        type=_positive_or_zero,
        metavar="N",
        help="near the end: answers from which it learns at which level masks end "
        f"{_default('cut_episodes')}",
    )
    group.add_argument(
        "--refined-episodes",
        type=_positive_or_zero,
        metavar="N",
        help=f"after that: answers from which it learns to correct them "
        f"{_default('refined_episodes')}",
    )
    group.add_argument(
        "--quality-episodes",
        type=_positive_or_zero,
        metavar="N",
        help=f"at the end: answers from which it learns to judge them "
        f"{_default('quality_episodes')}",
    )


def _add_paper(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the paper's models")
    group.add_argument("--fold", type=int, choices=range(4), help="whose classes are left out")
    group.add_argument(
        "--novel",
        choices=("excluded", "background"),
        default="excluded",
        help="training pictures that show a left-out class (default: %(default)s)",
    )
    group.add_argument(
        "--sam", type=Path, metavar="FILE", help="SAM's weights: .pth or .safetensors, or a folder"
    )
    group.add_argument("--backbone", type=Path, metavar="FILE", help="weights of the backbone")
    group.add_argument("--encoder", choices=ENCODERS, help="the backbone (default: resnet50_v2)")
    group.add_argument(
        "--mask-pooling",
        choices=("nearest", "area"),
        help="how marks reach the feature grid: nearest as published, which loses small marks, or "
        "area, which keeps them (default: nearest)",
    )
    group.add_argument(
        "--epochs",
        type=_positive,
        help="passes over the pictures, where --steps does not say it (default: "
        f"{_by_preset('epochs', papers_only=True)})",
    )
    group.add_argument("--batch", type=_positive, metavar="N", help="pairs per batch (default: 8)")
    group.add_argument(
        "--store", type=Path, metavar="FOLDER", help="keep SAM's embeddings there between runs"
    )
    group.add_argument(
        "--store-bytes",
        type=_bytes,
        metavar="SIZE",
        help="memory for embeddings, such as 4G; 0 computes them each time (default: 4G)",
    )
    group.add_argument(
        "--store-disk-bytes", type=_bytes, metavar="SIZE", help="of that folder (default: 200G)"
    )
    group.add_argument(
        "--store-parts",
        choices=("sam", "all"),
        help="keep the backbone's maps too, twenty times larger (default: sam)",
    )
    group.add_argument(
        "--validation-episodes",
        type=_positive_or_zero,
        metavar="N",
        help=f"pairs looked at {_default('validation_episodes')}",
    )
    group.add_argument(
        "--keep",
        choices=("last", "best"),
        help="the last weights, or the best on the left-out classes as published (default: last)",
    )


def run(options: argparse.Namespace) -> int:
    """Train and save."""
    from vrpsam_app.training.run import train

    train(training_run(options))
    return 0


def training_run(options: argparse.Namespace) -> TrainingRun:
    """Return what the options ask for.

    Raises
    ------
    ConfigError, WeightsError
        If they do not go together, or the file of SAM's weights cannot be read.
    """
    from vrpsam_app.data.data_words import DataWords

    preset = PRESETS[options.preset]
    fold = "" if options.fold is None else f"-fold{options.fold}"
    folder = options.run_folder or Path("runs") / f"{options.preset}{fold}"
    asked = {name: getattr(options, name, None) for name in _FIELDS}
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    config = _config(preset.config, options)
    words = [DataWords.parse(text) for text in options.data]
    if options.fold is None:
        _check_layout(preset, words)
        fields = {**preset.settings, **given}
        return TrainingRun(config=config, folder=folder, data=tuple(words), **fields)
    if preset.benchmark is not None and (
        len(words) != 1 or not {"sam", "backbone"} <= given.keys()
    ):
        raise ConfigError(
            f"--fold trains {options.preset} on the folds of one data set: expected one --data "
            "with its root, --sam and --backbone."
        )
    weights = {part: given.pop(part, Path()) for part in ("sam", "backbone")}
    return paper_run(
        options.preset,
        words[0].folder if words else Path(),
        options.fold,
        folder,
        novel=options.novel,
        **weights,
        **given,
        config=config,
    )


def _config(config: ModelConfig, options: argparse.Namespace) -> ModelConfig:
    """Change what the options say of the model; which SAM it is its file knows."""
    changes = {
        "semantic_encoder": options.encoder,
        "mask_pooling": options.mask_pooling,
        "num_queries": options.queries,
        "query_init": options.query_init,
    }
    encoder = dataclasses.replace(
        config.vrp_encoder, **{k: v for k, v in changes.items() if v is not None}
    )
    sam = config.sam
    if options.sam is not None:
        from vrpsam_app.models.foundation import sam_config_of, weight_file

        sam = sam_config_of(weight_file(options.sam))
        encoder = dataclasses.replace(encoder, hidden_dim=sam.prompt_dim)
    licence = config.license if options.license is None else options.license
    return dataclasses.replace(config, sam=sam, vrp_encoder=encoder, license=licence)


def _check_layout(preset: Preset, words: list[DataWords]) -> None:
    """Say what is missing where a benchmark's root is given without its fold."""
    for data in words:
        labelled = data.benchmark is not None or (data.folder / "masks").is_dir()
        if preset.benchmark is not None and not labelled:
            raise ConfigError(
                f"{data.folder} is no labelled folder (images/, masks/): for the root of a "
                "benchmark give --fold as well."
            )


def _default(field: str) -> str:
    """Say what a run takes where an option is not given."""
    return f"(default: {getattr(_PLAIN, field)})"


def _by_licence() -> str:
    """Say which licence each preset's model has where none is given."""
    named = (f"{preset.config.license} {name}" for name, preset in PRESETS.items())
    return f"(default: {', '.join(named)})"


def _by_preset(field: str, *, papers_only: bool = False) -> str:
    """Say what each preset takes where an option is not given."""
    return ", ".join(
        f"{preset.settings.get(field, getattr(_PLAIN, field)):g} {name}"
        for name, preset in PRESETS.items()
        if preset.benchmark is not None or not papers_only
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a positive whole number")
    return int(text)


def _positive_or_zero(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 0")
    return int(text)


def _bytes(text: str) -> int:
    powers = {"K": 10, "M": 20, "G": 30, "T": 40}
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].isalpha() else (text, "")
    if not number.isdecimal() or unit not in {"", *powers}:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a size such as 500M or 4G")
    return int(number) << powers.get(unit, 0)
