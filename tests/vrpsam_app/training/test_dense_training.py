"""The dense encoder learns names, can be stopped at any step, and ends in the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.vrpsam_app.training.small_model import SMALL, read_elsewhere
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.training import dense_batches, dense_training
from vrpsam_app.training.batch_source import BatchPlan, SyntheticGroups
from vrpsam_app.training.dense_batches import DensePlan
from vrpsam_app.training.dense_kinds import DenseKinds
from vrpsam_app.training.dense_training import (
    DenseLearner,
    DenseSchedule,
    naming_loss,
    train_dense,
)

SOURCE = SyntheticGroups()


@pytest.fixture(autouse=True)
def small_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense_batches, "SIZES", ((64, 1.0),))
    monkeypatch.setattr(dense_batches, "GROUPS", 1)
    monkeypatch.setattr(dense_training, "SAVE_EVERY", 2)
    monkeypatch.setattr(dense_training, "SAY_EVERY", 2)


def taught(
    folder: Path, steps: int, again: EmbeddedVRPSAM | None = None, **schedule: Any
) -> tuple[EmbeddedVRPSAM, list[str]]:
    torch.manual_seed(1)
    model: EmbeddedVRPSAM = again or EmbeddedVRPSAM(SMALL)
    said: list[str] = []
    train_dense(
        model,
        BatchPlan(sources=[(SOURCE, 1.0)]),
        folder,
        DenseSchedule(steps=steps, again=again is not None, **schedule),
        workers=0,
        device=torch.device("cpu"),
        report=said.append,
    )
    return model, said


def test_a_stopped_run_ends_like_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir()
    stopped.mkdir()
    expected, said = taught(whole, 4)
    assert any(line.startswith("dense 4/4 naming") for line in said)
    saved = dense_training.save_state

    def killed(path: Path, state: dict[str, object]) -> None:
        saved(path, state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(dense_training, "save_state", killed)
        with pytest.raises(KeyboardInterrupt):
            taught(stopped, 4)
    read_elsewhere(stopped / "dense.pt")
    model, said = taught(stopped, 4)
    assert "from step 2 of 4" in said[0]
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name], rtol=1e-5, atol=1e-6)


def test_what_was_learned_is_in_the_model(tmp_path: Path) -> None:
    untaught, _ = taught(tmp_path, 0)
    model, _ = taught(tmp_path, 2)
    parts = [(m.dense_encoder.state_dict(), m.dense_prior.state_dict()) for m in (untaught, model)]
    for before, after in zip(*parts, strict=True):
        assert any(not torch.equal(before[name], after[name]) for name in before)
    assert not any(p.requires_grad for p in model.dense_encoder.parameters())
    others = {k for k in model.state_dict() if "dense" not in k}
    assert all(torch.equal(untaught.state_dict()[k], model.state_dict()[k]) for k in others)


def test_an_encoder_that_was_taught_goes_on(
    tmp_path: Path,
) -> None:
    first, further = tmp_path / "first", tmp_path / "further"
    first.mkdir()
    further.mkdir()
    model, _ = taught(first, 3)
    before = {name: value.clone() for name, value in model.dense_encoder.state_dict().items()}
    taught(further, 2, again=model, rate=1e-6)
    for name, value in model.dense_encoder.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0.05, atol=5e-3)
    assert any(
        not torch.equal(before[name], value)
        for name, value in model.dense_encoder.state_dict().items()
    )


def test_fits_alone_teach_as_well(tmp_path: Path) -> None:
    named, alone = tmp_path / "named", tmp_path / "alone"
    named.mkdir()
    alone.mkdir()
    model, _ = taught(named, 2)
    other, said = taught(alone, 2, naming=0.0)
    assert not any("naming" in line for line in said)
    weights = [m.dense_encoder.state_dict() for m in (model, other)]
    assert any(not torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_names_and_fits_can_be_learned() -> None:
    kinds = DenseKinds.of([SOURCE])
    batch = DensePlan.like(BatchPlan(sources=[(SOURCE, 1.0)]), kinds).batch(1)
    torch.manual_seed(0)
    learner = DenseLearner(8, len(kinds))
    optimizer = torch.optim.Adam([p for p in learner.parameters() if p.requires_grad], 1e-2)
    seen = []
    for _ in range(15):
        named, fitted = learner.losses(batch)
        optimizer.zero_grad()
        (named + fitted).backward()
        optimizer.step()
        seen.append((float(named.detach()), float(fitted.detach())))
    assert seen[-1][0] < 0.6 * seen[0][0]
    assert seen[-1][1] < 0.9 * seen[0][1]


def test_what_labels_do_not_tell_is_not_judged() -> None:
    kinds = DenseKinds.of([SOURCE])
    batch = DensePlan.like(BatchPlan(sources=[(SOURCE, 1.0)]), kinds).batch(1)
    logits = torch.randn(batch.shares.shape)
    changed = torch.where(batch.taught[:, :, None, None] > 0, logits, -logits)
    assert torch.equal(naming_loss(logits, batch), naming_loss(changed, batch))
    assert float(naming_loss(-logits, batch)) != float(naming_loss(logits, batch))
    right = (batch.shares * 2 - 1) * 20
    assert float(naming_loss(right, batch)) < 0.2 * float(naming_loss(-right, batch))
