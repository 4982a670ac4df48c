from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from vrpsam_app.errors import ImageFileError
from vrpsam_app.images import IntensityRange
from vrpsam_app.web import collection
from vrpsam_app.web.session import close_session, new_session, opening_session


def names(session) -> list[str]:
    return [target.name for target in session.targets]


def test_own_reference_is_first_searched_itself(pictures):
    session = collection.choose_reference(new_session(), pictures["reference"])
    assert session.reference.hw == (120, 200)
    assert session.marks == ()
    assert session.targets == (session.reference,)
    close_session(session)


def test_own_targets_replace_the_examples_and_then_add_up(pictures):
    session, _ = collection.add_targets(new_session(), [pictures["first"]])
    session, _ = collection.add_targets(session, [pictures["second"], pictures["without"]])
    assert names(session) == ["first.png", "second.png", "without.png"]
    close_session(session)


def test_targets_stay_when_the_reference_changes(session, pictures):
    changed = collection.choose_reference(session, pictures["second"])
    assert names(changed) == names(session)


def test_a_visitor_never_changes_what_the_next_one_finds(pictures):
    before = opening_session()
    first, second = new_session(), new_session()
    changed = collection.choose_reference(first, pictures["reference"])
    assert opening_session() is before
    assert second.reference == before.reference != changed.reference
    assert len({before.folder, first.folder, second.folder}) == 3
    close_session(first)
    assert second.folder.exists()
    close_session(second)


def test_files_are_copied_and_removed_with_the_session(pictures):
    session = collection.choose_reference(new_session(), pictures["reference"])
    assert session.reference.path != pictures["reference"]
    assert session.reference.path.read_bytes() == pictures["reference"].read_bytes()
    close_session(session)
    assert not session.reference.path.exists()
    assert pictures["reference"].exists()


def test_bad_files_are_named_and_good_ones_taken(pictures, tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("not a picture")
    session, complaints = collection.add_targets(
        new_session(), [text, pictures["first"], pictures["first"]]
    )
    assert names(session) == ["first.png"]
    assert "notes.png" in complaints[0]
    assert "the same picture" in complaints[1]
    close_session(session)


def test_only_bad_files_leave_the_session_as_it_is(tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("not a picture")
    session, complaints = collection.add_targets(new_session(), [text])
    assert session.targets == opening_session().targets
    assert len(complaints) == 1
    with pytest.raises(ImageFileError, match=r"notes\.png"):
        collection.choose_reference(new_session(), text)


def test_number_of_targets_is_limited(tmp_path):
    paths = []
    for number in range(collection.MAX_TARGETS + 1):
        paths.append(tmp_path / f"{number}.png")
        Image.new("L", (8, 8), number).save(paths[-1])
    session, complaints = collection.add_targets(new_session(), paths)
    assert len(session.targets) == collection.MAX_TARGETS
    assert "at most 24" in complaints[0]
    close_session(session)


def test_equal_names_of_different_pictures_do_not_collide(pictures, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (10, 10), "red").save(other / "first.png")
    session, complaints = collection.add_targets(
        new_session(), [pictures["first"], other / "first.png"]
    )
    assert complaints == []
    assert len({target.path for target in session.targets}) == 2
    close_session(session)


def test_one_intensity_range_for_the_set(session, tmp_path):
    assert session.intensity_range is None
    ramp = np.linspace(1000, 5000, 64 * 64).reshape(64, 64).astype(np.uint16)
    tifffile.imwrite(tmp_path / "ramp.tif", ramp)
    session, complaints = collection.add_targets(session, [tmp_path / "ramp.tif"])
    assert complaints == []
    assert isinstance(session.intensity_range, IntensityRange)
    assert 1000 <= session.intensity_range.low < session.intensity_range.high <= 5000
    back = collection.remove_target(session, session.targets[-1].id)
    assert back.intensity_range is None


def test_unknown_target_is_not_removed(session):
    assert collection.remove_target(session, {"not": "an id"}).targets == session.targets


def test_a_visit_that_has_ended_is_a_sentence(pictures):
    with pytest.raises(ImageFileError, match="Reload the page"):
        collection.choose_reference(opening_session(), pictures["reference"])
    with pytest.raises(ImageFileError, match="Reload the page"):
        collection.add_targets(opening_session(), [pictures["first"]])
