"""A small model whose schedule has ended, and what a stage after it may do to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from tests.vrpsam_app.training.small_model import SMALL
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.frozen_module import learned_state
from vrpsam_app.training.batch_source import BatchPlan
from vrpsam_app.training.finished_run import FinishedRun


def silent(line: str) -> None:
    """Swallow a progress line."""


def finished(folder: Path, plan: BatchPlan, report: Callable[[str], None] = silent) -> FinishedRun:
    """A run of a small model, the same each time."""
    torch.manual_seed(0)
    model = EmbeddedVRPSAM(SMALL)
    weights = {k: v.detach().clone() for k, v in learned_state(model).items()}
    folder.mkdir(parents=True, exist_ok=True)
    return FinishedRun(model, weights, plan, folder, workers=0, report=report)


def weights(run: FinishedRun) -> dict[str, Tensor]:
    """Its averaged weights as they are now."""
    return {k: v.clone() for k, v in run.weights.items()}


def changed_parts(before: dict[str, Tensor], run: FinishedRun) -> set[str]:
    """Parts of the model whose averaged weights are others than before."""
    after = run.weights
    assert set(after) == set(before)
    return {k.split(".")[0] for k, v in after.items() if not torch.equal(v, before[k])}


def assert_kept(folder: Path, plan: BatchPlan, stage: Callable[[FinishedRun], object]) -> None:
    """A stage that is taken up again says nothing and gives what it gave."""
    first = finished(folder, plan)
    found = stage(first)
    lines: list[str] = []
    again = finished(folder, plan, lines.append)
    assert stage(again) == found
    assert not lines
    for name, value in first.weights.items():
        assert torch.equal(value, again.weights[name])
