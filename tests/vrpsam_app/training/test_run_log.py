"""Tables and curves of a run survive stops, kills and a missing library."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from vrpsam_app.errors import OutputError
from vrpsam_app.training.run_log import CURVES, TRAINING, VALIDATION, RunLog


def filled(folder: Path) -> RunLog:
    log = RunLog(folder)
    for step in range(1, 31):
        log.append(TRAINING, {"step": step, "seconds": step, "loss": 2 / step, "iou": "nan"})
    for step in (10, 20, 30):
        log.append(VALIDATION, {"step": step, "seconds": step, "cells": 0.5, "cells/prior": 0.4})
    return log


def test_rows_come_back_as_text(tmp_path: Path) -> None:
    rows = filled(tmp_path).read(TRAINING)
    assert len(rows) == 30
    assert rows[3] == {"step": "4", "seconds": "4", "loss": "0.5", "iou": "nan"}
    assert RunLog(tmp_path / "nowhere").read(TRAINING) == []


def test_new_columns_leave_old_rows_as_they_are(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    log.append(VALIDATION, {"step": 1, "a": 0.5})
    log.append(VALIDATION, {"step": 2, "a": 0.6, "b": 0.7})
    assert log.read(VALIDATION) == [
        {"step": "1", "a": "0.5", "b": ""},
        {"step": "2", "a": "0.6", "b": "0.7"},
    ]


def test_a_resumed_run_writes_over_what_came_after_its_state(tmp_path: Path) -> None:
    log = filled(tmp_path)
    with (tmp_path / TRAINING).open("a") as file:
        file.write("31,4")  # killed in the middle of a row
    log.rewind(20)
    assert [row["step"] for row in log.read(VALIDATION)] == ["10", "20"]
    assert log.read(TRAINING)[-1]["step"] == "20"
    log.append(TRAINING, {"step": 21, "seconds": 1, "loss": 1.0, "iou": 0.1})
    assert log.read(TRAINING)[-1]["loss"] == "1.0"


def test_curves_are_a_picture(tmp_path: Path) -> None:
    log, said = filled(tmp_path), []
    log.draw(said.append)
    with Image.open(tmp_path / CURVES) as picture:
        assert picture.format == "PNG"
        assert picture.width > 3 * picture.height / 2
        colours = picture.convert("RGB").getcolors(1 << 20)
    assert len(colours) > 50
    assert said == []
    assert not list(tmp_path.glob("*.part"))


def test_a_run_without_figures_can_be_drawn(tmp_path: Path) -> None:
    RunLog(tmp_path).draw(print)
    assert (tmp_path / CURVES).stat().st_size > 0


def test_without_the_library_one_line_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    log, said = filled(tmp_path), []
    for _ in range(3):
        log.draw(said.append)
    (line,) = said
    assert 'pip install "vrpsam-app[train]"' in line
    assert not (tmp_path / CURVES).exists()


def test_a_table_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"log\.csv cannot be written"):
        RunLog(tmp_path / "file").append(TRAINING, {"step": 1})
