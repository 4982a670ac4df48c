"""What a run was begun with, kept in its folder: a stopped run goes on as what it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vrpsam_app.data.folder_layout import read_document
from vrpsam_app.errors import ConfigError
from vrpsam_app.replay_promise import differing_keys
from vrpsam_app.training.checkpoints import writing

MANIFEST_NAME = "begun_with.json"


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
    if not any(folder.glob("*.pt")):  # whichever stage it stopped in
        with writing(path):
            path.write_text(json.dumps(asked, indent=2) + "\n", encoding="utf-8")
        return
    if differing := differing_keys(read_document(path), asked):
        words = ", ".join(name.replace("_", "-") for name in differing)
        raise ConfigError(
            f"{folder} holds a stopped run with another {words}: repeat its command, whose options "
            f"{MANIFEST_NAME} there lists, to go on with it, or remove the folder to begin anew."
        )
