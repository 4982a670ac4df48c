"""DICOM: a series of files as a stack, or the frames of one file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageFileError
from vrpsam_app.file_errors import reading
from vrpsam_app.readers.dicom_frames import Frame, frames_of, in_order, pixel_spacing
from vrpsam_app.readers.scenes import chosen_scene
from vrpsam_app.stacks.axes import UNKNOWN, FileImage
from vrpsam_app.stacks.lazy_planes import PlaneSource, box_of_planes, lazy_array

_SIGNATURE_AT = 128
_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
# What has to be the same in all files of a stack, and what people call it.
_ALIKE = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "PhotometricInterpretation")
_TIMED = ("FrameTime", "FrameTimeVector", "CineRate", "RecommendedDisplayFrameRate")


def is_dicom(start: bytes) -> bool:
    """Return whether a file's first bytes are those of DICOM."""
    return start[_SIGNATURE_AT : _SIGNATURE_AT + 4] == b"DICM"


def open_dicom(
    files: Sequence[Path], path: Path, *, scene: int | str | None, max_pixels: int
) -> FileImage:
    """Open the files of one series.

    Parameters
    ----------
    files : with DICOM's signature; those without an image (an index, a report) are passed over
    path : the folder or the file
    scene : which series, if there are several
    max_pixels : the largest plane that is decoded

    Returns
    -------
    image : FileImage
        Sorted by position along the normal of the planes; else by instance number. Positions that
        all occur several times make a time axis. The rescaling of each file is applied: integers
        stay integers where the slope is 1, else values are float32. MONOCHROME1 is inverted,
        palettes become colours. Pixel sizes are in millimetres.

    Raises
    ------
    ImageFileError
        If there is no image, there are several series and none is chosen, files do not fit
        together, are truncated, too large, or compressed in a way that is not supported.
    """
    headers = {file: header for file in files if (header := _header(file)) is not None}
    if not headers:
        raise ImageFileError(f"{path} holds no DICOM image. Check the name, or copy it again.")
    series: dict[str, list[Path]] = {}
    for file, header in headers.items():
        series.setdefault(str(header.get("SeriesInstanceUID") or ""), []).append(file)
    members = list(series.values())
    number, name = chosen_scene([_series_name(m, headers) for m in members], scene, path)
    chosen = members[number]
    first = headers[chosen[0]]
    _check_alike(chosen, headers)
    _check_readable(chosen, headers, max_pixels)
    frames, axes, spacing = in_order([f for file in chosen for f in frames_of(file, headers[file])])
    if len(chosen) == 1 and axes == (UNKNOWN,) and any(first.get(tag) for tag in _TIMED):
        axes = ("t",)
    source = _DicomFrames(path, frames, [headers[file] for file in chosen])
    plane = ("y", "x", "s") if source.samples else ("y", "x")
    lazy = lazy_array(source, (1,) * frames.ndim + source.shape[frames.ndim :])
    return FileImage(
        lazy, (*axes, *plane), path, pixel_size=pixel_spacing(first, spacing), scene=name
    )


class _DicomFrames(PlaneSource):
    """Frames in the order of a stack, rescaled as their files say."""

    concurrent = True

    def __init__(self, path: Path, frames: NDArray[np.object_], headers: Sequence[Any]) -> None:
        rows, cols, self.samples, dtype = _plane_of(headers)
        samples = (self.samples,) if self.samples else ()
        super().__init__(path, (*frames.shape, rows, cols, *samples), dtype)
        self.frames = frames

    def _read_box(self, handle: None, box: tuple[slice, ...]) -> NDArray[Any]:
        leading = self.frames.ndim
        chosen = self.frames[box[:leading]]
        planes = [self._plane(frame)[box[leading:]] for frame in chosen.ravel()]
        return box_of_planes(planes, chosen.shape)

    def _plane(self, frame: Frame) -> NDArray[Any]:
        from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
        from pydicom.pixels.utils import pixel_array

        with reading(frame.path):
            header = _read_header(frame.path)
            values = pixel_array(frame.path, index=frame.index)
            kind = header.PhotometricInterpretation
            if kind == "PALETTE COLOR":
                return np.asarray(apply_color_lut(values, header)).astype(self.dtype)
            if kind == "MONOCHROME1":
                low, high = _stored_range(header)
                values = (low + high - values.astype(np.int64)).astype(values.dtype)
            if not self.samples and _is_rescaled(header):
                values = apply_modality_lut(values, _with_rescale(header))
            return values.astype(self.dtype)


def _read_header(path: Path) -> Any:
    from pydicom import dcmread

    return dcmread(path, stop_before_pixels=True)


def _header(path: Path) -> Any:
    """Return the header of an image, None for an index, a report or another object without one."""
    with reading(path):
        header = _read_header(path)
        return header if "Rows" in header and "Columns" in header else None


def _series_name(files: Sequence[Path], headers: dict[Path, Any]) -> str:
    header = headers[files[0]]
    words = [str(header.get(tag) or "") for tag in ("SeriesDescription", "Modality")]
    return f"{' '.join(filter(None, words)) or 'series'} ({len(files)} files)"


def _check_alike(files: Sequence[Path], headers: dict[Path, Any]) -> None:
    first = headers[files[0]]
    for file in files:
        for tag in _ALIKE:
            if headers[file].get(tag) != first.get(tag):
                raise ImageFileError(
                    f"{file} has {tag} {headers[file].get(tag)}, but {files[0].name} has "
                    f"{first.get(tag)}: the planes of a stack are alike. Move it to a folder of "
                    "its own."
                )


def _check_readable(files: Sequence[Path], headers: dict[Path, Any], max_pixels: int) -> None:
    from pydicom.pixels.decoders.base import get_decoder

    for file in files:
        header = headers[file]
        if str(header.get("SOPClassUID")) == _WHOLE_SLIDE:
            raise ImageFileError(
                f"{file} is a slide in tiles: expected planes. Convert it to OME-TIFF."
            )
        rows, cols = int(header.Rows), int(header.Columns)
        if rows * cols > max_pixels:
            raise ImageFileError(
                f"{file} has {rows} x {cols} pixels: at most {max_pixels} are read. Crop or shrink "
                "it, or raise max_pixels."
            )
        syntax = header.file_meta.TransferSyntaxUID
        if not syntax.is_compressed:
            values = rows * cols * int(header.get("SamplesPerPixel") or 1)
            values *= int(header.get("NumberOfFrames") or 1)
            subsampled = header.PhotometricInterpretation == "YBR_FULL_422"
            bits = values * int(header.BitsAllocated) * (2 if subsampled else 3) // 3
            if file.stat().st_size < bits // 8:
                raise ImageFileError(f"{file} is truncated. Copy or export it again.")
        elif not get_decoder(syntax).is_available:
            needed = "; ".join(get_decoder(syntax).missing_dependencies)
            raise ImageFileError(
                f"{file} is compressed as {syntax.name}, for which no decoder is installed: "
                f"expected one of {needed}. Install one, or export the series uncompressed."
            )


def _plane_of(headers: Sequence[Any]) -> tuple[int, int, int, np.dtype[Any]]:
    """Return rows, columns, samples (0 for grey) and type of the planes of a series."""
    from pydicom.pixels.utils import pixel_dtype

    first = headers[0]
    rows, cols = int(first.Rows), int(first.Columns)
    stored = pixel_dtype(first, as_float="FloatPixelData" in first).newbyteorder("=")
    if first.PhotometricInterpretation == "PALETTE COLOR":
        bits = int(first.RedPaletteColorLookupTableDescriptor[2])
        return rows, cols, 3, np.dtype(np.uint16 if bits > 8 else np.uint8)
    if int(first.get("SamplesPerPixel") or 1) > 1:
        return rows, cols, int(first.SamplesPerPixel), stored
    if not any(_is_rescaled(header) for header in headers):
        return rows, cols, 0, stored
    whole = all(_is_whole_shift(header) for header in headers)
    return rows, cols, 0, np.dtype(np.int32 if whole else np.float32)


def _rescale(header: Any) -> tuple[float, float]:
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    return (1.0 if slope is None else float(slope)), (
        0.0 if intercept is None else float(intercept)
    )


def _is_rescaled(header: Any) -> bool:
    return bool(header.get("ModalityLUTSequence")) or _rescale(header) != (1.0, 0.0)


def _is_whole_shift(header: Any) -> bool:
    slope, intercept = _rescale(header)
    shifted = slope == 1 and intercept == math.floor(intercept)
    return shifted and not header.get("ModalityLUTSequence") and int(header.BitsAllocated) <= 16


def _with_rescale(header: Any) -> Any:
    """Return a header that states both numbers, of which a file may leave one out."""
    header.RescaleSlope, header.RescaleIntercept = _rescale(header)
    return header


def _stored_range(header: Any) -> tuple[int, int]:
    """Return the least and largest number that a file can store."""
    bits = int(header.BitsStored)
    signed = int(header.get("PixelRepresentation") or 0) == 1
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
