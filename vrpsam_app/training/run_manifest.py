"""What a run was begun with, kept in its folder: a stopped run goes on as what it was."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub_weights import ModelFolder
from vrpsam_app.config import ModelConfig
from vrpsam_app.data.data_words import DataWords
from vrpsam_app.data.folder_layout import read_document
from vrpsam_app.data.labelled_dataset import LabelledDataset
from vrpsam_app.errors import ConfigError
from vrpsam_app.replay_promise import differing_keys
from vrpsam_app.training.checkpoints import writing
from vrpsam_app.training.training_run import TrainingRun

MANIFEST_NAME = "begun_with.json"

# What is decided by the files themselves, how long the run is, how it is watched, and where it
# runs: it may go on with other values.
_FREE = frozenset(
    {
        *("folder", "export", "sam", "backbone", "start_from"),
        *("steps", "epochs", "minutes"),
        *("dense_steps", "cut_episodes", "refined_episodes", "quality_episodes"),
        *("validate_every", "validation_episodes"),
        *("device", "workers", "threads"),
        *("store", "store_bytes", "store_disk_bytes", "store_parts"),
    }
)


def begun_with(run: TrainingRun, config: ModelConfig, start: ModelFolder | None) -> dict[str, Any]:
    """Return what decides what becomes of a run, for :func:`check_same_run`.

    Parameters
    ----------
    config : of the model that learns; it names the bytes of frozen weights
    start : whose weights the run begins with
    """
    asked = {f.name: getattr(run, f.name) for f in dataclasses.fields(run) if f.name not in _FREE}
    return {
        **asked,
        "config": config.to_json(),
        "data": [_words_of(data) for data in run.data],
        "start_from": None if start is None else start.sha256,
    }


def _words_of(data: str | DataWords | LabelledDataset) -> dict[str, Any]:
    words = DataWords.parse(data) if isinstance(data, str) else data
    if isinstance(words, DataWords):
        return {**dataclasses.asdict(words), "folder": str(words.folder.resolve())}
    return {"name": words.name, "pictures": len(words)}


def check_same_run(folder: Path, asked: Mapping[str, Any]) -> None:
    """Note what a new run is begun with; make sure that a stopped one was begun with the same.

    Parameters
    ----------
    folder : Path
        Of the run; it exists.
    asked : mapping
        JSON values, by the names of the options that decide what becomes of the run.

    Raises
    ------
    ConfigError
        If the stopped run was begun with others; the message names them.
    OutputError
        If it cannot be noted.
    """
    path = folder / MANIFEST_NAME
    written = json.dumps(asked, indent=2)
    if not any(folder.glob("*.pt")):  # whichever stage it stopped in
        with writing(path):
            path.write_text(written + "\n", encoding="utf-8")
        return
    if differing := differing_keys(read_document(path), json.loads(written)):
        words = ", ".join(name.replace("_", "-") for name in differing)
        raise ConfigError(
            f"{folder} holds a stopped run with another {words}: repeat its command, whose options "
            f"{MANIFEST_NAME} there lists, to go on with it, or remove the folder to begin anew."
        )
