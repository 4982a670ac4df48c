"""Movies on disk: frames by their number, read as they are meant to be seen, and written whole."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageError, ImageFileError, MissingExtraError, OutputError
from vrpsam_app.file_errors import damaged, reading
from vrpsam_app.image_files import MAX_PIXELS

MOVIE_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv"}
)

# Frames that are kept when somebody goes backwards, where each step costs a jump to a key frame.
_KEPT_BYTES = 64 * 1024**2
# Up to so many frames ahead are decoded rather than jumped over.
_NEAR = 64
# Quality of what is written: hardly visible loss (x264's scale goes from 0 to 51).
_QUALITY = "18"
_BT709, _LIMITED = 1, 1  # as FFmpeg numbers them


def is_movie(start: bytes) -> bool:
    """Tell from a file's first bytes whether it is a container of moving pictures."""
    if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return start[8:11] not in (b"hei", b"hev", b"avi", b"mif")  # still pictures, same boxes
    return (
        start.startswith((b"\x1a\x45\xdf\xa3", b"\x00\x00\x01\xba", b"\x30\x26\xb2\x75"))
        or (start[:4] == b"RIFF" and start[8:12] == b"AVI ")
        or (start[:1] == b"\x47" and start[188:189] == b"\x47")
    )


class MovieFile:
    """The frames of a movie, by number.

    Parameters
    ----------
    path : of the file
    max_pixels : of a frame; a larger one is refused before anything is decoded

    Attributes
    ----------
    path : of the file
    hw : rows and columns of a frame, upright
    rate : frames in a second, on average

    Raises
    ------
    ImageFileError
        If the file is missing, damaged, or holds no moving pictures.
    MissingExtraError
        If PyAV is not installed.

    Notes
    -----
    All frames are counted when the file is opened, by their times, without decoding them: what
    containers state is often wrong. Frames are quick one after the other; going back jumps to the
    key frame before and keeps what is decoded on the way.
    """

    def __init__(self, path: str | Path, *, max_pixels: int = MAX_PIXELS) -> None:
        self.path = Path(path)
        with reading(self.path):
            self._open()
            coded_hw = (self._stream.height, self._stream.width)
            if math.prod(coded_hw) > max_pixels:
                raise ImageFileError(
                    f"{self.path} has frames of {coded_hw[0]} x {coded_hw[1]} pixels: expected at "
                    f"most {max_pixels:,}. Make them smaller, or raise the limit."
                )
            self._keys: list[tuple[int, int]] = []  # when key frames are shown and decoded
            self._times = self._count()
            self._number_at = {time: number for number, time in enumerate(self._times)}
        self.rate = Fraction(self._stream.average_rate or self._mean_rate())
        self._kept: dict[int, NDArray[np.uint8]] = {}
        self._decoded: Iterator[Any] = iter(())
        self._next: int | None = None  # number of the frame that decoding gives next
        first = self.frame(0)
        self.hw = (first.shape[0], first.shape[1])

    def __len__(self) -> int:
        return len(self._times)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._kept.clear()
        self._container.close()

    def seconds(self, number: int) -> float:
        """Return when a frame is shown, from that of the first."""
        return float((self._times[number] - self._times[0]) * self._stream.time_base)

    def frame(self, number: int) -> NDArray[np.uint8]:
        """Read a frame.

        Parameters
        ----------
        number : from 0

        Returns
        -------
        frame : shape (H, W, 3), uint8, upright as the file asks

        Raises
        ------
        ImageFileError
            If it cannot be decoded.
        """
        if not 0 <= number < len(self):
            raise ImageError(f"{self.path} has frames 0 to {len(self) - 1}: {number} is none.")
        if number in self._kept:
            return self._kept[number]
        with reading(self.path):
            backwards = self._next is not None and number < self._next
            if self._next is None or not self._next <= number <= self._next + _NEAR:
                self._jump(number)
            found = self._decode_to(number, backwards)
            if found is None:  # its index pointed behind the frame: begin at the beginning
                self._restart()
                found = self._decode_to(number, backwards)
        if found is None:
            raise damaged(self.path, f"frame {number} is missing")
        return found

    def _open(self) -> None:
        self._container = _library(self.path).open(str(self.path))
        if not self._container.streams.video:
            self._container.close()
            raise ImageFileError(f"{self.path} holds no pictures: expected a movie.")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"

    def _count(self) -> list[int]:
        """Return the time of each frame that is shown, in order, and note the key frames."""
        times = []
        for packet in self._container.demux(self._stream):
            if packet.pts is None:
                continue
            if packet.is_keyframe:
                first = packet.pts if packet.dts is None else min(packet.dts, packet.pts)
                self._keys.append((packet.pts, first))
            if not packet.is_discard:
                times.append(packet.pts)
        self._keys.sort()
        # AVI knows only when frames are decoded; of frames that are shown in another order than
        # that, no time says which is which.
        reordered = self._stream.codec_context.has_b_frames
        self._has_times = not (reordered and times == sorted(times))
        if not times:
            raise ImageFileError(
                f"{self.path} holds no frames, or frames without times: expected a movie such as "
                ".mp4. Convert it."
            )
        return sorted(set(times))

    def _mean_rate(self) -> Fraction:
        span = (self._times[-1] - self._times[0]) * self._stream.time_base
        return Fraction(len(self._times) - 1) / span if span else Fraction(25)

    def _jump(self, number: int) -> None:
        """Go to the key frame before a frame, or on or back to where that can be counted."""
        if not self._has_times:
            if self._next is None or number < self._next:
                self._restart()
            return
        key = bisect_right(self._keys, self._times[number], key=lambda times: times[0])
        if not key:
            self._restart()
            return
        self._container.seek(self._keys[key - 1][1], stream=self._stream, backward=True)
        self._decoded = self._container.decode(self._stream)
        self._next = number  # at the latest; decoding may begin before it

    def _restart(self) -> None:
        """Begin at the beginning, which no container finds again by its time for sure."""
        self._container.close()
        self._open()
        self._decoded = self._container.decode(self._stream)
        self._next = 0

    def _decode_to(self, number: int, backwards: bool) -> NDArray[np.uint8] | None:
        """Decode up to a frame; None if it has gone past."""
        self._kept.clear()
        most = max(1, _KEPT_BYTES // (3 * math.prod(self.hw))) if backwards else 1
        for frame in self._decoded:
            at = self._number_at.get(frame.pts) if self._has_times else self._next
            if at is None:
                continue
            self._next = at + 1
            if at > number:
                return None
            if number - at < most:
                self._kept[at] = _upright(frame)
            if at == number:
                return self._kept[at]
        self._next = None
        return None


class MovieWriter:
    """Writes frames as a movie (MP4, H.264) that appears under its name once it is complete.

    Parameters
    ----------
    path : a name that ends in .mp4
    hw : rows and columns of the frames; odd ones get another row or column
    rate : frames in a second
    overwrite : replace a file that exists

    Raises
    ------
    OutputError
        If the file exists, or cannot be written. Nothing is left behind.
    MissingExtraError
        If PyAV is not installed.

    Examples
    --------
    >>> with MovieWriter("clip.mp4", (480, 854), 25) as movie:  # doctest: +SKIP
    ...     movie.add(frame)
    """

    def __init__(
        self,
        path: str | Path,
        hw: tuple[int, int],
        rate: Fraction | float = 25,
        *,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".mp4":
            raise OutputError(f"{self.path} would be an MP4: expected a name that ends in .mp4.")
        if self.path.exists() and not overwrite:
            raise OutputError(
                f"{self.path} exists: choose another name, or say that it may be replaced."
            )
        if not self.path.parent.is_dir():
            raise OutputError(
                f"{self.path} cannot be written: the folder {self.path.parent} does not exist."
            )
        self._hw = hw
        self._partial = self.path.with_name(f".{self.path.name[:32]}-{secrets.token_hex(4)}.part")
        self._frames = 0
        library = _library(self.path)
        try:
            self._container = library.open(
                str(self._partial), "w", format="mp4", options={"movflags": "+faststart"}
            )
        except OSError as error:
            raise self._cannot_write(error) from error
        codec = "libx264" if "libx264" in library.codecs_available else "mpeg4"
        self._rate = Fraction(rate).limit_denominator(65535)
        options = {"crf": _QUALITY} if codec == "libx264" else {"qscale": "3"}
        self._stream = self._container.add_stream(codec, rate=self._rate, options=options)
        self._stream.height, self._stream.width = hw[0] + hw[0] % 2, hw[1] + hw[1] % 2
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._finish()
        else:
            self._give_up()

    def add(self, rgb: NDArray[np.uint8]) -> None:
        """Add the next frame.

        Parameters
        ----------
        rgb : shape (H, W, 3), uint8

        Raises
        ------
        ImageError
            If it has another size or type.
        OutputError
            If it cannot be written.
        """
        if rgb.shape != (*self._hw, 3) or rgb.dtype != np.uint8:
            raise ImageError(
                f"A frame has shape {rgb.shape} and type {rgb.dtype}: expected "
                f"({self._hw[0]}, {self._hw[1]}, 3) of uint8, as the first one."
            )
        even = np.pad(rgb, ((0, self._hw[0] % 2), (0, self._hw[1] % 2), (0, 0)), mode="edge")
        frame = _library(self.path).VideoFrame.from_ndarray(even, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED)
        frame.pts = self._frames
        frame.time_base = 1 / self._rate
        self._frames += 1
        try:
            self._container.mux(self._stream.encode(frame))
        except OSError as error:
            self._give_up()
            raise self._cannot_write(error) from error

    def _finish(self) -> None:
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            os.replace(self._partial, self.path)
        except OSError as error:
            self._give_up()
            raise self._cannot_write(error) from error

    def _give_up(self) -> None:
        with contextlib.suppress(Exception):  # what went wrong before is told, not this
            self._container.close()
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def _cannot_write(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self.path} cannot be written ({error.strerror or error}). Check its name, the "
            "folder's rights and the free space."
        )


def movie_rate(path: str | Path) -> Fraction | None:
    """Return the frames in a second of a file, None if it is no movie."""
    path = Path(path)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        if not is_movie(file.read(256)):
            return None
    with reading(path), _library(path).open(str(path)) as container:
        rate = container.streams.video[0].average_rate if container.streams.video else None
    return None if rate is None else Fraction(rate)


def require_movies(path: str | Path) -> None:
    """Make sure, before any work, that movies can be written.

    Raises
    ------
    MissingExtraError
        If PyAV is not installed.
    """
    _library(Path(path))


def _upright(frame: Any) -> NDArray[np.uint8]:
    """Return a decoded frame as RGB, turned as phones ask for."""
    rgb: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, quarters)) if quarters else rgb


def _library(path: Path) -> Any:
    """Import PyAV, which brings FFmpeg along."""
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(
            f"{path} is a movie, and PyAV, which reads and writes them, is not installed. Run: "
            'pip install "vrpsam-app[video]".'
        ) from error
    return av
