"""References come back from a library equal, and changes give new libraries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Point
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.library.archive import read_archive, write_archive
from vrpsam_app.library.reference_library import ReferenceLibrary
from vrpsam_app.references import Reference


def picture(dtype: str = "uint8", shape: tuple[int, ...] = (20, 31, 3)) -> np.ndarray:
    values = np.random.default_rng(len(shape)).random(shape)
    if np.dtype(dtype).kind == "b":
        return values > 0.5
    return (values * (1 if np.dtype(dtype).kind == "f" else 200)).astype(dtype)


def reference(image: np.ndarray | None = None, **settings: Any) -> Reference:
    marks = [Box(2, 3, 9, 12), Point(15, 20, positive=False)]
    return Reference.from_annotations(picture() if image is None else image, marks, **settings)


IMAGES = [
    picture("uint8"),
    picture("uint8", (20, 31)),
    picture("uint8", (20, 31, 4)),
    picture("bool", (20, 31)),
    picture("uint16", (20, 31)),
    picture("uint16"),
    picture("int32", (20, 31)),
    picture("float32"),
    picture(">f8", (20, 31)),
    np.full((20, 31), np.nan, np.float32),
    np.zeros((900, 700, 3), np.float32),
]
IMAGES[-2][4:9, 3:12] = 7


@pytest.mark.parametrize("image", IMAGES, ids=lambda i: f"{i.dtype}{i.shape}")
def test_every_image_comes_back_equal(tmp_path: Path, image: np.ndarray):
    before = reference(image, label="cell", exhaustive=True)
    path = ReferenceLibrary().add("one", before, "from plate 3").save(tmp_path / "lib.zip")
    (entry,) = ReferenceLibrary.load(path).entries
    assert entry.reference.content_key == before.content_key
    assert entry.reference.image.dtype == before.image.dtype
    np.testing.assert_array_equal(entry.reference.image, before.image)
    assert (entry.name, entry.label, entry.notes) == ("one", "cell", "from plate 3")
    assert (entry.kind, entry.exhaustive, entry.not_this) == ("box", True, False)


def test_a_path_may_be_text(tmp_path: Path):
    path = ReferenceLibrary().add("one", reference()).save(str(tmp_path / "lib.zip"))
    assert ReferenceLibrary.load(str(path)).names == ("one",)


def test_what_is_not_meant_stays_so(tmp_path: Path):
    path = ReferenceLibrary().add("dirt", reference().as_not_this()).save(tmp_path / "lib.zip")
    (entry,) = ReferenceLibrary.load(path).entries
    assert entry.not_this
    assert entry.reference.is_not_this


def test_equal_libraries_have_equal_bytes(tmp_path: Path):
    for name in ("a.zip", "b.zip"):
        library = ReferenceLibrary.from_references([reference(), reference(label="nucleus")])
        library.save(tmp_path / name)
    again = ReferenceLibrary.load(tmp_path / "a.zip").save(tmp_path / "c.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert (tmp_path / "a.zip").read_bytes() == again.read_bytes()


def test_one_picture_is_kept_once(tmp_path: Path):
    library = ReferenceLibrary.from_references([reference(label="a"), reference(label="b")])
    _, files = read_archive(library.save(tmp_path / "lib.zip"))
    assert sum(name.startswith("images/") for name in files) == 1
    assert sum(name.startswith("marks/") for name in files) == 4


def test_names_are_made_of_labels():
    shown = [reference(label="cell"), reference(label="cell"), reference(label="Cell")]
    library = ReferenceLibrary.from_references([*shown, shown[0].as_not_this()])
    assert library.names == ("cell", "cell 2", "Cell 3", "not cell")


def test_changes_give_new_libraries():
    first = ReferenceLibrary().add("a", reference()).add("b", reference(label="cell"), "old")
    assert first.remove("A").names == ("b",)
    changed = first.change("b", new_name="c", notes="new")
    assert (changed.names, changed.entry("c").notes) == (("a", "c"), "new")
    assert changed.entry("C").reference.label == "cell"
    assert (first.names, len(first)) == (("a", "b"), 2)
    assert [r.label for r in first.references(["b", "a"])] == ["cell", "object"]
    assert first.change("b", new_name="B").names == ("a", "B")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 201, "\x00", None])
def test_strange_names_are_refused(name: Any):
    with pytest.raises(ConfigError, match="cannot be the name"):
        ReferenceLibrary().add(name, reference())


def test_spaces_around_a_name_are_nothing():
    library = ReferenceLibrary().add(" a ", reference())
    assert library.change(" A", new_name="b ").names == ("b",)
    with pytest.raises(ConfigError, match="cannot be the name"):
        replace(library.entries[0], name="a ")


def test_names_are_unique_and_known():
    library = ReferenceLibrary().add("Cell", reference())
    with pytest.raises(ConfigError, match="'cell' already"):
        library.add("cell", reference())
    with pytest.raises(ConfigError, match="no reference 'b': it holds 'Cell'"):
        library.remove("b")
    with pytest.raises(ConfigError, match="notes on 'b' have"):
        library.add("b", reference(), "x" * 100_000)


def test_thumbnail_shows_the_marked_part():
    from vrpsam_app.image_files import decode_png

    image = np.zeros((1000, 800), np.uint16)
    image[700:740, 500:540] = 4000
    shown = Reference.from_annotations(image, [Box(700, 500, 740, 540)])
    thumbnail = decode_png(ReferenceLibrary().add("a", shown).entries[0].thumbnail)
    assert thumbnail.shape == (100, 100, 3)
    assert thumbnail[50, 50].mean() > thumbnail[5, 5].mean() + 50
    wide = decode_png(
        ReferenceLibrary().add("a", reference(np.zeros((30, 900), np.uint8))).entries[0].thumbnail
    )
    assert max(wide.shape[:2]) <= 192


def test_existing_file_is_kept(tmp_path: Path):
    path = tmp_path / "lib.zip"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="exists"):
        ReferenceLibrary().save(path)
    ReferenceLibrary().save(path, overwrite=True)
    assert ReferenceLibrary.load(path).entries == ()
    assert [p.name for p in tmp_path.iterdir()] == ["lib.zip"]


def saved(tmp_path: Path) -> tuple[Path, dict[str, Any], dict[str, bytes]]:
    path = ReferenceLibrary().add("one", reference()).save(tmp_path / "lib.zip")
    return path, *read_archive(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "'other' of version 1"),
        ({"schema_version": 2}, "of version 2"),
        ({"references": {}}, "references is"),
        ({"references": [3]}, r"references\[0\] is 3"),
        ({"references": [{}]}, r"references\[0\].name is None"),
        ({"name": 3}, "name is 3"),
        ({"name": "x\n"}, "cannot be the name"),
        ({"exhaustive": 1}, "exhaustive is 1"),
        ({"image": "images/none.png"}, "does not hold"),
        ({"positive": "../../etc/passwd"}, "does not hold"),
    ],
)
def test_damaged_document_is_refused(tmp_path: Path, change: dict[str, Any], message: str):
    path, document, files = saved(tmp_path)
    for key, value in change.items():
        (document if key in document else document["references"][0])[key] = value
    write_archive(path, document, files, overwrite=True)
    with pytest.raises(ConfigError, match=message) as caught:
        ReferenceLibrary.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "circle"}, "cannot be read"),
        ({"kind": "mask"}, "not what was saved"),
        ({"not_this": True}, "not what was saved"),
        ({"content_key": "00"}, "not what was saved"),
        ({"label": ""}, "cannot be read"),
        ({"positive": "thumbnails/00001.png"}, "cannot be read"),
    ],
)
def test_damaged_reference_is_refused_when_it_is_wanted(
    tmp_path: Path, change: dict[str, Any], message: str
):
    path, document, files = saved(tmp_path)
    document["references"][0].update(change)
    write_archive(path, document, files, overwrite=True)
    library = ReferenceLibrary.load(path)
    with pytest.raises(ConfigError, match=message):
        library.references()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no array",
        b"\x93NUMPY\x01\x00",
        b"\x93NUMPY\x02\x00\x10\x00\x00\x00",
        b"\x93NUMPY\x01\x00\x46\x00"
        + b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999, 99999), }  \n",
        b"\x93NUMPY\x01\x00\x46\x00"
        + b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }           \n",
        b"\x93NUMPY\x01\x00\x46\x00"
        + b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1), }        \n____",
    ],
    ids=range(7),
)
def test_hostile_arrays_are_refused(tmp_path: Path, content: bytes):
    path = ReferenceLibrary().add("one", reference(picture("float32"))).save(tmp_path / "lib.zip")
    document, files = read_archive(path)
    files[document["references"][0]["image"]] = content
    write_archive(path, document, files, overwrite=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        ReferenceLibrary.load(path).references()
