"""Embeddings on disk: whole or absent, whoever writes, is killed, or tampers with them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from vrpsam_app.embeddings import files as embedding_files
from vrpsam_app.embeddings.files import EmbeddingFolder
from vrpsam_app.errors import OutputError

KEY = "model=ab/code=1/image=cd"


def record(seed: int = 0, side: int = 16) -> dict[str, NDArray[np.generic]]:
    draw = np.random.default_rng(seed)
    return {
        "maps": draw.standard_normal((1, 4, side, side)).astype(np.float16),
        "channels_last": np.moveaxis(draw.random((1, side, side, 5)).astype("f4"), 3, 1),
        "sizes": np.arange(3),
        "nothing": np.zeros((0, 2), np.float32),
    }


def assert_equal(found: object, expected: dict[str, NDArray[np.generic]]) -> None:
    assert isinstance(found, dict)
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].strides == array.strides
        assert found[name].tobytes() == array.tobytes()


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"CACHEDIR.TAG"}


def in_another_process(script: str, folder: Path) -> subprocess.Popen[str]:
    head = f"from pathlib import Path\nFOLDER = Path({str(folder)!r})\nKEY = {KEY!r}\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + script], stdout=subprocess.PIPE, text=True
    )


def test_what_was_written_is_read_by_anyone(tmp_path: Path):
    EmbeddingFolder(tmp_path / "new" / "folder").write(KEY, record())
    other = EmbeddingFolder(tmp_path / "new" / "folder")
    assert_equal(other.read(KEY), record())
    assert other.read(KEY + "e") is None
    assert len(other) == 1
    assert other.nbytes == other.path_of(KEY).stat().st_size


def test_an_entry_is_one_zarr_group_that_zarr_opens(tmp_path: Path):
    folder = EmbeddingFolder(tmp_path)
    folder.write(KEY, record())
    store = zarr.storage.ZipStore(folder.path_of(KEY), mode="r")
    group = zarr.open_group(store, mode="r")
    assert group.attrs["key"] == KEY
    found = {name: array[...] for name, array in group.arrays()}
    store.close()
    found["channels_last"] = np.moveaxis(found["channels_last"], 3, 1)
    assert_equal(found, record())


def test_written_again_the_new_one_counts(tmp_path: Path):
    folder = EmbeddingFolder(tmp_path)
    folder.write(KEY, record(1))
    folder.write(KEY, record(2))
    assert_equal(folder.read(KEY), record(2))
    assert len(files(tmp_path)) == 1


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "noise":
        path.write_bytes(bytes(len(data)))
    else:
        at = int(float(how) * len(data))
        data[at] ^= 0x10
        path.write_bytes(data)


@pytest.mark.parametrize("how", ["cut", "empty", "noise", "0.3", "0.5", "0.7"])
def test_damaged_entry_is_missing_and_can_be_replaced(tmp_path: Path, how: str):
    folder = EmbeddingFolder(tmp_path)
    folder.write(KEY, record(side=64))
    damage(folder.path_of(KEY), how)
    assert folder.read(KEY) is None
    folder.write(KEY, record(side=64))
    assert_equal(folder.read(KEY), record(side=64))


def test_entry_of_another_key_is_not_taken(tmp_path: Path):
    folder = EmbeddingFolder(tmp_path)
    folder.write("another", record())
    os.replace(folder.path_of("another"), folder.path_of(KEY))
    assert folder.read(KEY) is None


def forged(path: Path, **changes: object) -> None:
    """Write an entry of the right key by hand, with something else about it."""
    arrays = {"maps": np.zeros((4, 4), np.float16)}
    header = {
        "format": embedding_files.FORMAT,
        "key": KEY,
        "orders": {"maps": [0, 1]},
        "sha256": embedding_files._digest(arrays, {"maps": [0, 1]}),
        **{name: value for name, value in changes.items() if name in ("format", "sha256")},
    }
    store = zarr.storage.ZipStore(path, mode="w")
    group = zarr.create_group(store, attributes=header)
    shape = changes.get("shape", (4, 4))
    group.create_array(
        "maps", shape=shape, chunks=changes.get("chunks", shape), dtype=changes.get("dtype", "f2")
    )
    store.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "vrpsam-embedding/0"},
        {"sha256": "0" * 64},
        {"sha256": None},
        {"dtype": "c16"},
        {"shape": (2**20, 2**20)},
        {"chunks": (2**30, 2**30)},
        {"chunks": (2, 2)},
    ],
    ids=str,
)
def test_foreign_entry_is_missing(tmp_path: Path, changes: dict[str, object]):
    folder = EmbeddingFolder(tmp_path)
    forged(folder.path_of(KEY))
    assert folder.read(KEY) is not None  # so that only the change makes the difference
    forged(folder.path_of(KEY), **changes)
    assert folder.read(KEY) is None


def test_zip_and_folder_in_the_place_of_an_entry_are_missing(tmp_path: Path):
    folder = EmbeddingFolder(tmp_path)
    with zipfile.ZipFile(folder.path_of(KEY), "w") as other:
        other.writestr("hello.txt", "not ours")
    assert folder.read(KEY) is None
    folder.path_of(KEY).unlink()
    folder.path_of(KEY).mkdir()
    assert folder.read(KEY) is None


def test_the_least_recently_used_goes_first(tmp_path: Path):
    folder = EmbeddingFolder(tmp_path)
    folder.write("a", record(1))
    size = folder.nbytes
    for i, key in enumerate(("b", "c", "d")):
        folder.write(key, record(i))
    for age, key in enumerate(("d", "c", "b", "a")):
        os.utime(folder.path_of(key), (time.time() - 100 * age, time.time() - 100 * age))
    assert folder.read("a") is not None  # used now
    small = EmbeddingFolder(tmp_path, max_bytes=int(3.4 * size))
    assert [key for key in "abcd" if small.read(key) is not None] == ["a", "c", "d"]
    assert small.nbytes <= 0.9 * small.max_bytes + size


def test_the_cap_holds_while_it_is_written(tmp_path: Path):
    folder = EmbeddingFolder(tmp_path)
    folder.write("first", record())
    cap = 6 * folder.nbytes
    folder = EmbeddingFolder(tmp_path, max_bytes=cap)
    for i in range(20):
        folder.write(f"key {i}", record(i))
        assert folder.nbytes <= cap
    assert folder.read("key 19") is not None
    assert folder.read("first") is None


def test_nothing_else_in_the_folder_is_removed(tmp_path: Path):
    mine = ["notes.txt", "a.zarr.zip", f"{'0' * 40}.zip", f".{'0' * 40}-{'0' * 8}.part.txt"]
    for name in mine:
        (tmp_path / name).write_bytes(bytes(10_000))
        os.utime(tmp_path / name, (0, 0))
    folder = EmbeddingFolder(tmp_path, max_bytes=10)
    folder.write(KEY, record())
    assert files(tmp_path) == set(mine)


def test_what_a_killed_process_left_is_removed_later(tmp_path: Path):
    left = tmp_path / f".{'a' * 40}-{'b' * 8}.part"
    left.write_bytes(b"half")
    EmbeddingFolder(tmp_path)
    assert left.exists()  # perhaps being written
    os.utime(left, (time.time() - 7200, time.time() - 7200))
    EmbeddingFolder(tmp_path)
    assert not left.exists()


KILLED = """
import os, signal, numpy as np, zarr
from vrpsam_app.embeddings import files as embedding_files
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
arrays = {"a": np.ones((64, 64)), "b": np.ones((64, 64))}
folder = embedding_files.EmbeddingFolder(FOLDER)
"""


@pytest.mark.parametrize(
    "moment", ["zarr.Group.create_array = die", "os.replace = die"], ids=["writing", "renaming"]
)
def test_killed_while_writing_leaves_no_entry(tmp_path: Path, moment: str):
    dying = in_another_process(f"{KILLED}\n{moment}\nfolder.write(KEY, arrays)", tmp_path)
    assert dying.wait(60) == -9
    dying.communicate()
    assert len(files(tmp_path)) == 1  # the partial file
    folder = EmbeddingFolder(tmp_path)
    assert (len(folder), folder.read(KEY)) == (0, None)
    folder.write(KEY, record())
    assert_equal(folder.read(KEY), record())


WRITER = """
import numpy as np
from vrpsam_app.embeddings.files import EmbeddingFolder
folder = EmbeddingFolder(FOLDER)
print("ready", flush=True)
for i in range(40):
    folder.write(KEY, {"maps": np.full((64, 64), i, np.float32)})
"""


def test_readers_never_see_half_an_entry_of_two_writers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    writers = [in_another_process(WRITER, tmp_path) for _ in range(2)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    folder, seen = EmbeddingFolder(tmp_path), 0
    while any(writer.poll() is None for writer in writers):
        found = folder.read(KEY)
        if found is not None:
            seen += 1
            assert len(np.unique(found["maps"])) == 1
    assert [writer.wait() for writer in writers] == [0, 0]
    for writer in writers:
        writer.communicate()
    assert seen > 0
    assert caplog.records == []
    assert folder.read(KEY)["maps"][0, 0] == 39
    assert len(files(tmp_path)) == 1


def test_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot keep embeddings"):
        EmbeddingFolder(tmp_path / "file" / "folder")


def test_full_disk_is_named_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = EmbeddingFolder(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embedding_files.os, "replace", full)
    with pytest.raises(OutputError, match="No space left on device"):
        folder.write(KEY, record())
    assert files(tmp_path) == set()
