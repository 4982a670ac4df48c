"""How far a download is, told to whoever shows it: command line, web page, napari."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadProgress:
    """How far a download is.

    Attributes
    ----------
    file : which one, with its repository
    done : bytes that have arrived
    total : bytes; None if the Hub does not say
    seconds : since the download began
    message : what is waited for, if something is
    """

    file: str
    done: int
    total: int | None
    seconds: float = 0.0
    message: str = ""

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the mean speed; None before anything has arrived."""
        if self.total is None or not self.done or not self.seconds:
            return None
        return max(0.0, self.seconds * (self.total - self.done) / self.done)

    def __str__(self) -> str:
        if self.message:
            return self.message
        of = "" if self.total is None else f" of {in_bytes(self.total)}"
        return f"{self.file}: {in_bytes(self.done)}{of}"


DownloadCallback = Callable[[DownloadProgress], None]


def in_bytes(size: int) -> str:
    """Return a size as a person says it, in powers of ten as the Hub counts.

    Examples
    --------
    >>> in_bytes(374_979_480), in_bytes(2_564_550_879), in_bytes(2286)
    ('375 MB', '2.6 GB', '2 kB')
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            value = size / factor
            return f"{value:.0f} {unit}" if value >= 10 or unit == "kB" else f"{value:.1f} {unit}"
    return f"{size} bytes"


def progress_bar_of(callback: DownloadCallback | None, file: str) -> type[Any] | None:
    """Return a class that huggingface_hub fills as a progress bar and that tells a callback.

    The library may fill two bars for one file, of what came over the network and of what was
    written: the callback hears of the one that is ahead.
    """
    if callback is None:
        return None
    from tqdm import tqdm

    tell: DownloadCallback = callback
    started = time.monotonic()
    furthest = 0

    class Bar(tqdm):  # type: ignore[misc]
        """Counts silently and passes on."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "file": io.StringIO(), "disable": False})
            self._tell()

        def update(self, n: float | None = 1) -> bool | None:
            self.n += n or 0
            self._tell()
            return None

        def display(self, msg: str | None = None, pos: int | None = None) -> None:
            """Draw nothing."""

        def _tell(self) -> None:
            nonlocal furthest
            furthest = max(furthest, int(self.n))
            tell(
                DownloadProgress(
                    file=file,
                    done=furthest,
                    total=None if self.total is None else int(self.total),
                    seconds=time.monotonic() - started,
                )
            )

    return Bar
