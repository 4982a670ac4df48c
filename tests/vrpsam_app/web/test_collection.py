from __future__ import annotations

import io
import struct
import zlib

import av
import numpy as np
import pytest
import tifffile
from PIL import Image

from vrpsam_app.errors import ImageFileError
from vrpsam_app.image_files import read_image
from vrpsam_app.web import collection
from vrpsam_app.web.limits import MEGAPIXELS_VARIABLE
from vrpsam_app.web.session import close_session, opening_session


@pytest.fixture
def visitor():
    session = opening_session().for_visitor()
    yield session
    close_session(session)


def names(session) -> list[str]:
    return [target.name for target in session.targets]


def test_own_reference_is_first_searched_itself(visitor, pictures):
    session, words = collection.add_marked(visitor, [pictures["reference"]])
    assert words == []
    assert [picture.hw for picture in session.marked] == [(120, 200)]
    assert session.targets == session.marked


def test_further_references_are_added(visitor, pictures):
    session, _ = collection.add_marked(visitor, [pictures["reference"]])
    session, words = collection.add_marked(session, [pictures["first"], pictures["reference"]])
    assert [picture.name for picture in session.marked] == ["reference.png", "first.png"]
    assert names(session) == ["reference.png"]
    assert "the same picture" in words[0]
    session = collection.remove_marked(session, session.marked[0].id)
    assert [picture.name for picture in session.marked] == ["first.png"]
    assert collection.remove_marked(session, session.marked[0].id) == session


def test_own_targets_replace_the_examples_and_then_add_up(visitor, pictures):
    session, _ = collection.add_targets(visitor, [pictures["first"]])
    session, _ = collection.add_targets(session, [pictures["second"], pictures["without"]])
    assert names(session) == ["first.png", "second.png", "without.png"]


def test_targets_stay_when_references_change(session, pictures):
    changed, _ = collection.add_marked(session, [pictures["second"]])
    assert names(changed) == names(session)


def test_a_visitor_never_changes_what_the_next_one_finds(pictures):
    before = opening_session()
    first, second = opening_session().for_visitor(), opening_session().for_visitor()
    changed, _ = collection.add_marked(first, [pictures["reference"]])
    assert opening_session() is before
    assert second.marked == before.marked != changed.marked
    assert len({before.folder, first.folder, second.folder}) == 3
    close_session(first)
    assert second.folder.exists()
    close_session(second)


def test_files_are_copied_and_removed_with_the_session(pictures):
    session, _ = collection.add_marked(opening_session().for_visitor(), [pictures["reference"]])
    (kept,) = session.marked
    assert kept.path != pictures["reference"]
    assert kept.path.read_bytes() == pictures["reference"].read_bytes()
    close_session(session)
    assert not kept.path.exists()
    assert pictures["reference"].exists()


def test_bad_files_are_named_and_good_ones_taken(visitor, pictures, tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("not a picture")
    session, words = collection.add_targets(visitor, [text, pictures["first"], pictures["first"]])
    assert names(session) == ["first.png"]
    assert "notes.png" in words[0]
    assert "the same picture" in words[1]


def test_only_bad_files_leave_the_session_as_it_is(visitor, tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("not a picture")
    for add in (collection.add_targets, collection.add_marked):
        session, words = add(visitor, [text])
        assert session == visitor
        assert len(words) == 1
        assert "notes.png" in words[0]


def test_number_of_targets_is_limited(visitor, tmp_path, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/space")
    paths = []
    for number in range(62):
        paths.append(tmp_path / f"{number}.png")
        Image.new("L", (8, 8), number).save(paths[-1])
    session, words = collection.add_targets(visitor, paths)
    assert len(session.targets) == 60
    assert "at most 60" in words[0]
    assert len(list(session.folder.iterdir())) == 60


def test_room_of_one_visitor_is_limited(visitor, tmp_path, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/space")
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(500_000_001)
    session, words = collection.add_targets(visitor, [huge])
    assert session == visitor
    assert "500 MB" in words[0]


def test_equal_names_of_different_pictures_do_not_collide(visitor, pictures, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (10, 10), "red").save(other / "first.png")
    session, words = collection.add_targets(visitor, [pictures["first"], other / "first.png"])
    assert words == []
    assert len({target.path for target in session.targets}) == 2


def test_pages_of_a_tiff_become_pictures(visitor, tmp_path):
    planes = np.arange(4 * 20 * 30, dtype=np.uint16).reshape(4, 20, 30)
    tifffile.imwrite(tmp_path / "stack.tif", planes, imagej=True, metadata={"axes": "ZYX"})
    session, words = collection.add_targets(visitor, [tmp_path / "stack.tif"])
    assert words == []
    assert names(session) == [f"stack_z{i:04d}.png" for i in range(4)]
    for plane, target in zip(planes, session.targets, strict=True):
        np.testing.assert_array_equal(read_image(target.path), plane)


def test_one_page_stays_the_file_it_is(visitor, tmp_path):
    tifffile.imwrite(tmp_path / "one.tif", np.zeros((20, 30), np.float32) + np.eye(20, 30))
    session, words = collection.add_targets(visitor, [tmp_path / "one.tif"])
    assert words == []
    assert session.targets[0].path.suffix == ".tif"
    assert not session.targets[0].eight_bit


def test_frames_of_a_movie_become_pictures(visitor, tmp_path):
    with av.open(str(tmp_path / "clip.mp4"), "w") as clip:
        stream = clip.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(7):
            frame = np.full((48, 64, 3), 30 * number, np.uint8)
            clip.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        clip.mux(stream.encode(None))
    session, words = collection.add_targets(visitor, [tmp_path / "clip.mp4"])
    assert words == []
    assert len(session.targets) == 7
    assert {target.hw for target in session.targets} == {(48, 64)}


def test_pictures_above_the_limit_are_reduced_with_a_note(visitor, tmp_path, monkeypatch):
    monkeypatch.setenv(MEGAPIXELS_VARIABLE, "0.01")
    scene = np.zeros((150, 200), np.uint8)
    scene[30:60, 60:120] = 200
    Image.fromarray(scene).save(tmp_path / "large.png")
    session, words = collection.add_targets(visitor, [tmp_path / "large.png"])
    assert session.targets[0].hw == (75, 100)
    assert "0.03 megapixels" in words[0] or "reduced to 1/2" in words[0]
    np.testing.assert_array_equal(read_image(session.targets[0].path), scene[::2, ::2])


def test_pictures_far_above_the_limit_are_refused_by_their_header(visitor, tmp_path):
    bomb = io.BytesIO()
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb.write(b"\x89PNG\r\n\x1a\n")
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")):
        check = struct.pack(">I", zlib.crc32(kind + data))
        bomb.write(struct.pack(">I", len(data)) + kind + data + check)
    (tmp_path / "bomb.png").write_bytes(bomb.getvalue())
    session, words = collection.add_targets(visitor, [tmp_path / "bomb.png"])
    assert session == visitor
    assert "bomb.png" in words[0]
    assert "60000" in words[0]


def test_unknown_target_is_not_removed(session):
    assert collection.remove_target(session, {"not": "an id"}).targets == session.targets


def test_a_visit_that_has_ended_is_a_sentence(pictures):
    for add in (collection.add_targets, collection.add_marked):
        with pytest.raises(ImageFileError, match="Reload the page"):
            add(session_without_folder(), [pictures["first"]])


def session_without_folder():
    session = opening_session().for_visitor()
    close_session(session)
    return session
