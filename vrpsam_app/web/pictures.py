"""Picture files as the page needs them: checked once, small to send, read again when asked."""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageFileError
from vrpsam_app.geometry import fit_within, resize_bilinear
from vrpsam_app.image_files import MAX_PIXELS, read_image
from vrpsam_app.images import check_plane, intensity_range_of, to_rgb
from vrpsam_app.web.painting import encode_jpeg

PREVIEW_SIDE = 1024  # of the picture on the page; marks stay in pixels of the original
DECODED_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of one visitor.

    Parameters
    ----------
    id
        Of the file's content: equal files have equal ids.
    name
        File name without folder, for people.
    path
        Where the file lies on this computer; never sent to the page.
    hw
        Height and width in pixels, after the camera's rotation was applied.
    eight_bit
        Whether it is shown as it is, without an intensity range.
    jpeg
        The version that is sent to the page, at most `PREVIEW_SIDE` long.
    """

    id: str
    name: str
    path: Path
    hw: tuple[int, int]
    eight_bit: bool
    jpeg: bytes

    @property
    def preview_hw(self) -> tuple[int, int]:
        """Height and width of :attr:`jpeg`."""
        return preview_hw(self.hw)


def preview_hw(hw: tuple[int, int]) -> tuple[int, int]:
    """Return the size in which a picture of (height, width) is shown; never enlarged."""
    return fit_within(hw, PREVIEW_SIDE) if max(hw) > PREVIEW_SIDE else hw


def open_picture(path: Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a file for the first time.

    Raises
    ------
    ImageFileError, ImageError
        If it is no picture, damaged, larger than `max_pixels`, or holds several pages.
    """
    image = check_plane(_read(path, max_pixels), name=path.name)
    height, width = image.shape[:2]
    small_hw = preview_hw((height, width))
    # Strided first: a preview of 100 megapixels must not need 100 megapixels of floats.
    step = max(1, min(height // small_hw[0], width // small_hw[1]) // 2)
    strided = image[::step, ::step]
    rgb = to_rgb(strided, intensity_range_of([strided]))
    if rgb.shape[:2] != small_hw:
        rgb = resize_bilinear(rgb, small_hw)
    return Picture(
        id=hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest(),
        name=path.name,
        path=path,
        hw=(height, width),
        eight_bit=image.dtype in (np.uint8, np.bool_),
        jpeg=encode_jpeg(rgb),
    )


def _read(path: Path, max_pixels: int) -> NDArray[Any]:
    """Read a visitor's picture; arrays that no picture format holds were written here as npy."""
    if path.suffix == ".npy":
        array: NDArray[Any] = np.load(path, allow_pickle=False)
        return array
    return read_image(path, max_pixels=max_pixels)


class DecodedPictures:
    """The last pictures that were read, up to a number of bytes; files are taken to never change.

    While a person draws, the same two pictures are needed after every stroke.
    """

    def __init__(self, budget: int = DECODED_BYTES) -> None:
        self._budget = budget
        self._arrays: OrderedDict[Path, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, picture: Picture, *, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
        """Return the pixels of a picture, read-only.

        Raises
        ------
        ImageFileError
            If the file is gone: visitors' files are removed some time after they leave.
        """
        with self._lock:
            if (found := self._arrays.get(picture.path)) is not None:
                self._arrays.move_to_end(picture.path)
                return found
        if not picture.path.exists():
            raise ImageFileError(
                f"{picture.name} is no longer on the server. Reload the page and add it again."
            )
        image = _read(picture.path, max_pixels)
        image.flags.writeable = False
        with self._lock:
            self._arrays[picture.path] = image
            while len(self._arrays) > 1 and self._size() > self._budget:
                self._arrays.popitem(last=False)
        return image

    def _size(self) -> int:
        return sum(array.nbytes for array in self._arrays.values())


decoded = DecodedPictures()


@functools.cache
def workspace() -> tempfile.TemporaryDirectory[str]:
    """Return this process's folder for visitors' files; it is removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="vrpsam-web-")


def new_folder(parent: Path | None = None) -> Path:
    """Make an empty folder that no other visitor knows."""
    return Path(tempfile.mkdtemp(dir=parent or workspace().name))


def without_folders(sentence: str, *roots: str) -> str:
    """Take the folders of visitors' files out of a sentence: they are nobody's business."""
    for root in (workspace().name, *roots):
        sentence = re.sub(rf"{re.escape(root)}[/\\](?:[^/\\\s]+[/\\])*", "", sentence)
    return sentence


def keep_file(source: Path, folder: Path) -> Path:
    """Copy an uploaded file into a visitor's folder, under a name that is not taken there."""
    kept = free_path(folder, source.name)
    shutil.copyfile(source, kept)
    return kept


def free_path(folder: Path, name: str) -> Path:
    """Take a path in a folder that is free, with a number before the ending if need be.

    An empty file keeps it: another event of the same visitor may look for the same name.
    """
    wanted = Path(name)
    path, number = folder / wanted.name, 1
    while True:
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            number += 1
            path = folder / f"{wanted.stem}-{number}{wanted.suffix}"
        else:
            return path
