"""What a run was begun with: noted, compared, and what may change in between."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub_weights import ModelFolder
from tests.vrpsam_app.training.small_model import SMALL
from vrpsam_app.errors import ConfigError
from vrpsam_app.image_files import write_image
from vrpsam_app.training.run_manifest import MANIFEST_NAME, begun_with, check_same_run
from vrpsam_app.training.training_run import TrainingRun


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "cells"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
        for name in "abcd":
            write_image(folder / part / f"{name}.png", np.ones((8, 8), np.uint8))
    listed(folder, train=["a", "b"], val=["c"])
    return folder


def listed(folder: Path, **parts: list[str]) -> None:
    (folder / "splits.json").write_text(json.dumps(parts))


def go_on(folder: Path, start: ModelFolder | None = None, **changes: Any) -> list[str]:
    """Ask to begin or go on in a folder, and leave a state there; returns what was reported."""
    told: list[str] = []
    folder.mkdir(exist_ok=True)
    run = dataclasses.replace(TrainingRun(config=SMALL, folder=folder), **changes)
    check_same_run(folder, begun_with(run, run.config, start), told.append)
    (folder / "state.pt").touch()
    return told


def test_other_pictures_under_the_same_names_of_folders_are_other_data(
    data: Path, tmp_path: Path
) -> None:
    def again() -> list[str]:
        return go_on(tmp_path / "run", data=(str(data),))

    assert again() == again() == []
    for parts in ({"train": ["c", "d"], "val": ["a"]}, {"train": ["a", "b"], "val": ["d"]}):
        listed(data, **parts)
        with pytest.raises(ConfigError, match="another data-parts:"):
            again()
    listed(data, train=["b", "a"], val=["c"])
    assert again() == []
    (data / "meta.json").write_text('{"source": "our microscope"}')
    assert again() == []
    (data / "meta.json").write_text('{"kind": "binary"}')
    with pytest.raises(ConfigError, match="another data-parts:"):
        again()


def test_a_run_without_its_note_goes_on_and_is_noted(tmp_path: Path) -> None:
    go_on(tmp_path / "run")
    note = tmp_path / "run" / MANIFEST_NAME
    note.unlink()
    (told,) = go_on(tmp_path / "run", seed=3)
    assert f"without {MANIFEST_NAME}" in told
    assert json.loads(note.read_text())["seed"] == 3
    with pytest.raises(ConfigError, match="another seed:"):
        go_on(tmp_path / "run")


def test_what_an_older_note_lacks_is_noted_and_the_rest_compared(
    data: Path, tmp_path: Path
) -> None:
    go_on(tmp_path / "run", data=(str(data),))
    note = tmp_path / "run" / MANIFEST_NAME
    said = json.loads(note.read_text())
    note.write_text(json.dumps({k: v for k, v in said.items() if k != "data_parts"}))
    with pytest.raises(ConfigError, match="another seed:"):
        go_on(tmp_path / "run", data=(str(data),), seed=1)
    assert go_on(tmp_path / "run", data=(str(data),)) == []
    assert json.loads(note.read_text()) == said


def test_a_run_may_be_exported_to_where_it_began(tmp_path: Path) -> None:
    place, run = tmp_path / "model", tmp_path / "run"
    go_on(run, ModelFolder(place, "aa"))
    assert go_on(run, ModelFolder(place, "bb")) == []
    assert go_on(run, ModelFolder(tmp_path / "moved", "aa")) == []
    for start in (ModelFolder(tmp_path / "other", "bb"), None):
        with pytest.raises(ConfigError, match="another start-from:"):
            go_on(run, start)


def test_a_licence_may_be_named_later(tmp_path: Path) -> None:
    go_on(tmp_path / "run")
    go_on(tmp_path / "run", config=dataclasses.replace(SMALL, license="mit"))
