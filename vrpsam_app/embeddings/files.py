"""A folder of embeddings on disk: one Zarr archive for each, checked whenever it is read."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import os
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import OutputError

_log = logging.getLogger(__name__)

FORMAT = "vrpsam-embedding/1"
SUFFIX = ".zarr.zip"
DEFAULT_MAX_DISK_BYTES = 10 * 1024**3
# Far above any embedding; a file that claims more is not one of ours, and is not read.
MAX_ENTRY_BYTES = 2 * 1024**3

# Only such files are ever removed, whatever else lies in the folder.
_ENTRY = re.compile(r"[0-9a-f]{40}\.zarr\.zip")
_PARTIAL = re.compile(r"\.[0-9a-f]{40}-[0-9a-f]{8}\.part")
_DTYPES = frozenset({"float16", "float32", "int32", "int64", "uint8", "bool"})
# A file that is being written by another process is younger than this, in seconds.
_ABANDONED_AFTER = 3600.0
# Each process looks at the whole folder once it has written this share of what is allowed.
_LOOK_EVERY = 1 / 20
# How full the folder is left when the least recently used entries were removed.
_LEAVE = 0.9
# Tells backup programs that the folder can be made again (bford.info/cachedir).
_CACHE_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# Embeddings of images, kept by vrpsam.\n"
)


class EmbeddingFolder:
    """Records of arrays by key, shared by all processes that name the same folder.

    Parameters
    ----------
    folder : made if it is missing
    max_bytes : size on disk above which the least recently used entries are removed
        Held by each process for itself: several that write at once may exceed it by 5 % each.

    Raises
    ------
    OutputError
        If the folder cannot be made.

    Notes
    -----
    An entry is a Zarr group of all arrays of one record in one zip file, written under another name
    and then renamed: a reader sees all of it or nothing, and of two that write the same entry
    either one stays. The group's attributes hold the whole key and the SHA-256 of the arrays. An
    entry that is cut short, changed, of another format or of another key counts as missing.
    """

    def __init__(self, folder: str | Path, *, max_bytes: int = DEFAULT_MAX_DISK_BYTES) -> None:
        self.folder = Path(folder).expanduser()
        self.max_bytes = max_bytes
        self._written_unseen = 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            tag = self.folder / "CACHEDIR.TAG"
            if not tag.exists():
                tag.write_text(_CACHE_TAG, encoding="ascii")
        except OSError as error:
            raise OutputError(
                f"The folder {self.folder} cannot keep embeddings ({error.strerror}). Choose one "
                "that may be written to, or work without it."
            ) from error
        self.make_room()

    @property
    def nbytes(self) -> int:
        """Size of all entries on disk in bytes."""
        return sum(size for _, size, _ in self._entries())

    def __len__(self) -> int:
        return len(self._entries())

    def __contains__(self, key: str) -> bool:
        """Tell whether there is an entry; whether it is whole, only reading shows."""
        return self.path_of(key).is_file()

    def path_of(self, key: str) -> Path:
        """Return where the entry of a key lies, or would lie."""
        name = hashlib.blake2b(key.encode(), digest_size=20).hexdigest()
        return self.folder / f"{name}{SUFFIX}"

    def read(self, key: str) -> dict[str, NDArray[Any]] | None:
        """Return the arrays of a key, or None if they are not there or not what was written."""
        path = self.path_of(key)
        try:
            if not path.is_file():
                return None
            arrays = _read_entry(path, key)
        except Exception as error:  # damaged archives make their readers raise anything
            _log.warning("%s cannot be used and is made again: %s", path, error)
            return None
        with contextlib.suppress(OSError):  # a folder that may only be read
            os.utime(path)  # by this time the least recently used entry is known
        return arrays

    def write(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep the arrays of a key, in the place of what may be there.

        Raises
        ------
        OutputError
            If the folder cannot be written to or the disk is full. Nothing is left behind.
        """
        path = self.path_of(key)
        partial = path.with_name(f".{path.name.removesuffix(SUFFIX)}-{secrets.token_hex(4)}.part")
        try:
            _write_entry(partial, key, arrays)
            size = partial.stat().st_size
            os.replace(partial, path)
        except OSError as error:
            raise OutputError(
                f"An embedding cannot be kept in {self.folder} ({error.strerror or error}). Check "
                "the folder's rights and the free space, or choose another folder."
            ) from error
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        self._written_unseen += size
        if self._written_unseen > self.max_bytes * _LOOK_EVERY:
            self.make_room()

    def make_room(self) -> None:
        """Remove what was left behind, and the least recently used entries of a full folder."""
        self._written_unseen = 0
        entries = self._entries()
        total = sum(size for _, size, _ in entries)
        if total <= self.max_bytes:
            return
        for _, size, path in sorted(entries):
            if total <= self.max_bytes * _LEAVE:
                break
            with contextlib.suppress(OSError):  # removed by another process, or being read there
                path.unlink()
                total -= size

    def _entries(self) -> list[tuple[int, int, Path]]:
        """Return when each entry was last used, its size and path; remove abandoned files."""
        found = []
        with os.scandir(self.folder) as listing:
            for item in listing:
                partial = bool(_PARTIAL.fullmatch(item.name))
                if not partial and not _ENTRY.fullmatch(item.name):
                    continue
                with contextlib.suppress(OSError):  # gone meanwhile
                    state = item.stat()
                    if not partial:
                        found.append((state.st_mtime_ns, state.st_size, Path(item.path)))
                    elif time.time() - state.st_mtime > _ABANDONED_AFTER:
                        os.unlink(item.path)
        return found


def _write_entry(path: Path, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    import zarr
    from zarr.codecs import BloscCodec
    from zarr.storage import ZipStore

    # Halves of 16-bit floats differ in how they repeat: bit planes shrink them by a quarter, in a
    # few milliseconds where stronger compressors need tens.
    smaller = BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")
    orders = {name: _memory_order(array) for name, array in arrays.items()}
    stored = {name: array.transpose(orders[name]) for name, array in arrays.items()}
    header = {"format": FORMAT, "key": key, "orders": orders, "sha256": _digest(stored, orders)}
    with contextlib.closing(ZipStore(path, mode="w")) as store:
        group = zarr.create_group(store, attributes=header)
        for name, array in stored.items():
            group.create_array(
                name, data=array, chunks=_one_chunk(array.shape), compressors=smaller
            )


def _read_entry(path: Path, key: str) -> dict[str, NDArray[Any]]:
    """Read and check an entry; raises whatever a damaged one makes the readers raise."""
    import zarr
    from zarr.storage import ZipStore

    with contextlib.closing(ZipStore(path, mode="r")) as store:
        group = zarr.open_group(store, mode="r")
        header: dict[str, Any] = dict(group.attrs)
        if header.get("format") != FORMAT or header.get("key") != key:
            raise ValueError("it belongs to something else")
        stored = dict(group.arrays())
        for array in stored.values():
            if str(array.dtype) not in _DTYPES:
                raise ValueError("it holds other things than numbers")
            if array.chunks != _one_chunk(array.shape):
                raise ValueError("its arrays are cut in another way")
        size = sum(math.prod(a.chunks) * a.dtype.itemsize for a in stored.values())
        if size > MAX_ENTRY_BYTES:
            raise ValueError(f"it claims to hold {size} bytes")
        arrays = {name: np.asarray(array[...]) for name, array in stored.items()}
    orders = header["orders"]
    if header.get("sha256") != _digest(arrays, orders):
        raise ValueError("its checksum is another one")
    return {name: array.transpose(np.argsort(orders[name])) for name, array in arrays.items()}


def _memory_order(array: NDArray[Any]) -> list[int]:
    """Return the axes from the slowest to the fastest in memory.

    Arrays come back as they lay in memory, channels last for instance: what is computed from them
    is then computed in the same order, and gives equal bytes in equal time.
    """
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    return order if array.transpose(order).flags.c_contiguous else list(range(array.ndim))


def _one_chunk(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the chunk that holds a whole array; no side of a chunk is 0."""
    return tuple(max(1, n) for n in shape)


def _digest(arrays: Mapping[str, NDArray[Any]], orders: Mapping[str, list[int]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape} {orders[name]} ".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
