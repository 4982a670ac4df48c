"""A download on the command line: what comes, how large, how far."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from hub_weights import DownloadProgress


class DownloadBar:
    """A callback for downloads that draws one bar for each file, on standard error.

    Examples
    --------
    >>> with DownloadBar() as bar:
    ...     model = find_model("somebody/nuclei", progress=bar)  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._file = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def __call__(self, progress: DownloadProgress) -> None:
        """Draw."""
        from tqdm import tqdm

        if progress.message:
            self._close()
            print(progress.message, file=sys.stderr)
            return
        if self._bar is None or self._file != progress.file:
            self._close()
            self._file = progress.file
            self._bar = tqdm(
                total=progress.total,
                desc=progress.file,
                unit="B",
                unit_scale=True,
                disable=None,  # only where a person looks
            )
        self._bar.update(progress.done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
