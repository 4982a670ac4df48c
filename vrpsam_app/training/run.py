"""One training run from its options: data, model, trainer, and the model folder at the end."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from vrpsam_app.config import ModelConfig
from vrpsam_app.devices import choose_device
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.load import load_model
from vrpsam_app.training.batch_source import BatchPlan, SyntheticGroups, stream_batches
from vrpsam_app.training.calibration import calibration_batches, presence_threshold
from vrpsam_app.training.data_sources import (
    FolderWords,
    training_sources,
    validation_sources,
)
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.quality import train_quality
from vrpsam_app.training.trainer import Trainer, TrainingOptions
from vrpsam_app.training.validation import fixed_batches, mean_ious


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """What ``vrpsam train`` was asked for; the fields are its options."""

    config: ModelConfig
    folder: Path
    data: tuple[str, ...] = ()
    synthetic_share: float = 0.5
    steps: int = 20_000
    minutes: float | None = None
    groups: int = 5
    quality_steps: int = 400
    learning_rate: float = 1e-3
    precision: str = "fp32"
    device: str = "auto"
    workers: int = 1
    threads: int | None = None
    seed: int = 0
    start_from: Path | None = None
    export: Path | None = None


def train(run: TrainingRun, report: Callable[[str], None] | None = None) -> Path:
    """Train, or go on training, and write the model.

    Parameters
    ----------
    run : TrainingRun
    report : callable, optional
        Receives progress lines; printed by default.

    Returns
    -------
    folder : Path
        Of the model written last.

    Raises
    ------
    ConfigError
        If a data folder cannot be used.
    DeviceError, WeightsError
        If the device or the model to start from is not there.
    """
    report = report or (lambda line: print(line, flush=True))
    if run.threads:
        torch.set_num_threads(run.threads)
    device = choose_device(run.device)
    words = [FolderWords.parse(text) for text in run.data]
    torch.manual_seed(run.seed)
    model = EmbeddedVRPSAM(run.config)
    if run.start_from is not None:
        model.load_state_dict(load_model(run.start_from)[0].state_dict())
    options = TrainingOptions(
        steps=run.steps,
        learning_rate=run.learning_rate,
        precision=run.precision,
        seed=run.seed,
    )
    trainer = Trainer(model, options, run.folder, device=device)
    sources = training_sources(words, run.synthetic_share)
    plan = BatchPlan(sources=sources, groups=run.groups, seed=run.seed)
    report(f"training on {device} from step {trainer.step}, {len(sources)} sources")
    started = time.monotonic()

    @cache
    def checks() -> dict[str, EpisodeBatch]:
        return fixed_batches([("synthetic", SyntheticGroups()), *validation_sources(words)])

    def out_of_time() -> bool:
        return run.minutes is not None and time.monotonic() - started > run.minutes * 60

    trainer.run(
        lambda step: stream_batches(plan, step, workers=run.workers),
        until=out_of_time,
        report=report,
        validate=lambda m: mean_ious(m, checks()),
    )
    facts = {
        "synthetic_share": run.synthetic_share if words else 1.0,
        "folders": [w.facts() for w in words],
        "learned_from": "procedural scenes" + (" and the folders' training parts" if words else ""),
    }
    if trainer.step < run.steps:
        return trainer.save_model(run.config, run.folder / "model", **facts)
    judged = train_quality(
        trainer,
        plan,
        run.folder / "quality",
        steps=run.quality_steps,
        workers=run.workers,
        report=report,
    )
    batches = calibration_batches(SyntheticGroups())
    threshold = judged.averaged(lambda m: presence_threshold(m, batches))
    config = dataclasses.replace(run.config, presence_threshold=round(threshold, 4))
    for folder in (run.folder / "model", run.export or run.folder / "model"):
        written = judged.save_model(
            config, folder, **{**facts, "steps": run.steps, "quality_steps": run.quality_steps}
        )
    report(f"wrote {written}")
    return written
