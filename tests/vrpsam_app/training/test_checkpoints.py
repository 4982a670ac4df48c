"""Files of a run: written whole, or not at all and said so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vrpsam_app.config import EMBEDDED_CONFIG
from vrpsam_app.errors import OutputError
from vrpsam_app.training import checkpoints
from vrpsam_app.training.checkpoints import load_state, save_model, save_state


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
