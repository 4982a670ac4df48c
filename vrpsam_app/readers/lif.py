"""Leica's LIF files, plane by plane; with the "formats" extra."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageFileError
from vrpsam_app.file_errors import needs_formats
from vrpsam_app.readers.scenes import chosen_scene
from vrpsam_app.readers.stated_size import stated_size
from vrpsam_app.stacks.axes import FileImage
from vrpsam_app.stacks.lazy_planes import PlaneSource, box_of_planes, lazy_array
from vrpsam_app.stacks.stack import PixelSize

# Numbers that stand at the beginning of a LIF file, before and behind the size of its text.
_START, _TEXT = 0x70, 0x2A


def is_lif(start: bytes) -> bool:
    """Return whether a file's first bytes are those of LIF."""
    return len(start) >= 9 and struct.unpack_from("<I", start) == (_START,) and start[8] == _TEXT


def open_lif(path: Path, *, scene: int | str | None) -> FileImage:
    """Open an image of a LIF file.

    Parameters
    ----------
    path : of the file
    scene : which image, if there are several

    Raises
    ------
    ImageFileError
        If there are several images and none is chosen, or the image is no stack of planes.
    MissingExtraError
        If liffile is not installed.
    """
    with _opened(path) as file:
        images = list(file.images)
        if not images:
            raise ImageFileError(f"{path} holds no image. Copy or export it again.")
        names = [str(image.name) for image in images]
        number, name = chosen_scene(names, scene, path)
        image = images[number]
        block = image.memory_block
        if block.offset + block.size > path.stat().st_size:
            raise ImageFileError(f"{path} is truncated. Copy or export it again.")
        plane = tuple(axis.lower() for axis in image.frames.frame_dims)
        if plane not in (("y", "x"), ("y", "x", "s")):
            raise ImageFileError(
                f"Image {names[number]!r} of {path} has axes {image.dims} that make no planes of "
                "rows and columns. Export it as OME-TIFF."
            )
        source = _LifImage(path, image.sizes, image.dtype, number)
        leading = (1,) * (source.ndim - len(plane))
        data = lazy_array(source, (*leading, *source.shape[len(leading) :]))
        axes = tuple(axis.lower() for axis in image.dims)
        return FileImage(data, axes, path, (), _pixel_size(image), name)


class _LifImage(PlaneSource):
    def __init__(self, path: Path, sizes: dict[str, int], dtype: Any, number: int) -> None:
        super().__init__(path, tuple(sizes.values()), np.dtype(dtype).newbyteorder("="))
        self.number = number

    def _open_file(self) -> Any:
        return _OpenImage(_opened(self.path), self.number)

    def _read_box(self, handle: _OpenImage, box: tuple[slice, ...]) -> NDArray[Any]:
        frames = handle.frames
        leading = box[: self.ndim - len(frames.frame_shape)]
        inner = box[len(leading) :]
        shape = tuple(part.stop - part.start for part in leading)
        planes = [
            frames[tuple(part.start + i for part, i in zip(leading, index, strict=True))][inner]
            for index in np.ndindex(shape)
        ]
        return box_of_planes(planes, shape)


class _OpenImage:
    """One image of an open file."""

    def __init__(self, file: Any, number: int) -> None:
        self._file = file
        self.frames = file.images[number].frames

    def close(self) -> None:
        self._file.close()


def _opened(path: Path) -> Any:
    try:
        import liffile
    except ImportError as error:
        raise needs_formats(path, "liffile") from error
    return liffile.LifFile(path)


def _pixel_size(image: Any) -> PixelSize | None:
    """Return distances from the places of the first and last pixels, which are in metres."""
    distances = {}
    for axis in ("Y", "X", "Z"):
        places = image.coords.get(axis)
        if places is not None and len(places) > 1:
            distances[axis] = abs(float(places[-1] - places[0])) / (len(places) - 1)
    size = stated_size(distances.get("Y"), distances.get("X"), distances.get("Z"), "m")
    return size and size.to("um")
