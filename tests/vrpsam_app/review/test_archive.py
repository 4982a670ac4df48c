"""A project in a zip and back; what a hostile zip may not do."""

from __future__ import annotations

import sqlite3
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.annotations import Box
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.image_files import write_mask
from vrpsam_app.references import Reference
from vrpsam_app.review.archive import MAX_BYTES, PREFIX, pack_project, unpack_project
from vrpsam_app.review.project import ReviewProject
from vrpsam_app.review.state import ClassFinding


@pytest.fixture
def project(tmp_path: Path) -> ReviewProject:
    """A project with two pictures inside it, a result, and a decision."""
    made = ReviewProject.create(tmp_path / "made")
    image = np.zeros((16, 20, 3), np.uint8)
    image[2:8, 3:9] = 200
    for name in ("a", "b"):
        image[0, 0] = ord(name)
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    assert [p.name for p in made.add_pictures(paths, copy=True)] == ["a", "b"]
    made.add_references([Reference.from_annotations(image, [Box(2, 3, 8, 9)], label="cell")])
    (made.folder / "results").mkdir()
    write_mask(made.folder / "results" / "a-class1.png", image[..., 1] > 0)
    picture = made.state.picture("a")
    finding = {"cell": ClassFinding(0.8, 0.9, True, 0.1)}
    made.state.keep_result(picture.id, "q", {"cell": Path("results/a-class1.png")}, finding)
    made.accept(["a"], who="someone")
    return made


def packed(project: ReviewProject, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README.txt", "for people")
        pack_project(project, archive)
    return path


def changed(path: Path, project: ReviewProject, statement: str) -> Path:
    """Pack a project after a change to its state."""
    with sqlite3.connect(project.folder / "project.sqlite") as connection:
        connection.execute(statement)
    with zipfile.ZipFile(path, "w") as archive:
        for file in project.folder.rglob("*"):
            archive.write(file, PREFIX + file.relative_to(project.folder).as_posix())
    return path


def test_it_comes_back_as_it_was(project, tmp_path):
    back = unpack_project(packed(project, tmp_path / "p.zip"), tmp_path / "back")
    assert back.folder == tmp_path / "back"
    old, new = project.state.pictures(), back.state.pictures()
    assert old == new
    assert [p.status for p in new] == ["accepted", "new"]
    for mine, theirs in zip(
        project.masks_of(old[0]).items(), back.masks_of(new[0]).items(), strict=True
    ):
        assert mine[0] == theirs[0]
        np.testing.assert_array_equal(mine[1], theirs[1])
    keys = [[r.content_key for r in p.library.references()] for p in (project, back)]
    assert keys[0] == keys[1]
    assert back.path_of(new[1]).is_file()


@pytest.mark.parametrize("stem", ["_DSC0001", "__", "a..b", "..a", "-z", "a b", "日本 ü", "#1."])
def test_any_name_of_a_picture_comes_back(project, tmp_path, stem):
    Image.new("L", (5, 5)).save(tmp_path / f"{stem}.png")
    (added,) = project.add_pictures([tmp_path / f"{stem}.png"], copy=True)
    project.fix(added.name, {"cell": np.ones((5, 5), bool)})
    back = unpack_project(packed(project, tmp_path / "p.zip"), tmp_path / "back")
    picture = back.state.picture(added.name)
    assert back.path_of(picture).is_file()
    assert back.masks_of(picture)["cell"].all()


def test_pictures_outside_are_not_packed(project, tmp_path):
    Image.new("L", (5, 5)).save(tmp_path / "c.png")
    list(project.add_pictures([tmp_path / "c.png"]))
    with pytest.raises(ConfigError, match="outside the project"):
        packed(project, tmp_path / "p.zip")


@pytest.mark.parametrize(
    "name",
    [
        "../evil.png",
        "pictures/../../evil.png",
        "pictures/.hidden",
        "pictures/..",
        "/etc/passwd",
        "pictures/deep/er.png",
        "script.py",
        "pictures/a\\..\\b.png",
        "PROJECT.sqlite",
    ],
)
def test_names_that_lead_out_are_refused(project, tmp_path, name):
    path = packed(project, tmp_path / "p.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(PREFIX + name, b"x")
    with pytest.raises(ConfigError, match="which no project does"):
        unpack_project(path, tmp_path / "back")
    assert not (tmp_path / "back").exists()
    assert list(tmp_path.glob(".back*")) == []


@pytest.mark.parametrize("where", ["/etc/passwd", "../../secret.png", "pictures/../../x.png"])
def test_paths_in_the_state_that_lead_out_are_refused(project, tmp_path, where):
    path = changed(
        tmp_path / "p.zip", project, f"UPDATE pictures SET path = '{where}' WHERE id = 1"
    )
    with pytest.raises(ConfigError, match="outside the project"):
        unpack_project(path, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_masks_that_lead_out_are_refused(project, tmp_path):
    masks = '{"cell": "../../secret.png"}'
    path = changed(tmp_path / "p.zip", project, f"UPDATE results SET masks = '{masks}'")
    with pytest.raises(ConfigError, match="outside the project"):
        unpack_project(path, tmp_path / "back")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW more AS SELECT * FROM pictures",
        "CREATE TRIGGER t AFTER INSERT ON decisions BEGIN DELETE FROM pictures; END",
        "CREATE TABLE more (x)",
        "DROP INDEX decisions_by_picture",
    ],
)
def test_other_tables_are_refused(project, tmp_path, statement):
    path = changed(tmp_path / "p.zip", project, statement)
    with pytest.raises(ConfigError, match="other tables"):
        unpack_project(path, tmp_path / "back")


def test_questions_that_lead_out_are_refused(project, tmp_path):
    statement = "UPDATE results SET question = '../../secret'"
    path = changed(tmp_path / "project.zip", project, statement)
    with pytest.raises(ConfigError, match="which no project asks"):
        unpack_project(path, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_what_would_fill_the_disk_is_refused(project, tmp_path):
    path = packed(project, tmp_path / "p.zip")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(PREFIX + "pictures/zeros.png", bytes(5_000_000))
    with pytest.raises(ConfigError, match="at most"):
        unpack_project(path, tmp_path / "back", max_bytes=1_000_000)
    assert MAX_BYTES > 5_000_000


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 broken"])
def test_what_is_no_zip_is_a_sentence(tmp_path, content):
    (tmp_path / "p.zip").write_bytes(content)
    with pytest.raises(ConfigError, match=r"p\.zip"):
        unpack_project(tmp_path / "p.zip", tmp_path / "back")


def test_a_zip_without_a_project_is_a_sentence(tmp_path):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("masks/a.png", b"x")
    with pytest.raises(ConfigError, match=r"holds no project/project\.sqlite"):
        unpack_project(tmp_path / "p.zip", tmp_path / "back")


def test_a_damaged_state_is_a_sentence(project, tmp_path):
    (project.folder / "project.sqlite").write_bytes(b"SQLite format 3\0" + bytes(100))
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in project.folder.rglob("*"):
            archive.write(file, PREFIX + file.relative_to(project.folder).as_posix())
    with pytest.raises(ConfigError):
        unpack_project(path, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_nothing_is_replaced(project, tmp_path):
    path = packed(project, tmp_path / "p.zip")
    (tmp_path / "back").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        unpack_project(path, tmp_path / "back")


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        unpack_project(tmp_path / "none.zip", tmp_path / "back")
