"""A part is trained once, and an interrupted training ends with the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from vrpsam_app.reproduction import foundation_training
from vrpsam_app.reproduction.foundation_training import Losses, schedule, train_foundation


@pytest.fixture(autouse=True)
def save_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foundation_training, "SAVE_EVERY", 4)
    monkeypatch.setattr(foundation_training, "LOG_EVERY", 2)


def train(file: Path, *, stop_after: int | None = None, lines: list[str] | None = None) -> Path:
    torch.manual_seed(3)
    part = nn.Linear(4, 2)
    calls = 0

    def losses(rng: np.random.Generator) -> Losses:
        nonlocal calls
        if calls == stop_after:
            raise KeyboardInterrupt
        calls += 1
        x = torch.from_numpy(rng.normal(size=(8, 4)).astype(np.float32))
        return {"loss": (part(x) - x[:, :2]).square().mean()}

    report = [].append if lines is None else lines.append
    return train_foundation(part, file, losses, steps=20, learning_rate=0.2, seed=5, report=report)


def test_it_learns_and_writes_weights_and_log(tmp_path: Path) -> None:
    lines: list[str] = []
    file = train(tmp_path / "part.safetensors", lines=lines)
    # The first two numbers are to be given back.
    assert load_file(file)["weight"].diagonal().min() > 0.5
    rows = (tmp_path / "part" / "log.csv").read_text().splitlines()
    assert rows[0] == "step,seconds,loss"
    assert float(rows[-1].split(",")[2]) < 0.5 * float(rows[1].split(",")[2])
    assert lines[-1].startswith("part: step 20/20 loss 0.")


def test_interrupted_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = load_file(train(tmp_path / "whole.safetensors"))
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "part.safetensors", stop_after=11)
    assert not (tmp_path / "part.safetensors").exists()
    resumed = load_file(train(tmp_path / "part.safetensors"))
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    steps = [row.split(",")[0] for row in (tmp_path / "part/log.csv").read_text().splitlines()]
    assert steps == ["step", *map(str, range(2, 21, 2))]


def test_what_is_trained_is_not_trained_again(tmp_path: Path) -> None:
    file = train(tmp_path / "part.safetensors")
    before = file.read_bytes()
    assert train(file, stop_after=0) == file
    assert file.read_bytes() == before


def test_the_rate_warms_up_and_falls() -> None:
    rates = [schedule(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.02)
    assert max(rates) > 0.99
    assert rates[-1] == pytest.approx(0.01)
    assert schedule(0, 1) == 1.0
