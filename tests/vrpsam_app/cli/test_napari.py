"""``vrpsam napari`` starts the plugin in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vrpsam_app.cli import main


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    calls: list[list[str]] = []

    def call(words: list[str]) -> int:
        calls.append(words)
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    return calls


def test_files_and_sample_are_handed_on(started: list[list[str]], tmp_path: Path):
    file = tmp_path / "a.tif"
    file.touch()
    assert main(["napari", str(file), "--sample"]) == 0
    assert started == [[sys.executable, "-m", "napari_plugin", str(file), "--sample"]]


def test_a_missing_file_is_named_before_a_window_opens(started, capsys):
    assert main(["napari", "nowhere.tif"]) == 2
    assert "nowhere.tif does not exist" in capsys.readouterr().err
    assert started == []


def test_without_napari_it_says_what_to_install(started, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["napari"]) == 2
    assert 'pip install "vrpsam-app[napari]"' in capsys.readouterr().err
