"""What a run was begun with, kept in its folder: a stopped run goes on as what it was."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
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

_START_FOLDER = "start_folder"


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
        "data_parts": [_parts_of(data) for data in run.data],
        "start_from": None if start is None else start.sha256,
        _START_FOLDER: None if start is None else str(start.path.resolve()),
    }


def _words_of(data: str | DataWords | LabelledDataset) -> dict[str, Any]:
    words = DataWords.parse(data) if isinstance(data, str) else data
    if isinstance(words, DataWords):
        return {**dataclasses.asdict(words), "folder": str(words.folder.resolve())}
    return {"name": words.name, "pictures": len(words)}


def _parts_of(data: str | DataWords | LabelledDataset) -> dict[str, str | None] | None:
    """Return what tells the pictures of each part from others; of benchmarks the words do."""
    words = DataWords.parse(data) if isinstance(data, str) else data
    if not isinstance(words, DataWords):
        return {"train": _sum_of(words, {})}
    if words.benchmark is not None:
        return None
    meta = read_document(words.folder / "meta.json")
    tested = words.open_validation()
    return {
        "train": _sum_of(words.open_part("train"), meta),
        "val": None if tested is None else _sum_of(tested, meta),
    }


def _sum_of(dataset: LabelledDataset, meta: Mapping[str, Any]) -> str:
    """Return a sum of the pictures' names and of what the values of their masks mean."""
    said = [sorted(dataset.names), dataset.class_names, meta.get("kind"), meta.get("classes")]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def check_same_run(
    folder: Path, asked: Mapping[str, Any], report: Callable[[str], None] = print
) -> None:
    """Note what a new run is begun with; make sure that a stopped one was begun with the same.

    Parameters
    ----------
    folder : Path
        Of the run; it exists.
    asked : mapping
        JSON values, by the names of the options that decide what becomes of the run. What the note
        of an older release lacks is not compared, and noted from now on.
    report : callable
        Told where a stopped run has no note at all.

    Raises
    ------
    ConfigError
        If the stopped run was begun with others; the message names them.
    OutputError
        If it cannot be noted.
    """
    path = folder / MANIFEST_NAME
    now = json.loads(json.dumps(asked))
    begun = any(folder.glob("*.pt"))  # whichever stage it stopped in
    noted = read_document(path) if begun else {}
    if begun and not noted:
        report(
            f"{folder} holds a stopped run without {MANIFEST_NAME}, which says what one was begun "
            "with: it goes on with what is asked for now, and that is noted."
        )
    if differing := _differing(noted, now):
        words = ", ".join(name.replace("_", "-") for name in differing)
        raise ConfigError(
            f"{folder} holds a stopped run with another {words}: repeat its command, whose options "
            f"{MANIFEST_NAME} there lists, to go on with it, or remove the folder to begin anew."
        )
    if noted != (all_of_it := {**now, **noted}):
        with writing(path):
            path.write_text(json.dumps(all_of_it, indent=2) + "\n", encoding="utf-8")


def _differing(noted: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what a run was noted to be begun with and is not what is asked for now."""
    place = noted.get(_START_FOLDER)
    free = {_START_FOLDER, "config.license"}
    if place is not None and place == now.get(_START_FOLDER):
        free.add("start_from")  # the run itself may have been exported to there
    compared = {name: now[name] for name in noted if name in now}
    return [name for name in differing_keys(noted, compared) if name not in free]
