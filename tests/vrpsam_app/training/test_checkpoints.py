"""Files of a run: written whole, or not at all and said so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from vrpsam_app.config import EMBEDDED_CONFIG
from vrpsam_app.errors import OutputError
from vrpsam_app.training import checkpoints
from vrpsam_app.training.checkpoints import MovingAverage, load_state, save_model, save_state


def fail(*arguments: object) -> None:
    """Stand for a disk that is full."""
    raise OSError(28, "No space left on device")


def test_a_state_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"step": 1})
    monkeypatch.setattr(checkpoints.os, "fsync", fail)
    with pytest.raises(OutputError, match=r"state\.pt cannot be written \(No space left"):
        save_state(path, {"step": 2})
    assert load_state(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_model_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {"weight": torch.zeros(1)}
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        save_model(tmp_path / "file" / "model", EMBEDDED_CONFIG, weights)
    monkeypatch.setattr(checkpoints, "write_sums", fail)
    with pytest.raises(OutputError, match=r"model cannot be written \(No space left"):
        save_model(tmp_path / "model", EMBEDDED_CONFIG, weights)
    assert not list(tmp_path.glob("model/*.part"))


@pytest.mark.parametrize(("step", "kept"), [(0, 0.1), (90, 0.91), (10**6, 0.999)])
def test_an_average_follows_at_once_and_then_slowly(step: int, kept: float) -> None:
    model = nn.Linear(2, 1)
    average = MovingAverage(model)
    before = average.weights["weight"].clone()
    with torch.no_grad():
        model.weight += 1
    average.update(model, step)
    moved = average.weights["weight"] - before
    torch.testing.assert_close(moved, torch.full_like(moved, 1 - kept), rtol=1e-3, atol=1e-6)


def test_an_average_that_is_taken_up_stays_where_the_model_is() -> None:
    model = nn.Linear(2, 1)
    saved = {name: value + 1 for name, value in MovingAverage(model).weights.items()}
    average = MovingAverage(model)
    average.load(saved)
    assert all(torch.equal(value, saved[name]) for name, value in average.weights.items())
    elsewhere = MovingAverage(model.to("meta"))
    elsewhere.load(saved)
    elsewhere.update(model, 0)
    assert {value.device.type for value in elsewhere.weights.values()} == {"meta"}
