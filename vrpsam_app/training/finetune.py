"""Go on training a model on a person's own images, and measure the gain on the rest of them."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hub_weights import REGISTRY, UnsafeNameError, check_file_name, models_folder
from vrpsam_app.config import ModelConfig
from vrpsam_app.data.episodes import FolderGroups
from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.data.folder_layout import Split, lists_both_parts
from vrpsam_app.devices import choose_device
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.evaluation.bootstrap import Interval, mean_interval
from vrpsam_app.evaluation.episode_drawing import build_episode_list
from vrpsam_app.evaluation.episode_list import EpisodeList
from vrpsam_app.evaluation.episode_reader import EpisodeReader, Format
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.frozen_module import learned_state
from vrpsam_app.models.load import load_model
from vrpsam_app.models.vrp_sam import VRPSAM
from vrpsam_app.option_text import check_number
from vrpsam_app.output_paths import prepare_folder
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.training.batch_source import BatchPlan, SyntheticGroups
from vrpsam_app.training.checkpoints import save_model, with_training, writing
from vrpsam_app.training.cut_fitting import train_cut_heads
from vrpsam_app.training.data_sources import Rephotographed
from vrpsam_app.training.dense_training import DenseSchedule, train_dense
from vrpsam_app.training.finished_run import FinishedRun
from vrpsam_app.training.run_manifest import check_same_run
from vrpsam_app.training.training_run import LEAST_RATE, MOST_SEED

FORMATS: tuple[Format, ...] = ("click", "box", "mask")
PARTS: tuple[Split, Split] = ("train", "val")
KEPT_SYNTHETIC = 0.2
"""Share of generated scenes among the batches: what the model knew is not to be forgotten."""

GROUPS = 3
"""Groups of pictures in a batch from which levels are learned."""

MOST_BY_ITSELF = 10
"""Fields of view that are learned from where nobody says how many."""

RUN_ENDING = ".run"
"""Of the folder, beside the new model's, of a run that is not at its end."""

# Options that a run may go on with otherwise: they change neither what is learned nor from what.
_FREE = frozenset({"name", "device", "workers", "episodes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finetuning:
    """What ``vrpsam finetune`` was asked for; the fields are its options.

    Attributes
    ----------
    folder : Path
        ``images/`` and ``masks/``.
    name : str
        Of the new model: a plain one that no known weights have.
    train_images : int, optional
        Fields of view to learn from; the rest measures. Pictures of one field stay together. Where
        ``splits.json`` lists pictures under both ``train`` and ``val``, they are chosen from the
        first, and the second measures. None: ten, or fewer where that would leave less than two to
        measure on.
    steps, learning_rate : int, float
        Of the dense encoder, which learns from fits on the folder's own pictures.
    cut_episodes : int
        Answers from which the heads that choose a level learn; with 0 they are left.

    Raises
    ------
    ConfigError
        If a number is out of its range.
    """

    folder: Path
    name: str
    model: str = "embedded"
    train_images: int | None = None
    one_image: bool = False
    upright: bool = False
    steps: int = 240
    learning_rate: float = 3e-4
    cut_episodes: int = 300
    precision: str = "fp32"
    device: str = "auto"
    workers: int = 1
    episodes: int = 40
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("train_images", "steps", "episodes"):
            check_number(self, name, 1, whole=True)
        for name in ("cut_episodes", "workers"):
            check_number(self, name, 0, whole=True)
        check_number(self, "seed", 0, MOST_SEED, whole=True)
        check_number(self, "learning_rate", LEAST_RATE)


@dataclass(frozen=True, slots=True)
class Gain:
    """Mean IoU on the pictures kept for measuring, before and after, and the paired difference."""

    format: Format
    before: float
    after: float
    difference: Interval


def divide(
    dataset: FolderDataset,
    train_images: int | None,
    seed: int,
    *,
    least: int = 2,
    least_left: int = 2,
) -> tuple[FolderDataset, FolderDataset]:
    """Divide a folder's pictures by field of view, in an order that depends on names and seed.

    Parameters
    ----------
    train_images : int, optional
        Fields to learn from; None as for :class:`Finetuning`.
    least, least_left : int
        Fields without which nothing can be learned, and fields to be left to measure on.

    Raises
    ------
    ConfigError
        If too few fields would be left to learn from or to measure on.
    """
    fields = sorted(
        set(dataset.fields.values()),
        key=lambda field: hashlib.blake2b(f"{seed}/{field}".encode(), digest_size=8).digest(),
    )
    if train_images is None:
        train_images = max(0, min(MOST_BY_ITSELF, len(fields) - least_left))
    if not least <= train_images <= len(fields) - least_left:
        alone = "" if least == 1 else ", or learn from each by itself with --one-image"
        raise ConfigError(
            f"{dataset.folder} has {len(fields)} fields of view to choose from, of which "
            f"{train_images} are to be learned from: expected at least {least} to learn from, and "
            f"{least_left} left to measure on, so at least {least + least_left} in all. Change "
            f"--train-images, add pictures{alone}."
        )
    chosen = set(fields[:train_images])
    parts = []
    for inside in (True, False):
        names = tuple(n for n in dataset.names if (dataset.fields[n] in chosen) == inside)
        parts.append(
            dataclasses.replace(
                dataset,
                names=names,
                groups={n: dataset.groups[n] for n in names},
                fields={n: dataset.fields[n] for n in names},
            )
        )
    return parts[0], parts[1]


def finetune(
    options: Finetuning, report: Callable[[str], None] | None = None
) -> tuple[Path, list[Gain]]:
    """Train on part of a folder, measure before and after on the rest, write the model.

    Returns
    -------
    folder : Path
        Of the new model; its name is known to every surface from now on.
    gains : list of Gain
        One per format that makes sense for the data.

    Raises
    ------
    OutputError
        If a model of that name exists, or nothing can be written where it would go.
    ConfigError
        If the name cannot be one, the folder cannot be divided, the model is not one that can be
        fine-tuned, or a stopped run of that name was begun otherwise.
    """
    report = report or (lambda line: print(line, flush=True))
    folder = _new_folder(options.name)
    learned, kept = _parts(options)
    device = choose_device(options.device)
    model, source = load_model(options.model)
    if not isinstance(model, EmbeddedVRPSAM):
        raise ConfigError(
            f"{options.model!r} is a {type(model).__name__}: expected a model with a shared "
            "backbone, as the embedded one. Fine-tune that."
        )
    questions = build_episode_list(
        kept, options.seed, options.episodes, one_image=options.one_image
    )
    plan = _plan(learned, options)
    # A run that is stopped goes on when the same command is given again.
    run = prepare_folder(folder.with_name(options.name + RUN_ENDING))
    check_same_run(run, _decisive(options, learned, source.sha256), report)
    before = _measure(model, source.sha256, kept, questions, device)
    report(
        f"{len(learned)} pictures to learn from, {len(kept)} to measure on; "
        f"before: {_words(before)}"
    )
    taught = _teach(model.to(device), plan, options, run, report)
    after = _measure(taught.model(), "finetuned", kept, questions, device)
    asked = [episode.question(1) for episode in questions.episodes]
    gains = [
        Gain(
            name,
            float(np.mean(before[name])),
            float(np.mean(after[name])),
            mean_interval(
                np.subtract(after[name], before[name]), questions=asked, seed=options.seed
            ),
        )
        for name in before
    ]
    written = save_model(
        run / "model", _config(model.config, learned, options, gains), taught.weights
    )
    # Whole or not at all: what has the model's name is a model.
    with writing(folder):
        written.rename(folder)
    shutil.rmtree(run)
    return folder, gains


def _parts(options: Finetuning) -> tuple[FolderDataset, FolderDataset]:
    """Open what to learn from and to measure on: as the folder's lists say, where it has both."""
    least = 1 if options.one_image else 2
    wanted = (options.train_images, options.seed)
    if not lists_both_parts(options.folder):
        return divide(FolderDataset.open(options.folder, None), *wanted, least=least)
    listed, kept = (
        FolderDataset.open(options.folder, part, leave_out_restricted=False) for part in PARTS
    )
    learned, _ = divide(listed, *wanted, least=least, least_left=0)
    return learned, kept


def _new_folder(name: str) -> Path:
    """Return where a new model of this name goes; nothing is made."""
    try:
        check_file_name(name, where="--name")
    except UnsafeNameError as error:
        raise ConfigError(
            f"{name!r} cannot be the name of a model: expected a plain one, such as nuclei, and no "
            "path."
        ) from error
    if name in REGISTRY or name.endswith(RUN_ENDING):
        raise ConfigError(
            f"{name!r} cannot be the name of a new model: it names weights that the program knows, "
            f"or ends in {RUN_ENDING} as folders of unfinished runs do. Choose another."
        )
    folder = models_folder() / name
    if folder.exists():
        raise OutputError(f"{folder} exists already: choose another name, or remove it first.")
    return folder


def _decisive(options: Finetuning, learned: FolderDataset, sha256: str) -> dict[str, object]:
    """Return what a run that is stopped has to go on with, as JSON values."""
    asked = {k: v for k, v in dataclasses.asdict(options).items() if k not in _FREE}
    return {
        **asked,
        "folder": str(options.folder.resolve()),
        "model": sha256,
        "train_images": list(learned.names),
    }


def _plan(learned: FolderDataset, options: Finetuning) -> BatchPlan:
    """Return what batches are made of."""
    own = FolderGroups(learned, one_image=options.one_image, upright=options.upright)
    return BatchPlan(
        sources=[(Rephotographed(own), 1 - KEPT_SYNTHETIC), (SyntheticGroups(), KEPT_SYNTHETIC)],
        groups=GROUPS,
        seed=options.seed,
    )


def _teach(
    model: EmbeddedVRPSAM,
    plan: BatchPlan,
    options: Finetuning,
    folder: Path,
    report: Callable[[str], None],
) -> FinishedRun:
    """Teach what answers rest on most: the dense encoder, and then where to cut what it gives."""
    train_dense(
        model,
        plan,
        folder,
        DenseSchedule(
            steps=options.steps,
            rate=options.learning_rate,
            warmup=max(1, options.steps // 8),
            naming=0.0,
            again=True,
            precision=options.precision,
        ),
        workers=options.workers,
        device=next(model.parameters()).device,
        report=report,
    )
    weights = {name: value.clone() for name, value in learned_state(model).items()}
    taught = FinishedRun(model, weights, plan, folder, options.workers, report)
    train_cut_heads(taught, episodes=options.cut_episodes)
    return taught


def _measure(
    model: VRPSAM[Any, Any],
    sha256: str,
    dataset: FolderDataset,
    questions: EpisodeList,
    device: torch.device,
) -> dict[Format, list[float]]:
    """Return the IoU of every question, by format."""
    predictor = VRPSAMPredictor(model, device=device, sha256=sha256)
    reader = EpisodeReader(dataset)
    found: dict[Format, list[float]] = {}
    for name in (f for f in FORMATS if f in reader.formats):
        found[name] = []
        for episode in questions.episodes:
            question = reader.to_references(episode, name)
            mask = predictor.predict(question.target, question.references).mask
            known = ~question.ignored
            found[name].append(iou(mask & known, question.truth & known))
    return found


def _config(
    config: ModelConfig, learned: FolderDataset, options: Finetuning, gains: Sequence[Gain]
) -> ModelConfig:
    """Name the new model and keep in it what it learned and what was measured."""
    named = dataclasses.replace(
        config,
        name=options.name,
        training={"start": dict(config.training)},
        metrics={"finetuning": {g.format: dataclasses.asdict(g) for g in gains}},
    )
    names = ("steps", "learning_rate", "cut_episodes", "seed")
    facts = {name: getattr(options, name) for name in names}
    return with_training(named, finetuned_on=learned.name, pictures=list(learned.names), **facts)


def _words(figures: dict[Format, list[float]]) -> str:
    return ", ".join(f"{name} {np.mean(values):.3f}" for name, values in figures.items())
