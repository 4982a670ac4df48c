"""Movies as stacks: every frame is a plane of the axis t; with the "video" extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.movie_files import MovieFile
from vrpsam_app.stacks.axes import FileImage
from vrpsam_app.stacks.lazy_planes import PlaneSource, box_of_planes, lazy_array


class _Frames(PlaneSource):
    """The frames of a movie, one behind the other."""

    def __init__(self, path: Path, shape: tuple[int, ...], max_pixels: int) -> None:
        super().__init__(path, shape, np.uint8)
        self.max_pixels = max_pixels

    def _open_file(self) -> MovieFile:
        return MovieFile(self.path, max_pixels=self.max_pixels)

    def _read_box(self, handle: Any, box: tuple[slice, ...]) -> NDArray[Any]:
        numbers = range(box[0].start, box[0].stop)
        planes = [handle.frame(number)[box[1:]].copy() for number in numbers]
        return box_of_planes(planes, [len(planes)])


def open_movie(path: Path, *, max_pixels: int) -> FileImage:
    """Open a movie.

    Raises
    ------
    ImageFileError
        If it is damaged, or its frames are larger than `max_pixels`.
    MissingExtraError
        If PyAV is not installed.
    """
    with MovieFile(path, max_pixels=max_pixels) as movie:
        shape = (len(movie), *movie.hw, 3)
    data = lazy_array(_Frames(path, shape, max_pixels), (1, *shape[1:]))
    return FileImage(data, ("t", "y", "x", "s"), path)
