"""The zip file of a reference library: one JSON document and the files it names, read with care."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.image_files import write_whole
from vrpsam_app.json_fields import json_object, json_text

DOCUMENT = "library.json"
MAX_BYTES = 1024**3
_MAX_FILES = 50_000
_MAX_DOCUMENT_BYTES = 64 * 1024**2
# A file that claims to unpack to more than this, and to more than so many times its own size, was
# made to fill the memory. What is written here never is: see `_is_worth_packing`.
_HARMLESS_BYTES = 64 * 1024**2
_MOST_EXPANSION = 12
# Names of the files: no folders but these, nothing that leads out of them.
_NAME = re.compile(r"(?:images|marks|thumbnails)/[A-Za-z0-9_-]{1,100}\.(?:png|npy)")
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def read_archive(
    path: Path, *, max_bytes: int = MAX_BYTES
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read a library's document and files into memory, the files unpacked but not decoded.

    Nothing is written to disk, and no more is unpacked than `max_bytes`.

    Returns
    -------
    document : dict
        Its fields are not checked but for the list of files.
    files : dict
        Content by name, each with the checksum that the document states.

    Raises
    ------
    ConfigError
        If the file is missing, no library, damaged, or made to do harm.
    """
    try:
        data = _read_bounded(path, max_bytes)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = _checked_members(archive, len(data), max_bytes)
            document = json_object(json.loads(archive.read(members.pop(DOCUMENT))), DOCUMENT)
            files = {name: archive.read(info) for name, info in members.items()}
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except OSError as error:
        raise ConfigError(
            f"The reference library {path} cannot be read ({error.strerror or error}). Give the "
            "path of a .zip that was saved as a library."
        ) from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        KeyError,
        NotImplementedError,
        RecursionError,
        RuntimeError,
        ValueError,
    ) as error:
        raise ConfigError(
            f"{path} is not a reference library, or is damaged ({error}). Use a copy of the "
            "original."
        ) from error
    sums = json_object(document.get("files"), f"{path}: files")
    for name, content in files.items():
        stated = json_text(sums.get(name), f"{path}: files[{name!r}]")
        if hashlib.sha256(content).hexdigest() != stated:
            raise ConfigError(
                f"{path}: {name} is not what was saved; the file is damaged or was edited. Use a "
                "copy of the original."
            )
    return document, files


def write_archive(
    path: Path, document: Mapping[str, Any], files: Mapping[str, bytes], *, overwrite: bool = False
) -> None:
    """Write a library: the whole file or nothing, the same bytes for the same content.

    Raises
    ------
    OutputError
        If `path` exists and `overwrite` is False, it cannot be written, or nothing could read it.
    """
    if (size := sum(map(len, files.values()))) > MAX_BYTES:
        raise OutputError(
            f"{path} would hold {size / 1e9:.1f} GB of references: expected at most "
            f"{MAX_BYTES / 1e9:.1f}. Split the library, or crop the images."
        )
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    text = json.dumps({**document, "files": sums}, indent=1, ensure_ascii=False) + "\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in {DOCUMENT: text.encode(), **dict(sorted(files.items()))}.items():
            info = zipfile.ZipInfo(name, _NO_DATE)
            info.create_system = 3  # so that the rights below mean the same everywhere
            info.external_attr = 0o644 << 16
            info.compress_type = (
                zipfile.ZIP_DEFLATED if _is_worth_packing(name, content) else zipfile.ZIP_STORED
            )
            archive.writestr(info, content)
    write_whole(path, stream.getvalue(), overwrite=overwrite)


def _read_bounded(path: Path, max_bytes: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ConfigError(
            f"It is larger than {max_bytes / 1e6:.0f} MB: expected a reference library. Split it."
        )
    return data


def _checked_members(
    archive: zipfile.ZipFile, packed_bytes: int, max_bytes: int
) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name, having looked at what they claim to be; nothing is unpacked."""
    infos = archive.infolist()
    if len(infos) > _MAX_FILES:
        raise ConfigError(f"It holds {len(infos)} files: expected at most {_MAX_FILES}.")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        if info.filename in members or not (
            info.filename == DOCUMENT or _NAME.fullmatch(info.filename)
        ):
            raise ConfigError(
                f"It holds {info.filename[:80]!r}, which no library does: expected {DOCUMENT} and "
                "pictures. Use a copy of the original."
            )
        members[info.filename] = info
    if DOCUMENT not in members:
        raise ConfigError(f"It holds no {DOCUMENT}: expected a .zip that was saved as a library.")
    size = sum(info.file_size for info in infos)
    if (
        size > max_bytes
        or members[DOCUMENT].file_size > _MAX_DOCUMENT_BYTES
        or size > max(_HARMLESS_BYTES, _MOST_EXPANSION * packed_bytes)
    ):
        raise ConfigError(
            f"It would unpack to {size / 1e6:.0f} MB, more than a library of its size holds. Do "
            "not open it unless you know who made it."
        )
    return members


def _is_worth_packing(name: str, content: bytes) -> bool:
    """Tell raw pixels that shrink, but not so much that they would look like a bomb."""
    if name.endswith(".png"):
        return False
    return 1.1 < len(content) / len(zlib.compress(content, 6)) < _MOST_EXPANSION - 2
