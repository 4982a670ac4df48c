"""JSON files that may come from any program, read with care and written whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vrpsam_app.errors import ObjectFileError
from vrpsam_app.image_files import write_whole

MAX_BYTES = 4_000_000_000
"""Larger files are refused: they would not fit in the memory of a usual machine once parsed."""


def read_json(path: Path, what: str) -> Any:
    """Read a JSON document.

    Parameters
    ----------
    path : of the file
    what : what it should be, for messages, such as "COCO annotations"

    Raises
    ------
    ObjectFileError
        If the file is missing, too large or no JSON.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ObjectFileError(
                f"{path} has {path.stat().st_size / 1e9:.1f} GB: at most {MAX_BYTES / 1e9:.0f} are "
                "read. Split it."
            )
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        if isinstance(error, ObjectFileError):
            raise
        raise ObjectFileError(
            f"{path} cannot be read ({error.strerror}). Give the path of {what}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ObjectFileError(f"{path} is not valid JSON ({error}): expected {what}.") from error


def write_json(path: Path, document: Any, *, overwrite: bool) -> None:
    """Write a JSON document so that nobody ever sees part of it; raises OutputError."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    write_whole(path, text.encode("utf-8"), overwrite=overwrite)
