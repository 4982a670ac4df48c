"""Nikon's ND2 files, frame by frame; with the "formats" extra."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageFileError
from vrpsam_app.file_errors import needs_formats
from vrpsam_app.readers.stated_size import stated_size
from vrpsam_app.stacks.axes import FileImage
from vrpsam_app.stacks.lazy_planes import PlaneSource, box_of_planes, lazy_array
from vrpsam_app.stacks.stack import PixelSize

_SIGNATURE = b"\xda\xce\xbe\x0a"
# Files of before 2009 are JPEG 2000, like other files, and told by their name.
_EARLY_SIGNATURE = b"\x00\x00\x00\x0cjP  "
_FRAME_AXES = ("C", "Y", "X", "S")


def is_nd2(start: bytes, path: Path) -> bool:
    """Return whether a file begins as ND2 does."""
    early = start.startswith(_EARLY_SIGNATURE) and path.suffix.lower() == ".nd2"
    return start.startswith(_SIGNATURE) or early


def open_nd2(path: Path) -> FileImage:
    """Open an ND2 file; positions of the stage are an axis, "p".

    Of an acquisition that was stopped early, the slowest axis ends with what is complete.

    Raises
    ------
    ImageFileError
        If nothing of the slowest axis is complete.
    MissingExtraError
        If nd2 is not installed.
    """
    with _opened(path) as file:
        sizes = dict(file.sizes)
        leading = tuple(axis for axis in sizes if axis not in _FRAME_AXES)
        axes = (*leading, *(axis for axis in _FRAME_AXES if axis in sizes))
        if leading:
            frames = int(file.attributes.sequenceCount)
            each = math.prod(sizes[axis] for axis in leading[1:])
            sizes[leading[0]] = min(sizes[leading[0]], frames // each)
            if sizes[leading[0]] == 0:
                raise ImageFileError(
                    f"{path} holds {frames} frames of at least {each}: expected a complete stack. "
                    "Export what there is as TIFF."
                )
        source = _Nd2File(path, tuple(sizes[axis] for axis in axes), file.dtype, len(leading))
        # A frame holds all its channels, pixel beside pixel: they are read together.
        data = lazy_array(source, (1,) * len(leading) + source.shape[len(leading) :])
        channels = _channels(file)
        names = tuple(str(channel.channel.name or "") for channel in channels)
        return FileImage(
            data, tuple(axis.lower() for axis in axes), path, names, _pixel_size(channels)
        )


class _Nd2File(PlaneSource):
    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any, leading: int) -> None:
        super().__init__(path, shape, np.dtype(dtype).newbyteorder("="))
        self.leading = leading

    def _open_file(self) -> Any:
        return _opened(self.path)

    def _read_box(self, handle: Any, box: tuple[slice, ...]) -> NDArray[Any]:
        lengths, frame = self.shape[: self.leading], self.shape[self.leading :]
        numbers = np.arange(math.prod(lengths)).reshape(lengths)[box[: self.leading]]
        planes = [
            np.asarray(handle.read_frame(number)).reshape(frame)[box[self.leading :]]
            for number in numbers.ravel()
        ]
        return box_of_planes(planes, numbers.shape)


def _opened(path: Path) -> Any:
    try:
        import nd2
    except ImportError as error:
        raise needs_formats(path, "nd2") from error
    return nd2.ND2File(path)


def _channels(file: Any) -> Sequence[Any]:
    """Return what is known of channels, which is no reason to refuse the pixels."""
    try:
        return getattr(file.metadata, "channels", None) or ()
    except Exception:  # the library expects what not every microscope writes
        return ()


def _pixel_size(channels: Any) -> PixelSize | None:
    """Return the calibration in micrometres; an axis that was not calibrated says 1."""
    if not channels:
        return None
    volume = channels[0].volume
    cols, rows, planes = (
        size if calibrated else None
        for size, calibrated in zip(volume.axesCalibration, volume.axesCalibrated, strict=True)
    )
    return stated_size(rows, cols, planes)
