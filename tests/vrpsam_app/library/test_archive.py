"""The zip of a library: what may be in it, how large it may become, and damage that is found."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.library import archive as library_archive
from vrpsam_app.library.archive import DOCUMENT, read_archive, write_archive

FILES = {"images/a.png": b"picture", "marks/00001_positive.png": bytes(100)}


def library(path: Path) -> Path:
    write_archive(path / "lib.zip", {"references": []}, FILES)
    return path / "lib.zip"


def zip_of(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def twice(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, b"{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(name, b"{}")
    return stream.getvalue()


def encrypted(data: bytes) -> bytes:
    """Set the flag of encryption in both headers of every member."""
    changed = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.find(signature)
        while at >= 0:
            changed[at + offset] |= 1
            at = changed.find(signature, at + 1)
    return bytes(changed)


def test_comes_back(tmp_path: Path):
    document, files = read_archive(library(tmp_path))
    assert document["references"] == []
    assert files == FILES


def test_pixels_are_packed_where_it_helps_and_still_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(library_archive, "_HARMLESS_BYTES", 10_000)
    noise = np.random.default_rng(0).integers(0, 255, 200_000, np.uint8).tobytes()
    grey = np.random.default_rng(0).integers(0, 4, 200_000, np.uint8).tobytes()
    files = {"images/noise.npy": noise, "images/grey.npy": grey, "images/zero.npy": bytes(10**6)}
    write_archive(tmp_path / "lib.zip", {}, files)
    with zipfile.ZipFile(tmp_path / "lib.zip") as archive:
        packed = {i.filename: i.compress_type for i in archive.infolist()}
    assert packed["images/grey.npy"] == zipfile.ZIP_DEFLATED
    assert packed["images/noise.npy"] == packed["images/zero.npy"] == zipfile.ZIP_STORED
    assert read_archive(tmp_path / "lib.zip")[1] == files


NAMES = [
    "../escape.png",
    "/etc/passwd",
    "images/../../x.png",
    "images\\x.png",
    "C:/x.png",
    "images/x.exe",
    "images/sub/x.png",
    "images/",
    "notes.txt",
    "images/\u202egnp.exe",
    "images/" + "x" * 200 + ".png",
]


@pytest.mark.parametrize("name", NAMES)
def test_strange_names_are_refused(tmp_path: Path, name: str):
    path = tmp_path / "lib.zip"
    path.write_bytes(zip_of({DOCUMENT: b'{"files": {}}', name: b""}))
    with pytest.raises(ConfigError, match="which no library does") as caught:
        read_archive(path)
    assert len(str(caught.value)) < 400
    assert [p.name for p in tmp_path.iterdir()] == ["lib.zip"]  # nothing was unpacked


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: b"", "not a reference library"),
        (lambda: b"PK\x03\x04 cut", "not a reference library"),
        (lambda: zip_of({}), "holds no library.json"),
        (lambda: zip_of({"images/a.png": b""}), "holds no library.json"),
        (lambda: twice(DOCUMENT), "which no library does"),
        (lambda: zip_of({DOCUMENT: b"{"}), "not a reference library"),
        (lambda: zip_of({DOCUMENT: b"\xff\xfe\x00"}), "not a reference library"),
        (lambda: zip_of({DOCUMENT: b"[" * 100_000}), "not a reference library"),
        (lambda: zip_of({DOCUMENT: b"[]"}), "library.json is"),
        (lambda: zip_of({DOCUMENT: b"{}"}), "files is None"),
        (lambda: zip_of({DOCUMENT: b'{"files": {}}', "images/a.png": b"x"}), "is None"),
        (lambda: zip_of({DOCUMENT: b'{"files": []}', "images/a.png": b"x"}), "files is"),
        (lambda: encrypted(zip_of({DOCUMENT: b"{}"})), "not a reference library"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: Callable[[], bytes], message: str):
    path = tmp_path / "lib.zip"
    path.write_bytes(content())
    with pytest.raises(ConfigError, match=message) as caught:
        read_archive(path)
    assert str(path) in str(caught.value)


def test_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"none\.zip cannot be read \(No such file"):
        read_archive(tmp_path / "none.zip")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_archive(tmp_path)


def test_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "lib.zip"
    bomb = {DOCUMENT: b'{"files": {}}', "images/a.png": bytes(3 * 10**6)}
    path.write_bytes(zip_of(bomb, zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(library_archive, "_HARMLESS_BYTES", 10**6)
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    with pytest.raises(ConfigError, match="would unpack to 3 MB"):
        read_archive(path)


def test_document_and_number_of_files_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(library_archive, "_MAX_FILES", 2)
    with pytest.raises(ConfigError, match="holds 3 files"):
        read_archive(library(tmp_path))
    monkeypatch.undo()
    monkeypatch.setattr(library_archive, "_MAX_DOCUMENT_BYTES", 10)
    with pytest.raises(ConfigError, match="would unpack"):
        read_archive(tmp_path / "lib.zip")
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="larger than"):
        read_archive(tmp_path / "lib.zip", max_bytes=100)


def test_every_changed_byte_of_the_content_is_found(tmp_path: Path):
    path = library(tmp_path)
    data = path.read_bytes()
    at = data.index(b"picture")
    path.write_bytes(data[:at] + b"Picture" + data[at + 7 :])
    with pytest.raises(ConfigError, match="not a reference library, or is damaged"):
        read_archive(path)  # zip's own checksum
    document = json.loads(zipfile.ZipFile(io.BytesIO(data)).read(DOCUMENT))
    path.write_bytes(
        zip_of({DOCUMENT: json.dumps(document).encode(), **FILES, "images/a.png": b"Picture"})
    )
    with pytest.raises(ConfigError, match=r"images/a\.png is not what was saved"):
        read_archive(path)


def test_what_nothing_could_read_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(library_archive, "MAX_BYTES", 50)
    with pytest.raises(OutputError, match="would hold"):
        write_archive(tmp_path / "lib.zip", {}, FILES)
    assert list(tmp_path.iterdir()) == []
