"""The embedded model's run: everything learns, from scenes and labelled pictures."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.frozen_module import learned_state
from vrpsam_app.models.load import load_model
from vrpsam_app.output_paths import prepare_folder
from vrpsam_app.training.batch_source import BatchPlan, SyntheticGroups, stream_batches
from vrpsam_app.training.checkpoints import save_model, with_training
from vrpsam_app.training.cut_fitting import train_cut_heads
from vrpsam_app.training.data_sources import GroupData, training_sources, validation_sources
from vrpsam_app.training.dense_training import RATE, RATE_AGAIN, DenseSchedule, train_dense
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.episode_sampler import EpisodeMix
from vrpsam_app.training.finished_run import FinishedRun
from vrpsam_app.training.objective import LossWeights
from vrpsam_app.training.quality_fitting import train_quality_head
from vrpsam_app.training.refiner_fitting import train_refiner
from vrpsam_app.training.run_manifest import begun_with, check_same_run
from vrpsam_app.training.trainer import Trainer, TrainingOptions
from vrpsam_app.training.training_run import TrainingRun
from vrpsam_app.training.validation import fixed_batches, mean_ious

DEFAULT_STEPS = 20_000
DENSE_STEPS = 16_000
VALIDATE_EVERY = 1000


def train_embedded(
    run: TrainingRun,
    model: EmbeddedVRPSAM,
    device: torch.device,
    report: Callable[[str], None],
) -> Path:
    """Train, judge, calibrate and write the model; see :func:`~vrpsam_app.training.run.train`."""
    data = [GroupData.of(given) for given in run.data]
    steps = DEFAULT_STEPS if run.steps is None else run.steps
    start, source = (None, None) if run.start_from is None else load_model(run.start_from)
    if start is not None:
        model.load_state_dict(start.state_dict())
    check_same_run(prepare_folder(run.folder), begun_with(run, run.config, source), report)
    options = TrainingOptions(
        steps=steps,
        cooldown=run.cooldown,
        accumulate=run.accumulate,
        learning_rate=run.learning_rate,
        precision=run.precision,
        seed=run.seed,
        loss=LossWeights().of(run.loss),
    )
    sources = training_sources(data, run.synthetic_share)
    tests = [("synthetic", SyntheticGroups()), *validation_sources(data)]
    mix = EpisodeMix() if run.marks is None else EpisodeMix().marked(run.marks)
    plan = BatchPlan(sources=sources, groups=run.groups, seed=run.seed, mix=mix)
    started = time.monotonic()

    def out_of_time() -> bool:
        return run.minutes is not None and time.monotonic() - started > run.minutes * 60

    facts: dict[str, object] = {
        "synthetic_share": run.synthetic_share if data else 1.0,
        "folders": [d.facts() for d in data],
        "learned_from": "procedural scenes" + (" and the folders' training parts" if data else ""),
    }
    if run.marks is not None:
        facts["marks"] = run.marks
    if start is not None:
        facts["start"] = dict(start.config.training)
    dense_steps = run.dense_steps
    if dense_steps is None:
        dense_steps = DENSE_STEPS if start is None else 0
    taught = train_dense(
        model,
        plan,
        run.folder,
        DenseSchedule(
            steps=dense_steps,
            rate=RATE if start is None else RATE_AGAIN,
            again=start is not None,
            precision=run.precision,
        ),
        workers=run.workers,
        device=device,
        report=report,
        until=out_of_time,
    )
    if taught:
        facts["dense_steps"] = taught
    if taught < dense_steps:
        return save_model(
            run.folder / "model", with_training(run.config, **facts), learned_state(model)
        )
    trainer = Trainer(model, options, run.folder, device=device)
    report(f"training on {device} from step {trainer.step}, {len(sources)} sources")

    @cache
    def checks() -> dict[str, EpisodeBatch]:
        return fixed_batches(tests)

    trainer.run(
        lambda first: stream_batches(plan, first, workers=run.workers),
        until=out_of_time,
        report=report,
        validate=lambda m: mean_ious(m, checks()),
        validate_every=run.validate_every or VALIDATE_EVERY,
    )
    if trainer.step < steps:
        return trainer.save_model(run.config, run.folder / "model", **facts)
    finished = FinishedRun(
        model, trainer.average.weights, plan, run.folder, run.workers, report, run.precision
    )
    train_cut_heads(finished, episodes=run.cut_episodes)
    train_refiner(finished, episodes=run.refined_episodes)
    threshold = train_quality_head(finished, episodes=run.quality_episodes)
    config = run.config
    if threshold is not None:
        config = dataclasses.replace(config, presence_threshold=round(threshold, 4))
    for folder in (run.folder / "model", run.export or run.folder / "model"):
        written = trainer.save_model(
            config,
            folder,
            **{
                **facts,
                "cut_episodes": run.cut_episodes,
                "refined_episodes": run.refined_episodes,
                "quality_episodes": run.quality_episodes,
            },
        )
    report(f"wrote {written}")
    return written
