"""NIfTI volumes and their ancestor Analyze, plane by plane."""

from __future__ import annotations

import gzip
import math
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageFileError
from vrpsam_app.readers.stated_size import stated_size
from vrpsam_app.stacks.axes import FileImage
from vrpsam_app.stacks.lazy_planes import PlaneSource, lazy_array
from vrpsam_app.stacks.stack import PixelSize

_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz")
_HEADER_SIZES = (348, 540)
# Axes of NIfTI from the slowest: what lies behind time is a vector or anything.
_AXES = ("l", "k", "i", "t", "z", "y", "x")
_UNITS = {"meter": "m", "mm": "mm", "micron": "um"}


def is_nifti(start: bytes, path: Path) -> bool:
    """Return whether a file begins as NIfTI does, or is packed and named like it."""
    if start[:2] == b"\x1f\x8b" or path.name.lower().endswith((".img", ".img.gz")):
        return path.name.lower().endswith(_SUFFIXES)
    sizes = (struct.unpack(order + "i", start[:4])[0] for order in "<>" if len(start) >= 4)
    return any(size in _HEADER_SIZES for size in sizes)


def open_nifti(path: Path) -> FileImage:
    """Open a NIfTI or Analyze volume.

    Parameters
    ----------
    path : ``.nii``, ``.nii.gz``, or either of ``.hdr`` and ``.img``

    Returns
    -------
    image : FileImage
        Voxel (i, j, k) is column i, row j, plane k: nothing is turned or mirrored. Scaled values
        are float32, others are kept as they are. Voxel sizes are those of the header's
        transformation, in its unit; in millimetres where it has a transformation and no unit.

    Raises
    ------
    ImageFileError
        If it is damaged, ends early, or its values are no intensities.
    """
    import nibabel

    loaded: Any = nibabel.load(path)
    proxy = loaded.dataobj
    stored = np.dtype(proxy.dtype)
    if 0 in proxy.shape or len(proxy.shape) < 2:
        raise ImageFileError(f"{path} holds an array of shape {proxy.shape}: expected planes.")
    samples = len(stored.fields) if stored.fields else 0
    if stored.kind not in "buif" and samples not in (3, 4):
        raise ImageFileError(
            f"{path} holds values of type {stored}: expected integers, floats or RGB."
        )
    _check_length(loaded, path)
    scaled = (proxy.slope, proxy.inter) != (1.0, 0.0) and not samples
    dtype = np.dtype(np.float32) if scaled else np.dtype(np.uint8) if samples else stored
    source = _NiftiVolume(path, proxy.shape, dtype.newbyteorder("="), samples)
    axes = (*_AXES[-len(proxy.shape) :], *(("s",) if samples else ()))
    plane = source.shape[-3:] if samples else source.shape[-2:]
    data = lazy_array(source, (1,) * (source.ndim - len(plane)) + plane)
    return FileImage(data, axes, path, pixel_size=_voxel_size(loaded))


class _NiftiVolume(PlaneSource):
    """A volume whose axes are those of the file the other way round."""

    def __init__(self, path: Path, shape: Sequence[int], dtype: np.dtype[Any], samples: int):
        super().__init__(path, (*shape[::-1], *((samples,) if samples else ())), dtype)
        self.samples = samples

    def _open_file(self) -> Any:
        import nibabel

        # A packed file is unpacked from its beginning each time it is opened: it is kept open,
        # so that planes in their order are unpacked once.
        packed = self.path.name.endswith(".gz")
        return nibabel.load(self.path, keep_file_open=packed).dataobj  # type: ignore[attr-defined]

    def _read_box(self, handle: Any, box: tuple[slice, ...]) -> NDArray[Any]:
        inner = box[:-1] if self.samples else box
        values: NDArray[Any] = np.asarray(handle[inner[::-1]]).T
        if self.samples:
            fields = [values[name] for name in values.dtype.names or ()]
            values = np.stack(fields, axis=-1)[..., box[-1]]
        return values.astype(self.dtype)


def _check_length(loaded: Any, path: Path) -> None:
    """Refuse a volume whose file is shorter than its header says."""
    proxy = loaded.dataobj
    needed = proxy.offset + math.prod(proxy.shape) * proxy.dtype.itemsize
    pixels = Path(loaded.file_map["image"].filename)
    if pixels.name.endswith(".gz"):
        complete = _unpacked_size_modulo(pixels) == needed % 2**32 or _unpacks_to(pixels, needed)
    else:
        complete = pixels.stat().st_size >= needed
    if not complete:
        raise ImageFileError(f"{path} is truncated. Copy or export it again.")


def _unpacked_size_modulo(path: Path) -> int:
    """Return what the last four bytes of a gzip file say of its unpacked size."""
    with path.open("rb") as file:
        file.seek(-4, 2)
        return int.from_bytes(file.read(4), "little")


def _unpacks_to(path: Path, needed: int) -> bool:
    """Unpack a file of several gzip members, which says its size only for the last."""
    found = 0
    try:
        with gzip.open(path) as file:
            while found < needed and (data := file.read(2**20)):
                found += len(data)
    except (EOFError, OSError):
        return False
    return found >= needed


def _voxel_size(loaded: Any) -> PixelSize | None:
    from nibabel.affines import voxel_sizes

    header = loaded.header
    units = header.get_xyzt_units()[0] if hasattr(header, "get_xyzt_units") else "unknown"
    unit = _UNITS.get(units)
    if unit is None and hasattr(header, "get_sform"):
        placed = int(header["qform_code"]) > 0 or int(header["sform_code"]) > 0
        unit = "mm" if placed else None  # NIfTI's transformations lead to millimetres
    if unit is None:
        return None
    measure: Callable[[Any], Any] = voxel_sizes
    # The header has single precision: 0.7 and not 0.699999988.
    cols, rows, planes = (float(f"{size:.6g}") for size in measure(loaded.affine))
    return stated_size(rows, cols, planes if len(loaded.shape) > 2 else None, unit)
