"""Results on disk, one line each, appended as they are made: a run that is killed loses none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from vrpsam_app.errors import ConfigError, OutputError


class JsonLine(Protocol):
    """A value that can be written as a JSON object."""

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries, lists and numbers."""
        ...


R = TypeVar("R", bound=JsonLine)


class ResultFile(Generic[R]):
    """A file of results.

    Parameters
    ----------
    path : made with the first result; its folder exists
    from_json : builds a result from the dictionary it was written as, or raises ConfigError

    Notes
    -----
    A line that was cut when the run was killed is taken away before the next one is written.
    """

    def __init__(self, path: Path, from_json: Callable[[object], R]) -> None:
        self.path = path
        self._from_json = from_json

    def read(self) -> Iterator[R]:
        """Yield the results in the order in which they were written.

        Raises
        ------
        ConfigError
            If a line is no result; the message names it.
        """
        try:
            data = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise ConfigError(
                f"{self.path} cannot be read ({error.strerror}): expected results of an earlier "
                "run. Measure into another folder."
            ) from error
        # What follows the last end of line was cut.
        for number, line in enumerate(data.split(b"\n")[:-1], start=1):
            try:
                yield self._from_json(json.loads(line))
            except ValueError as error:
                raise ConfigError(
                    f"{self.path}, line {number}: {error} Remove the line, so that it is measured "
                    "again."
                ) from error

    def append(self, result: R) -> None:
        """Add a result; when this returns it is on disk.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        line = json.dumps(result.to_json(), ensure_ascii=False).encode("utf-8") + b"\n"
        try:
            with open(self.path, "a+b") as file:
                _cut_unfinished_line(file.fileno())
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be written ({error.strerror}). Check the folder's rights and "
                "the free space."
            ) from error


def _cut_unfinished_line(file: int) -> None:
    """Shorten a file to the end of its last whole line."""
    size = os.lseek(file, 0, os.SEEK_END)
    end = size
    while end:
        start = max(0, end - 4096)
        os.lseek(file, start, os.SEEK_SET)
        at = os.read(file, end - start).rfind(b"\n")
        if at >= 0:
            end = start + at + 1
            break
        end = start
    if end < size:
        os.ftruncate(file, end)
