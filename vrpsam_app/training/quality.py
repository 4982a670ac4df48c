"""The last stage of a run: only the head that judges masks learns, many objects being absent.

Masks do not change any more. So the head sees the errors of the finished model and not those of its
youth, and it can be shown as many absent objects as it needs without making the model timid.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from vrpsam_app.training.batch_source import BatchPlan, stream_batches
from vrpsam_app.training.objective import LossWeights
from vrpsam_app.training.trainer import Trainer

ONLY_QUALITY = LossWeights(bce=0.0, dice=0.0, prior=0.0, score=2.0, presence=1.0)


def train_quality(
    trained: Trainer,
    plan: BatchPlan,
    folder: Path,
    *,
    steps: int,
    workers: int,
    report: Callable[[str], None],
) -> Trainer:
    """Train the quality head of a finished run's averaged model.

    Parameters
    ----------
    trained : Trainer
        Its averaged weights are the model from here on.
    plan : BatchPlan
        What the run learned from; half of the episodes get a target without the object.
    folder : Path
        State and log of this stage, which resumes like any run.

    Returns
    -------
    trainer : Trainer
        Holds the model to save.
    """
    model = trained.model
    model.load_state_dict(trained.average.weights)
    model.requires_grad_(False)
    model.quality_head.requires_grad_(True)
    mix = dataclasses.replace(
        plan.mix, absent=0.5, foreign=0.35, clicks=0.0, same_image=0.0, background=0.05
    )
    options = dataclasses.replace(
        trained.options,
        steps=steps,
        learning_rate=2e-3,
        warmup=min(20, max(steps, 1)),
        cooldown=None,
        decay=0.98,
        loss=ONLY_QUALITY,
    )
    trainer = Trainer(model, options, folder, device=trained.device)
    harder = dataclasses.replace(plan, mix=mix, seed=plan.seed + 1)
    trainer.run(lambda step: stream_batches(harder, step, workers=workers), report=report)
    return trainer
