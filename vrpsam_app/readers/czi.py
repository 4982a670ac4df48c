"""Zeiss' CZI files, plane by plane, mosaics put together; with the "formats" extra."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageFileError
from vrpsam_app.file_errors import needs_formats
from vrpsam_app.readers.scenes import chosen_scene
from vrpsam_app.readers.stated_size import stated_size
from vrpsam_app.stacks.axes import FileImage
from vrpsam_app.stacks.lazy_planes import PlaneSource, box_of_planes, lazy_array, plane_chunks
from vrpsam_app.stacks.stack import PixelSize

CZI_SIGNATURE = b"ZISRAWFILE"
# Types of pixels: of numpy, and how many samples.
_PIXELS = {
    "Gray8": (np.uint8, 1),
    "Gray16": (np.uint16, 1),
    "Gray32Float": (np.float32, 1),
    "Bgr24": (np.uint8, 3),
    "Bgr48": (np.uint16, 3),
    "Bgr96Float": (np.float32, 3),
}
# Axes of CZI, the slowest first: block, view, phase, illumination, rotation, time, z, channel.
_AXES = "BVHIRTZC"


def open_czi(path: Path, *, scene: int | str | None) -> FileImage:
    """Open a scene of a CZI file.

    Parameters
    ----------
    path : of the file
    scene : which scene, if there are several

    Raises
    ------
    ImageFileError
        If there are several scenes and none is chosen, or channels differ in type.
    MissingExtraError
        If pylibCZIrw is not installed.
    """
    reader = _OpenCzi(path)
    try:
        document = reader.document
        scenes = document.scenes_bounding_rectangle_no_pyramid
        number, name = chosen_scene([f"scene {i}" for i in scenes] or ["image"], scene, path)
        region = list(scenes.values())[number] if scenes else None
        region = region or document.total_bounding_rectangle_no_pyramid
        lengths = document.total_bounding_box_no_pyramid
        kinds = set(document.pixel_types.values())
        if len(kinds) != 1 or not kinds <= set(_PIXELS):
            raise ImageFileError(
                f"{path} has pixels of {', '.join(sorted(kinds))}: expected one type of grey or "
                "RGB. Export it as OME-TIFF."
            )
        dtype, samples = _PIXELS[kinds.pop()]
        leading = [axis for axis in _AXES if axis in lengths]
        shape = (*(lengths[axis][1] - lengths[axis][0] for axis in leading), region.h, region.w)
        axes = (*(axis.lower() for axis in leading), "y", "x")
        if samples == 3:
            shape, axes = (*shape, 3), (*axes, "s")
        source = _CziScene(path, shape, dtype, "".join(leading), (region.x, region.y))
        source.scene = list(scenes)[number] if scenes else None
        metadata = ElementTree.fromstring(document.raw_metadata)
        return FileImage(
            lazy_array(source, plane_chunks(shape, axes)),
            axes,
            path,
            _channel_names(metadata),
            _pixel_size(metadata),
            name,
        )
    finally:
        reader.close()


class _CziScene(PlaneSource):
    """A scene; of each plane any region can be read."""

    scene: int | None = None

    def __init__(
        self,
        path: Path,
        shape: Sequence[int],
        dtype: Any,
        leading: str,
        corner_xy: tuple[int, int],
    ) -> None:
        super().__init__(path, shape, dtype)
        self.leading = leading
        self.corner_xy = corner_xy

    def _open_file(self) -> _OpenCzi:
        return _OpenCzi(self.path)

    def _read_box(self, handle: _OpenCzi, box: tuple[slice, ...]) -> NDArray[Any]:
        count = len(self.leading)
        rows, cols = box[count : count + 2]
        x, y = self.corner_xy
        region = (x + cols.start, y + rows.start, cols.stop - cols.start, rows.stop - rows.start)
        lengths = tuple(part.stop - part.start for part in box[:count])
        planes = []
        for index in np.ndindex(lengths):
            at = [part.start + i for part, i in zip(box[:count], index, strict=True)]
            plane = dict(zip(self.leading, at, strict=True))
            values = handle.document.read(roi=region, plane=plane, scene=self.scene)
            # Grey has one sample, colours are stored blue, green, red.
            seen = values[..., ::-1][..., box[-1]] if self.ndim > count + 2 else values[..., 0]
            planes.append(np.array(seen))
        return box_of_planes(planes, lengths)


class _OpenCzi:
    """An open document, closed once."""

    def __init__(self, path: Path) -> None:
        try:
            from pylibCZIrw import czi
        except ImportError as error:
            raise needs_formats(path, "pylibCZIrw") from error
        self._context = czi.open_czi(str(path))
        self.document = self._context.__enter__()

    def close(self) -> None:
        self._context.__exit__(None, None, None)


def _pixel_size(metadata: ElementTree.Element) -> PixelSize | None:
    """Return the scaling, which CZI states in metres."""
    distances = {
        distance.get("Id"): distance.findtext("Value")
        for distance in metadata.iterfind(".//Scaling/Items/Distance")
    }
    size = stated_size(distances.get("Y"), distances.get("X"), distances.get("Z"), "m")
    return size and size.to("um")


def _channel_names(metadata: ElementTree.Element) -> tuple[str, ...]:
    channels = metadata.iterfind(".//Information/Image/Dimensions/Channels/Channel")
    return tuple(channel.get("Name") or "" for channel in channels)
