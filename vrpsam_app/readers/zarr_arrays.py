"""Zarr arrays and groups, versions 2 and 3, as folders or zip files, with or without OME's axes."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageFileError
from vrpsam_app.readers.ome_zarr import images_named, multiscale_of, ome_attributes
from vrpsam_app.readers.picture import natural_key
from vrpsam_app.readers.scenes import chosen_scene
from vrpsam_app.readers.stated_size import own_size
from vrpsam_app.stacks.axes import UNKNOWN, FileImage, axes_of_shape, axis_name
from vrpsam_app.stacks.lazy_planes import PlaneSource, lazy_array, plane_chunks

_MARKERS = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
_ZIPPED = (".zip", ".ozx")
# Where chunks reach over several planes, so many bytes of planes around the wanted one are kept.
_KEPT_BYTES = 128 * 2**20


def is_zarr(path: Path) -> bool:
    """Return whether a folder is a Zarr array or group, or a zip file is named like one."""
    if path.is_dir():
        return any((path / marker).is_file() for marker in _MARKERS)
    return path.suffix.lower() in _ZIPPED


def open_zarr(path: Path, *, scene: int | str | None, max_pixels: int) -> FileImage:
    """Open a Zarr array, an OME-Zarr image, or a group that holds one.

    Parameters
    ----------
    path : folder or zip file; a path below the root (a field of a plate, a label image) too
        Axes are OME's, or Zarr's dimension names, or those that xarray writes; without names the
        last two are rows and columns, and three or four values at the end are colours.
    scene : which image, if there are several
    max_pixels : the largest chunk that is decoded

    Raises
    ------
    ImageFileError
        If it is no Zarr, its numbers are no intensities, its chunks are too large, or there are
        several images and none is chosen.
    """
    inner, name = "", None
    node = open_zarr_store(_store(path))
    for _ in range(8):  # a field in a well in a group: no deeper than anybody nests
        if hasattr(node, "chunks"):
            return _image(path, inner, node, _own_axes(node), max_pixels, name)
        ome = ome_attributes(node.attrs.asdict())
        multiscale = multiscale_of(ome, path)
        if multiscale is not None:
            inner = f"{inner}/{multiscale.full}".strip("/")
            image = _image(path, inner, node[multiscale.full], multiscale.axes, max_pixels, name)
            return FileImage(
                image.data,
                image.axes,
                path,
                multiscale.channel_names,
                multiscale.pixel_size,
                name,
            )
        names = images_named(ome, path) or _members(node)
        if not names:
            break
        number, chosen = chosen_scene(names, scene, path)
        name, scene = (chosen or name), (None if chosen else scene)
        inner = f"{inner}/{names[number]}".strip("/")
        node = node[names[number]]
    raise ImageFileError(
        f"{path} is a Zarr group without an array: expected an image. Check the name, or copy it "
        "again."
    )


def open_zarr_store(store: Any, inner: str = "") -> Any:
    """Open a Zarr array or group to be read.

    Parameters
    ----------
    store : a path, or a store of Zarr
    inner : where in it
    """
    import zarr

    return zarr.open(store=store, path=inner, mode="r")


def _store(path: Path) -> Any:
    if path.is_dir():
        return path
    from zarr.storage import ZipStore

    return ZipStore(path, mode="r")


def _members(group: Any) -> list[str]:
    """Return the images directly in a group, in natural order; arrays further down if none is."""
    arrays = [name for name, _ in group.arrays()]
    images = [
        name
        for name, child in group.groups()
        if "multiscales" in ome_attributes(child.attrs.asdict())
    ]
    names = arrays + images
    if not names:
        names = [name for name, node in group.members(max_depth=None) if hasattr(node, "chunks")]
    return sorted(names, key=lambda name: natural_key(Path(name)))


def _own_axes(array: Any) -> tuple[str, ...]:
    """Return the names that an array carries itself."""
    names = getattr(array.metadata, "dimension_names", None)
    names = names or array.attrs.asdict().get("_ARRAY_DIMENSIONS")
    if not names or len(names) != array.ndim:
        return axes_of_shape(array.shape)
    known = tuple(UNKNOWN if name is None else axis_name(str(name)) for name in names)
    return known if {"y", "x"} <= set(known) else axes_of_shape(array.shape)


def _image(
    path: Path,
    inner: str,
    array: Any,
    axes: tuple[str, ...],
    max_pixels: int,
    name: str | None,
) -> FileImage:
    if array.dtype.kind not in "buif":
        raise ImageFileError(
            f"{path} holds values of type {array.dtype}: expected integers or floats."
        )
    if len(axes) != array.ndim or array.ndim < 2 or 0 in array.shape:
        raise ImageFileError(
            f"{path} holds an array of shape {array.shape} with axes {axes}: expected planes of "
            "rows and columns. Check how it was written."
        )
    if math.prod(array.chunks) > max_pixels:
        raise ImageFileError(
            f"{path} has chunks of {array.chunks}: at most {max_pixels} pixels are decoded at "
            "once. Write it in smaller chunks, or raise max_pixels."
        )
    source = _ZarrSource(path, inner, array.shape, array.dtype, axes, array.chunks)
    data = lazy_array(source, plane_chunks(array.shape, axes, array.chunks))
    return FileImage(data, axes, path, pixel_size=own_size(array.attrs.asdict()), scene=name)


class _ZarrSource(PlaneSource):
    """A Zarr array; of chunks that reach over several planes, what was decoded is kept a while."""

    concurrent = True

    def __init__(
        self,
        path: Path,
        inner: str,
        shape: Sequence[int],
        dtype: Any,
        axes: Sequence[str],
        chunks: Sequence[int],
    ) -> None:
        super().__init__(path, shape, np.dtype(dtype).newbyteorder("="))
        self.inner = inner
        # How many planes each chunk holds along each axis.
        self.depths = tuple(
            1 if axis in ("y", "x", "s") else chunk
            for axis, chunk in zip(axes, chunks, strict=True)
        )

    def _open_file(self) -> _OpenArray:
        return _OpenArray(_store(self.path), self.inner)

    def _read_box(self, handle: _OpenArray, box: tuple[slice, ...]) -> NDArray[Any]:
        if max(self.depths) == 1:
            return handle.read(box)
        around = tuple(
            slice(part.start // depth * depth, min(-(-part.stop // depth) * depth, length))
            if depth > 1
            else part
            for part, depth, length in zip(box, self.depths, self.shape, strict=True)
        )
        if math.prod(part.stop - part.start for part in around) * self.dtype.itemsize > _KEPT_BYTES:
            return handle.read(box)
        planes = handle.kept(around)
        within = tuple(
            slice(part.start - whole.start, part.stop - whole.start)
            for part, whole in zip(box, around, strict=True)
        )
        return planes[within].copy()


class _OpenArray:
    """An open array and the planes that were decoded last."""

    def __init__(self, store: Any, inner: str) -> None:
        self._store = store
        self._array = open_zarr_store(store, inner)
        self._kept: OrderedDict[tuple[tuple[int, int], ...], NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, box: tuple[slice, ...]) -> NDArray[Any]:
        return np.asarray(self._array[box])

    def kept(self, box: tuple[slice, ...]) -> NDArray[Any]:
        key = tuple((part.start, part.stop) for part in box)
        with self._lock:  # so that no two threads decode the same
            planes = self._kept.pop(key, None)
            if planes is None:
                planes = self.read(box)
            self._kept[key] = planes
            while sum(kept.nbytes for kept in self._kept.values()) > _KEPT_BYTES:
                self._kept.popitem(last=False)
            return planes

    def close(self) -> None:
        if hasattr(self._store, "close"):
            self._store.close()
        self._kept.clear()
