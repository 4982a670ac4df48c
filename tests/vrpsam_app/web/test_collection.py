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
from vrpsam_app.web import collection, incoming
from vrpsam_app.web.limits import MEGAPIXELS_VARIABLE
from vrpsam_app.web.session import opening_session
from vrpsam_app.web.visitor import Visitor


@pytest.fixture
def newcomer():
    visitor = Visitor()
    yield visitor
    visitor.close()


def names(visitor) -> list[str]:
    return [target.name for target in visitor.session.targets]


def test_own_reference_is_first_searched_itself(newcomer, pictures):
    words = collection.add_marked(newcomer, [pictures["reference"]])
    assert words == []
    assert [picture.hw for picture in newcomer.session.marked] == [(120, 200)]
    assert newcomer.session.targets == newcomer.session.marked


def test_a_second_reference_takes_the_place_of_the_first_and_is_searched(newcomer, pictures):
    collection.add_marked(newcomer, [pictures["reference"]])
    words = collection.add_marked(newcomer, [pictures["first"]])
    assert words == []
    assert [picture.name for picture in newcomer.session.marked] == ["first.png"]
    assert names(newcomer) == ["first.png", "reference.png"]
    collection.bring_back(newcomer)
    assert [picture.name for picture in newcomer.session.marked] == ["reference.png"]
    collection.bring_back(newcomer)  # only once
    assert [picture.name for picture in newcomer.session.marked] == ["reference.png"]


def test_references_that_are_chosen_together_stay_together(newcomer, pictures):
    words = collection.add_marked(
        newcomer, [pictures["reference"], pictures["first"], pictures["reference"]]
    )
    assert [picture.name for picture in newcomer.session.marked] == ["reference.png", "first.png"]
    assert names(newcomer) == ["reference.png", "first.png"]
    assert "the same picture" in words[0]
    for _ in range(2):  # the last one stays
        collection.remove_marked(newcomer, newcomer.session.marked[0].id)
        assert [picture.name for picture in newcomer.session.marked] == ["first.png"]


def test_a_picture_that_is_looked_in_already_can_be_marked(newcomer, pictures):
    collection.add_targets(newcomer, [pictures["second"], pictures["first"]])
    assert collection.add_marked(newcomer, [pictures["first"]]) == []
    assert newcomer.session.marked == newcomer.session.targets[:1]
    assert names(newcomer) == ["first.png", "second.png"]
    assert all(target.path.exists() for target in newcomer.session.targets)
    assert len(list(newcomer.session.folder.iterdir())) == 2


def test_a_stack_is_marked_in_its_first_plane_and_looked_in_whole(newcomer, tmp_path):
    planes = np.arange(4 * 20 * 30, dtype=np.uint16).reshape(4, 20, 30)
    tifffile.imwrite(tmp_path / "stack.tif", planes, imagej=True, metadata={"axes": "ZYX"})
    assert collection.add_marked(newcomer, [tmp_path / "stack.tif"]) == []
    assert [picture.name for picture in newcomer.session.marked] == ["stack_z0000.png"]
    assert names(newcomer) == [f"stack_z{i:04d}.png" for i in range(4)]


def test_a_picture_that_is_marked_as_well_keeps_the_example(newcomer, pictures):
    before = newcomer.session
    assert collection.add_marked_beside(newcomer, [pictures["reference"]]) == []
    assert newcomer.session.marked[:-1] == before.marked
    assert newcomer.session.marked[-1].name == "reference.png"
    assert newcomer.session.targets == before.targets


def test_own_targets_replace_the_examples_and_then_add_up(newcomer, pictures):
    collection.add_targets(newcomer, [pictures["first"]])
    collection.add_targets(newcomer, [pictures["second"], pictures["without"]])
    assert names(newcomer) == ["first.png", "second.png", "without.png"]


def test_targets_stay_when_references_change(visitor, session, pictures):
    collection.add_marked(visitor, [pictures["second"]])
    assert set(visitor.session.targets) == set(session.targets)


def test_a_visitor_never_changes_what_the_next_one_finds(pictures):
    before = opening_session()
    first, second = Visitor(), Visitor()
    collection.add_marked(first, [pictures["reference"]])
    assert opening_session() is before
    assert second.session.marked == before.marked != first.session.marked
    assert len({before.folder, first.session.folder, second.session.folder}) == 3
    first.close()
    assert second.session.folder.exists()
    second.close()


def test_files_are_copied_and_removed_with_the_visitor(newcomer, pictures):
    collection.add_marked(newcomer, [pictures["reference"]])
    (kept,) = newcomer.session.marked
    assert kept.path != pictures["reference"]
    assert kept.path.read_bytes() == pictures["reference"].read_bytes()
    newcomer.close()
    assert not kept.path.exists()
    assert pictures["reference"].exists()


def test_bad_files_are_named_and_good_ones_taken(newcomer, pictures, tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("not a picture")
    words = collection.add_targets(newcomer, [text, pictures["first"], pictures["first"]])
    assert names(newcomer) == ["first.png"]
    assert "notes.png" in words[0]
    assert "the same picture" in words[1]


def test_only_bad_files_leave_the_session_as_it_is(newcomer, tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("not a picture")
    for add in (collection.add_targets, collection.add_marked):
        before = newcomer.session
        words = add(newcomer, [text])
        assert newcomer.session == before
        assert len(words) == 1
        assert "notes.png" in words[0]


def test_number_of_targets_is_limited(newcomer, tmp_path, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/space")
    paths = []
    for number in range(62):
        paths.append(tmp_path / f"{number}.png")
        Image.new("L", (8, 8), number).save(paths[-1])
    words = collection.add_targets(newcomer, paths)
    assert len(newcomer.session.targets) == 60
    assert "at most 60" in words[0]
    before = newcomer.session
    assert "at most 60" in collection.add_marked(newcomer, paths[-1:])[0]
    assert newcomer.session == before
    assert len(list(newcomer.session.folder.iterdir())) == 60


def test_room_of_one_visitor_is_limited(newcomer, tmp_path, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/space")
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(500_000_001)
    before = newcomer.session
    words = collection.add_targets(newcomer, [huge])
    assert newcomer.session == before
    assert "500 MB" in words[0]


def test_equal_names_of_different_pictures_do_not_collide(newcomer, pictures, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (10, 10), "red").save(other / "first.png")
    words = collection.add_targets(newcomer, [pictures["first"], other / "first.png"])
    assert words == []
    assert len({target.path for target in newcomer.session.targets}) == 2


def test_pages_of_a_tiff_become_pictures(newcomer, tmp_path):
    planes = np.arange(4 * 20 * 30, dtype=np.uint16).reshape(4, 20, 30)
    tifffile.imwrite(tmp_path / "stack.tif", planes, imagej=True, metadata={"axes": "ZYX"})
    words = collection.add_targets(newcomer, [tmp_path / "stack.tif"])
    assert words == []
    assert names(newcomer) == [f"stack_z{i:04d}.png" for i in range(4)]
    for plane, target in zip(planes, newcomer.session.targets, strict=True):
        np.testing.assert_array_equal(read_image(target.path), plane)


def test_one_page_stays_the_file_it_is(newcomer, tmp_path):
    tifffile.imwrite(tmp_path / "one.tif", np.zeros((20, 30), np.float32) + np.eye(20, 30))
    words = collection.add_targets(newcomer, [tmp_path / "one.tif"])
    assert words == []
    assert newcomer.session.targets[0].path.suffix == ".tif"
    assert not newcomer.session.targets[0].eight_bit


def test_frames_of_a_movie_become_pictures(newcomer, tmp_path):
    with av.open(str(tmp_path / "clip.mp4"), "w") as clip:
        stream = clip.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(7):
            frame = np.full((48, 64, 3), 30 * number, np.uint8)
            clip.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        clip.mux(stream.encode(None))
    words = collection.add_targets(newcomer, [tmp_path / "clip.mp4"])
    assert words == []
    assert len(newcomer.session.targets) == 7
    assert {target.hw for target in newcomer.session.targets} == {(48, 64)}


def test_pictures_above_the_limit_are_reduced_with_a_note(newcomer, tmp_path, monkeypatch):
    monkeypatch.setenv(MEGAPIXELS_VARIABLE, "0.01")
    scene = np.zeros((150, 200), np.uint8)
    scene[30:60, 60:120] = 200
    Image.fromarray(scene).save(tmp_path / "large.png")
    words = collection.add_targets(newcomer, [tmp_path / "large.png"])
    assert newcomer.session.targets[0].hw == (75, 100)
    assert "0.03 megapixels" in words[0] or "reduced to 1/2" in words[0]
    np.testing.assert_array_equal(read_image(newcomer.session.targets[0].path), scene[::2, ::2])


def test_pictures_far_above_the_limit_are_refused_by_their_header(newcomer, tmp_path):
    bomb = io.BytesIO()
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb.write(b"\x89PNG\r\n\x1a\n")
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")):
        check = struct.pack(">I", zlib.crc32(kind + data))
        bomb.write(struct.pack(">I", len(data)) + kind + data + check)
    (tmp_path / "bomb.png").write_bytes(bomb.getvalue())
    before = newcomer.session
    words = collection.add_targets(newcomer, [tmp_path / "bomb.png"])
    assert newcomer.session == before
    assert "bomb.png" in words[0]
    assert "60000" in words[0]


def test_unknown_target_is_not_removed(visitor, session):
    collection.remove_target(visitor, {"not": "an id"})
    assert visitor.session.targets == session.targets


def test_a_visit_that_has_ended_is_a_sentence(newcomer, pictures):
    newcomer.close()
    for add in (collection.add_targets, collection.add_marked):
        with pytest.raises(ImageFileError, match="Reload the page"):
            add(newcomer, [pictures["first"]])


@pytest.fixture
def while_reading(monkeypatch):
    """Do something just before a file of a name is taken."""

    def prepare(name: str, meanwhile) -> None:
        def bring(upload, folder):
            if upload.name == name:
                meanwhile()
            return incoming.bring(upload, folder)

        monkeypatch.setattr(collection, "bring", bring)

    return prepare


def test_what_is_done_while_others_are_read_counts_as_well(newcomer, pictures, while_reading):
    def meanwhile() -> None:
        (first,) = newcomer.session.targets
        collection.remove_target(newcomer, first.id)
        collection.add_marked(newcomer, [pictures["reference"]])
        collection.add_targets(newcomer, [pictures["second"]])

    while_reading("without.png", meanwhile)
    collection.add_targets(newcomer, [pictures["first"], pictures["without"]])
    assert names(newcomer)[-2:] == ["second.png", "without.png"]
    assert "first.png" not in names(newcomer)
    assert [picture.name for picture in newcomer.session.marked] == ["reference.png"]


def test_a_picture_that_came_twice_at_once_is_there_once(newcomer, pictures, while_reading):
    while_reading("first.png", lambda: collection.add_targets(newcomer, [pictures["second"]]))
    words = collection.add_targets(newcomer, [pictures["first"], pictures["second"]])
    assert names(newcomer) == ["second.png", "first.png"]
    assert "the same picture" in words[0]


def test_equal_planes_are_one_picture(newcomer, tmp_path):
    planes = np.zeros((4, 20, 30), np.uint8)
    planes[0], planes[2] = 50, 90
    tifffile.imwrite(tmp_path / "stack.tif", planes, imagej=True, metadata={"axes": "ZYX"})
    words = collection.add_targets(newcomer, [tmp_path / "stack.tif"])
    assert names(newcomer) == ["stack_z0000.png", "stack_z0001.png", "stack_z0002.png"]
    assert words == ["stack.tif: 3 of 4 pictures, equal ones are shown once."]
    assert len(list(newcomer.session.folder.iterdir())) == 3


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_of_a_moving_picture_the_first_frame_is_taken_with_a_note(newcomer, tmp_path, suffix):
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "blue", "green")]
    path = tmp_path / f"clip.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    (said,) = collection.add_targets(newcomer, [path])
    assert said.startswith(f"Only the first frame of clip.{suffix} was taken")
    assert newcomer.session.targets[0].hw == (20, 30)
