"""TIFF stacks: ImageJ, OME (in several files and with pyramids too), plain pages, slides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from vrpsam_app.errors import ImageFileError
from vrpsam_app.file_errors import needs_formats, reading
from vrpsam_app.pillow_pictures import turned
from vrpsam_app.readers.name_gaps import warn_of_gaps
from vrpsam_app.readers.picture import open_picture
from vrpsam_app.readers.scenes import chosen_scene
from vrpsam_app.readers.tiff_metadata import (
    channel_names_of,
    described_by,
    files_named_in,
    own_axes,
    pixel_size_of,
)
from vrpsam_app.readers.tiff_sources import MappedTiff, PagedTiff, TiledTiff
from vrpsam_app.stacks.axes import UNKNOWN, FileImage
from vrpsam_app.stacks.lazy_planes import PLANE_VALUES, lazy_array, plane_chunks
from vrpsam_app.tiff_files import (
    TIFF_SIGNATURES,
    check_complete,
    check_numbers,
    chosen_samples,
    is_inverted,
    is_plain,
    needs_imagecodecs,
    open_tiff,
    orientation_of,
    page_header,
    palette_of,
    tiff_file,
)

# tifffile's letters for axes that nothing is known of.
_UNNAMED = ("I", "Q")
# Kinds of slides: the first series is the specimen, others are its label and an overview.
_SLIDES = ("avs", "bif", "indica", "ndpi", "philips", "qpi", "scn", "svs")


def open_tiff_image(path: Path, *, scene: int | str | None, max_pixels: int) -> FileImage:
    """Open a TIFF file of any number of planes; of a pyramid, the full size.

    Parameters
    ----------
    path : of the file
        Of an OME-TIFF in several files, any of them that holds the OME-XML; all in one folder.
    scene : which image, if the file holds several
    max_pixels : the largest part that is decoded at once, a plane or a tile of a large one

    Returns
    -------
    image : FileImage
        Inverted where zero is white and turned as the file asks. Palettes become colours; of a
        stack that ImageJ wrote they only tint intensities, or objects, and the numbers are kept.

    Raises
    ------
    ImageFileError
        If it is damaged, parts of it are missing, it holds several images and none is chosen, or
        what has to be decoded at once is too large.
    """
    with tiff_file(path) as file:
        _check_named_files(file.pages.first.description, path)
    with open_tiff(path) as file:
        number, name = _series_number(file, scene, path)
        series = file.series[number]
        check_numbers(series.keyframe, path)
        _check_complete(series, path)
        image = _opened(series, number, path, max_pixels)
        names = channel_names_of(file, number)
        return FileImage(
            image.data, image.axes, path, names, pixel_size_of(file, series, number), name
        )


def is_tiff_stack(path: Path) -> bool:
    """Return whether a file is a TIFF file of several planes."""
    with path.open("rb") as file:
        if not file.read(4).startswith(TIFF_SIGNATURES):
            return False
    with open_tiff(path, is_ome=False) as tiff:
        return any(math.prod(s.shape) > math.prod(s.keyframe.shape) for s in tiff.series[:1])


def open_tiff_folder(files: Sequence[Path], path: Path, *, max_pixels: int) -> FileImage:
    """Open TIFF stacks that are alike as one, each a step along a further axis: a time, in most.

    Parameters
    ----------
    files : in their order
    path : their folder, for messages
    max_pixels : the largest plane that is decoded

    Raises
    ------
    ImageFileError
        If one is damaged, or differs from the first in shape or type, by its name.
    """
    found: list[_Planes] = []
    sizes = []
    for file in files:
        with reading(file), open_tiff(file, is_ome=False) as tiff:
            number, _ = _series_number(tiff, None, file)
            series = tiff.series[number]
            _check_complete(series, file)
            page = series.keyframe
            if not (_is_paged(series) and _has_colours(page, file)):
                raise ImageFileError(
                    f"{file} has planes that are no pages of grey or colours: expected these in a "
                    "folder of stacks. Save it as a plain or OME-TIFF, or open it alone."
                )
            leading = _axes_of(series)[: -len(page.shape)]
            planes = _planes_of(series, leading, file, max_pixels)
            sizes.append(pixel_size_of(tiff, series, number))
        first = found[0] if found else planes
        if (planes.axes, planes.shape, planes.dtype) != (first.axes, first.shape, first.dtype):
            raise ImageFileError(
                f"{file} has shape {planes.shape} and type {planes.dtype}, but {files[0].name} has "
                f"{first.shape} and {first.dtype}: the stacks of a folder are alike. Move it to a "
                "folder of its own."
            )
        found.append(planes)
    warn_of_gaps(files)
    places = [place for planes in found for place in planes.places]
    together = replace(
        first, axes=(UNKNOWN, *first.axes), shape=(len(files), *first.shape), places=places
    )
    return FileImage(together.lazy(path), together.axes, path, pixel_size=sizes[0])


def _check_named_files(description: str, path: Path) -> None:
    """Refuse OME-XML that names files which are elsewhere, or not there."""
    if "<" not in description[:100]:
        return
    whole = described_by(description)
    if whole is not None:
        raise ImageFileError(
            f"{path} is part of an image that {whole} describes: open that file. If it is no TIFF "
            "file, export the image again as OME-TIFF."
        )
    for name in files_named_in(description):
        if PurePath(name).name != name or "\\" in name:
            raise ImageFileError(
                f"{path} names {name!r} as one of its files: expected files in the same folder. "
                "Export it again."
            )
        if name != path.name and not (path.parent / name).is_file():
            raise ImageFileError(
                f"{path} is one of several files, and {name} is not beside it. Copy all files of "
                "the set to one folder, under the names they had."
            )


def _series_number(file: Any, scene: int | str | None, path: Path) -> tuple[int, str | None]:
    """Return which series is the image, and its name if there are several."""
    if not file.series:
        raise ImageFileError(f"{path} holds no image. Copy or export it again.")
    if file.series[0].kind in _SLIDES and scene is None:
        return 0, None
    full = [i for i, series in enumerate(file.series) if not series.keyframe.is_reduced] or [0]
    names = [file.series[i].name or str(file.series[i].shape) for i in full]
    number, name = chosen_scene(names, scene, path)
    return full[number], name


def _check_complete(series: Any, path: Path) -> None:
    """Refuse a series of which a page is missing, or its numbers end beyond the file."""
    pages = list(series.pages)
    lacking = sum(page is None for page in pages)
    if lacking:
        raise ImageFileError(
            f"{path} lacks {lacking} of {len(pages)} planes. Copy or export it again, with all its "
            "files in one folder."
        )
    for page in pages:
        check_complete(page, path)
    if series.dataoffset is not None and not series.is_multifile:
        end = series.dataoffset + math.prod(series.shape) * series.keyframe.dtype.itemsize
        if end > series.keyframe.parent.filehandle.size:
            raise ImageFileError(f"{path} is truncated. Copy or export it again.")


def _opened(series: Any, number: int, path: Path, max_pixels: int) -> FileImage:
    """Choose how a series is read."""
    page = series.keyframe
    axes = _axes_of(series)
    if math.prod(page.shape) <= PLANE_VALUES and _has_colours(page, path):
        if len(page.parent.pages) == 1 and math.prod(series.shape) == math.prod(page.shape):
            return open_picture(path, max_pixels=max_pixels)
        if _is_paged(series):
            return _by_page(series, axes[: -len(page.shape)], path, max_pixels)
    if page.is_final and series.dataoffset is not None and not series.is_multifile:
        stored = np.dtype(page.parent.byteorder + page.dtype.char)
        mapped = MappedTiff(path, series.shape, stored, series.dataoffset)
        return _as_seen(lazy_array(mapped, plane_chunks(series.shape, axes)), axes, series, path)
    chunks = tuple(page.chunks)
    if math.prod(chunks) > max_pixels * page.samplesperpixel:
        raise ImageFileError(
            f"{path} has parts of {chunks} pixels that are decoded at once: at most {max_pixels} "
            "are read. Save it in tiles, or raise max_pixels."
        )
    if needs_imagecodecs(page):
        raise needs_formats(path, "imagecodecs")
    if not is_plain(page) and page.photometric.name != "YCBCR":
        raise ImageFileError(
            f"{path} has colours of the kind {page.photometric.name}: expected grey or RGB in a "
            "picture of this size. Convert it to RGB."
        )
    pieces = (1,) * (len(series.shape) - len(chunks)) + chunks
    tiled = TiledTiff(path, series.shape, page.dtype, number)
    lazy = lazy_array(tiled, plane_chunks(series.shape, axes, pieces))
    return _as_seen(lazy, axes, series, path)


def _axes_of(series: Any) -> tuple[str, ...]:
    known = tuple(UNKNOWN if axis in _UNNAMED else axis.lower() for axis in series.axes)
    return own_axes(series) or known


def _is_paged(series: Any) -> bool:
    """Return whether every plane is a page of its own."""
    leading = series.shape[: len(series.shape) - len(series.keyframe.shape)]
    return bool(math.prod(leading) == len(series.pages))


def _has_colours(page: Any, path: Path) -> bool:
    """Return whether the samples of a page are grey or colours, and no channels."""
    try:
        return page.axes in ("YX", "YXS", "SYX") and page_header(page, path).samples > 0
    except ImageFileError:
        return False


def _by_page(series: Any, leading: tuple[str, ...], path: Path, max_pixels: int) -> FileImage:
    planes = _planes_of(series, leading, path, max_pixels)
    return FileImage(planes.lazy(path), planes.axes, path)


@dataclass(frozen=True, slots=True)
class _Planes:
    """Planes that are pages: their axes, shape and type, and where each stands."""

    axes: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    palette: bool
    places: list[tuple[Path, int]]

    def lazy(self, path: Path) -> Any:
        source = PagedTiff(
            path,
            self.shape,
            self.dtype,
            self.places,
            plane_ndim=3 if "s" in self.axes else 2,
            palette=self.palette,
        )
        return lazy_array(source, plane_chunks(self.shape, self.axes))


def _planes_of(series: Any, leading: tuple[str, ...], path: Path, max_pixels: int) -> _Planes:
    palette = series.kind != "imagej"
    header = page_header(series.keyframe, path, palette=palette)
    if math.prod(header.hw) > max_pixels:
        raise ImageFileError(
            f"{path} has planes of {header.hw[0]} x {header.hw[1]} pixels: at most {max_pixels} "
            "are read. Crop it, or raise max_pixels."
        )
    colour = header.samples > 1
    return _Planes(
        (*leading, "y", "x", "s") if colour else (*leading, "y", "x"),
        (*series.shape[: len(leading)], *header.hw, *((header.samples,) if colour else ())),
        header.dtype,
        palette,
        [(Path(page.parent.filehandle.path), page.index) for page in series.pages],
    )


def _as_seen(data: Any, axes: tuple[str, ...], series: Any, path: Path) -> FileImage:
    """Do lazily what decoding a page does: invert, apply a palette, choose samples, turn."""
    page = series.keyframe
    if is_inverted(page):
        data = ~data
    palette = palette_of(page) if series.kind != "imagej" and "s" not in axes else None
    if palette is not None:
        chunks = (*data.chunks, (3,))
        data = data.map_blocks(
            palette.__getitem__, dtype=np.uint8, chunks=chunks, new_axis=data.ndim
        )
        axes = (*axes, "s")
    if "s" in axes:
        at = axes.index("s")
        data = np.moveaxis(data, at, -1)
        axes = (*axes[:at], *axes[at + 1 :], "s")
        chosen = chosen_samples(data.shape[-1], page)
        data = data if chosen is None else data[..., chosen]
    if orientation_of(page) > 1:
        plane = (axes.index("y"), axes.index("x"))
        upright = turned(np.moveaxis(data, plane, (0, 1)), orientation_of(page))
        data = np.moveaxis(upright, (0, 1), plane)
    return FileImage(data, axes, path)
