"""Files that a visitor brings: pictures, stacks and movies, each plane a picture of the page."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageError, ImageFileError, VRPSAMError
from vrpsam_app.geometry import reduce_by
from vrpsam_app.image_files import read_header, read_image, write_image
from vrpsam_app.images import IntensityRange, intensity_range_of, to_rgb
from vrpsam_app.pillow_pictures import picture_format
from vrpsam_app.stacks.stack import Stack
from vrpsam_app.stacks.stack_files import open_stack
from vrpsam_app.tiff_files import TIFF_SIGNATURES
from vrpsam_app.web.limits import limits
from vrpsam_app.web.pictures import Picture, free_path, keep_file, open_picture

# Large pictures are decoded one at a time, whoever brings them.
_decoding = threading.Lock()


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of one file.

    Parameters
    ----------
    pictures
        One, or one for each plane of a stack.
    note
        What a person should know of how it was taken; "" for nothing.
    """

    pictures: tuple[Picture, ...]
    note: str = ""


def bring(upload: Path, folder: Path) -> Brought:
    """Take an uploaded file.

    Parameters
    ----------
    upload
        A picture, or whatever :func:`vrpsam_app.stacks.stack_files.open_stack` opens.
    folder
        Of this visitor; the pictures are kept there.

    Raises
    ------
    ImageFileError, ImageError
        If it is none of these, damaged, or too large even to be reduced.
    MissingExtraError
        If its format needs a library that is not installed.
    """
    check_space(folder, upload.stat().st_size if upload.is_file() else 0)
    if _is_picture(upload):
        return _bring_picture(upload, folder)
    return _bring_planes(open_stack(upload, max_pixels=limits().readable_pixels), upload, folder)


def check_space(folder: Path, size: int) -> None:
    """Refuse a file that a visitor has no room for.

    Raises
    ------
    ImageFileError
        If all files together would take more than one visitor may have.
    """
    most = limits().session_bytes
    used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if used + size > most:
        raise ImageFileError(
            f"There is no room for more: one visit may hold {most / 1e6:.0f} MB of files. Take "
            "some pictures out, or begin again."
        )


def _is_picture(path: Path) -> bool:
    """Tell a picture of one plane, which is kept as it is, from a stack or movie."""
    with path.open("rb") as file:
        start = file.read(16)
    if not start.startswith(TIFF_SIGNATURES):
        return picture_format(start) is not None
    try:
        read_header(path, max_pixels=limits().readable_pixels)
    except ImageFileError:  # several pages, or more channels than a picture has
        return False
    return True


def _bring_picture(upload: Path, folder: Path) -> Brought:
    bounds = limits()
    header = read_header(upload, max_pixels=bounds.readable_pixels)
    height, width = header.hw
    notes = []
    if header.animated:
        notes.append(
            f"Only the first frame of {upload.name} was taken: save it as MP4 to have all of them."
        )
    if height * width <= bounds.max_pixels:
        picture = open_picture(keep_file(upload, folder), max_pixels=bounds.max_pixels)
        return Brought((picture,), " ".join(notes))
    factor = int(np.ceil((height * width / bounds.max_pixels) ** 0.5))
    with _decoding:
        image = reduce_by(read_image(upload, max_pixels=bounds.readable_pixels), factor)
        path = _write_plane(free_path(folder, f"{upload.stem}.png"), image, None)
    notes.append(
        f"{upload.name} has {height * width / 1e6:.0f} megapixels: it was reduced to 1/{factor} of "
        f"its width, because at most {bounds.max_pixels / 1e6:.0f} are searched here."
    )
    return Brought((open_picture(path, max_pixels=bounds.max_pixels),), " ".join(notes))


def _bring_planes(stack: Stack, upload: Path, folder: Path) -> Brought:
    bounds = limits()
    height, width = stack.plane_hw
    factor = max(1, int(np.ceil((height * width / bounds.max_pixels) ** 0.5)))
    chosen = _spread(list(stack.indices()), bounds.planes)
    shared = _shared_range(stack, chosen)
    pictures = []
    for index, plane in _planes(stack, chosen):
        place = "".join(f"_{axis}{i:04d}" for axis, i in zip(stack.axes, index, strict=True))
        path = free_path(folder, f"{upload.stem}{place}.png")
        check_space(folder, plane.nbytes // 2)
        _write_plane(path, reduce_by(plane, factor), shared)
        pictures.append(open_picture(path, max_pixels=bounds.max_pixels))
    notes = []
    if len(chosen) < stack.plane_count:
        notes.append(
            f"{upload.name} has {stack.plane_count} planes: {len(chosen)} of them, spread evenly, "
            "were taken. For all of them use the command line: vrpsam segment --help."
        )
    if shared is not None:
        notes.append(f"{upload.name} has {stack.dtype} pixels: 8 bits of them are shown here.")
    return Brought(tuple(pictures), " ".join(notes))


def _planes(
    stack: Stack, indices: Sequence[tuple[int, ...]]
) -> Iterator[tuple[tuple[int, ...], NDArray[Any]]]:
    for index in indices:
        try:
            yield index, stack.plane(index)
        except (VRPSAMError, OSError):
            raise
        except Exception as error:  # a decoder may raise anything on damaged data
            raise ImageFileError(
                f"{stack.name} is damaged: plane {index} cannot be read ({error}). Export it again."
            ) from error


def _spread(indices: list[tuple[int, ...]], most: int) -> list[tuple[int, ...]]:
    if len(indices) <= most:
        return indices
    return [indices[i] for i in np.linspace(0, len(indices) - 1, most).round().astype(int)]


def _shared_range(stack: Stack, indices: Sequence[tuple[int, ...]]) -> IntensityRange | None:
    """Return the range in which planes that PNG cannot hold are shown; None for the others."""
    fits = stack.dtype in (np.uint8, np.bool_) or (not stack.color and stack.dtype == np.uint16)
    if fits:
        return None
    return intensity_range_of(plane for _, plane in _planes(stack, _spread(list(indices), 8)))


def _write_plane(path: Path, plane: NDArray[Any], shared: IntensityRange | None) -> Path:
    """Write a plane as PNG, as it is where that is possible, else in 8 bits."""
    if shared is not None or (plane.dtype == np.uint16 and plane.ndim == 3):
        plane = to_rgb(plane, shared)
    try:
        return write_image(path, plane, overwrite=True)
    except ImageError:  # floats, or whole numbers of more than 16 bits
        return write_image(path, to_rgb(plane), overwrite=True)
