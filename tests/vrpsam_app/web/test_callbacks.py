from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest
import tifffile
from PIL import Image

from vrpsam_app.errors import AnnotationError, Cancelled, EmptyReferenceError, ImageFileError
from vrpsam_app.image_files import read_image
from vrpsam_app.web import callbacks, collection
from vrpsam_app.web.marked import marked_references, read_page
from vrpsam_app.web.session import Answers


def preview(inquiry):
    *_, last = callbacks.preview(inquiry)
    return last.answers


def test_find_answers_target_by_target_the_visible_one_first(session, inquiry, asked, red_box):
    question = asked(red_box, shown=session.targets[1].id)
    steps = list(callbacks.find(inquiry(question)))
    assert [step.searching.name if step.searching else None for step in steps] == [
        "second.png",
        "first.png",
        "without.png",
        None,
    ]
    assert [step.done for step in steps] == [0, 1, 2, 3]
    present = {
        target.name: steps[-1].answers.findings[target.id].present for target in session.targets
    }
    assert present == {"first.png": True, "second.png": True, "without.png": False}


def test_find_does_not_ask_again_what_it_knows(session, segmenter, inquiry, asked, search, red_box):
    question = asked(red_box)
    known = preview(inquiry(question))
    assert list(known.findings) == [session.targets[0].id]
    last = search(question, known)
    assert len(last.answers.findings) == 3
    assert len(segmenter.asked) == 3
    assert search(question, last.answers).answers.findings == last.answers.findings
    assert len(segmenter.asked) == 3


@pytest.mark.parametrize("change", ["marks", "exhaustive", "label", "model"])
def test_answers_to_another_question_are_forgotten(
    session, inquiry, asked, search, canvas_with, red_box, change
):
    last = search(asked(red_box))
    moved = red_box | {"xyxy": [41, 51, 60, 70]} if change == "marks" else red_box
    canvas = canvas_with(
        moved,
        exhaustive=change == "exhaustive",
        label="red" if change == "label" else "object",
    )
    if change == "model":
        other = dataclasses.replace(session.choice, method="tuned_threshold")
        session = dataclasses.replace(session, choice=other)
    question = asked(canvas=canvas, shown=session.targets[2].id)
    found = preview(inquiry(question, last.answers, of=session))
    assert list(found.findings) == [session.targets[2].id]


def test_the_model_is_shown_what_was_marked(segmenter, inquiry, asked, canvas_with):
    marks = (
        {"type": "point", "xy": [50.5, 60.5], "positive": True, "radius": 3},
        {"type": "scribble", "xy": [[140, 60], [160, 60]], "width": 4, "positive": False},
    )
    question = asked(canvas=canvas_with(*marks, exhaustive=True))
    preview(inquiry(question))
    (reference,) = segmenter.asked
    assert reference.exhaustive
    assert reference.positive.sum() == 29
    assert reference.positive[60, 50]
    assert reference.negative[60, 138:162].all()
    assert not reference.negative[:, :130].any()


def test_a_picture_of_another_scale_is_named(visitor, asked, search, red_box, tmp_path):
    ramp = np.linspace(0, 1, 100 * 120, dtype=np.float32).reshape(100, 120)
    tifffile.imwrite(tmp_path / "small.tif", ramp)
    assert collection.add_targets(visitor, [tmp_path / "small.tif"]) == []
    small = visitor.session.targets[-1].id
    notes = notes_of(search(asked(red_box), of=visitor.session))
    assert not any(notes.values())
    tifffile.imwrite(tmp_path / "large.tif", (ramp.T * 60000).astype(np.uint16))
    assert collection.add_targets(visitor, [tmp_path / "large.tif"]) == []
    notes = notes_of(search(asked(red_box), of=visitor.session))
    assert notes.pop(small) == callbacks.FAINT
    assert len(notes) == 4
    assert not any(notes.values())


def notes_of(progress: callbacks.Progress) -> dict[str, str]:
    return {target: finding.note for target, finding in progress.answers.findings.items()}


def test_a_picture_that_shows_nothing_is_named(visitor, asked, search, red_box, tmp_path):
    dark = np.random.default_rng(0).integers(0, 5, (60, 90, 3)).astype(np.uint8)
    Image.fromarray(dark).save(tmp_path / "dark.png")
    collection.add_targets(visitor, [tmp_path / "dark.png"])
    findings = search(asked(red_box), of=visitor.session).answers.findings
    *others, last = [findings[target.id].note for target in visitor.session.targets]
    assert others == ["", "", ""]
    assert last == callbacks.FLAT


def test_what_is_found_by_a_picture_that_shows_nothing_is_named(visitor, asked, search, tmp_path):
    Image.new("L", (90, 60), 3).save(tmp_path / "dark.png")
    collection.add_marked(visitor, [tmp_path / "dark.png"])
    session = visitor.session
    marks = [{"type": "box", "xyxy": [10, 10, 30, 30]}]
    item = {"image": session.marked[0].id, "label": "object", "marks": marks}
    question = read_page(session, {"references": [item]}, {})
    findings = search(question, of=session).answers.findings
    notes = [findings[target.id].note for target in session.targets]
    assert notes == [callbacks.FLAT, *[callbacks.FLAT_MARKED] * 3]


def test_several_classes_compete(session, asked, search, red_box):
    image = session.marked[0].id
    blue_box = red_box | {"xyxy": [140, 50, 160, 70]}
    canvas = {
        "references": [
            {"image": image, "label": "red", "exhaustive": False, "marks": [red_box]},
            {"image": image, "label": "blue", "exhaustive": False, "marks": [blue_box]},
        ]
    }
    finding = search(asked(canvas=canvas)).answers.findings[session.targets[0].id]
    assert [found.label for found in finding.classes] == ["red", "blue"]
    classes = finding.at_threshold(0.5)
    pixels = read_image(session.targets[0].path)
    np.testing.assert_array_equal(classes.predictions["red"].mask, pixels[..., 0] > 180)
    np.testing.assert_array_equal(classes.predictions["blue"].mask, pixels[..., 2] > 180)
    assert not (classes.predictions["red"].mask & classes.predictions["blue"].mask).any()


def test_a_correction_changes_the_answer_of_its_target_only(
    session, segmenter, inquiry, asked, search, red_box
):
    loose = red_box | {"xyxy": [30, 40, 170, 80]}
    before = search(asked(loose))
    target = session.targets[0]
    against = {"type": "point", "xy": [160, 40], "positive": False}
    question = asked(loose, shown=target.id, corrections={target.id: {"object": [against]}})
    after = preview(inquiry(question, before.answers))
    changed = [
        target.name
        for target in session.targets
        if after.findings[target.id] != before.answers.findings[target.id]
    ]
    assert changed == ["first.png"]
    asked_so_far = len(segmenter.asked)
    assert preview(inquiry(question, after)).findings == after.findings
    assert len(segmenter.asked) == asked_so_far


def test_corrections_of_a_class_without_marks_are_left_out(session, inquiry, asked, red_box):
    target = session.targets[0]
    point = {"type": "point", "xy": [5, 5]}
    marks = {target.id: {"other": [point], "object": [point]}}
    question = asked(red_box, shown=target.id, corrections=marks)
    assert question.corrections == {target.id: {"object": [point]}}
    assert target.id in preview(inquiry(question)).findings


@pytest.mark.parametrize(
    "marks", [[], [{"type": "point", "xy": [50, 60], "positive": False}]], ids=["none", "not this"]
)
def test_without_a_positive_mark_live_waits_and_find_says_so(
    segmenter, inquiry, asked, search, marks
):
    question = asked(*marks)
    assert preview(inquiry(question)).findings == {}
    with pytest.raises(EmptyReferenceError, match="Mark one object"):
        search(question)
    assert segmenter.asked == []


def test_a_target_that_fails_does_not_stop_the_rest(session, asked, search, red_box):
    session.targets[1].path.unlink()
    last = search(asked(red_box))
    failures = [last.answers.findings[t.id].failure for t in session.targets]
    assert failures[0] == failures[2] == ""
    assert "second.png is no longer on the server" in failures[1]


@pytest.mark.parametrize(
    "marks",
    [
        [{"type": "point", "xy": [float("nan"), 1]}],
        [{"type": "point", "xy": [-500, -1]}],
        [{"type": "box", "xyxy": [5, 5, 1, 1]}],
        [{"type": "point", "xy": [5000, 1]}],
        [{"type": "scribble", "xy": [[1, 1]] * 200_000, "width": 2}],
        [{"type": "point", "xy": [1, 1]}] * 10_001,
        [{"type": "mask", "png": "////"}],
        [{"type": "kept", "key": "../../etc/passwd", "positive": True}],
        [None],
    ],
    ids=lambda marks: str(marks)[:40],
)
def test_hostile_marks_are_a_sentence(segmenter, inquiry, asked, marks):
    with pytest.raises(AnnotationError):
        preview(inquiry(asked(*marks)))
    assert segmenter.asked == []


def test_ten_thousand_points_are_answered(session, inquiry, asked):
    rng = np.random.default_rng(0)
    places = rng.uniform((45, 55), (55, 65), size=(10_000, 2)).tolist()
    found = preview(inquiry(asked(*({"type": "point", "xy": xy} for xy in places))))
    assert found.findings[session.targets[0].id].present


def test_without_targets_find_says_so(session, inquiry, asked, search, red_box):
    empty = dataclasses.replace(session, targets=())
    assert preview(inquiry(asked(red_box), of=empty)) == Answers()
    with pytest.raises(ImageFileError, match="no picture to look in"):
        search(asked(red_box), of=empty)


def test_visible_target_and_marked_pictures_are_prepared(
    session, segmenter, inquiry, token, asked, red_box
):
    callbacks.prepare(inquiry(asked(red_box, shown=session.targets[1].id)))
    assert segmenter.prepared == [(150, 160, 3), (120, 200, 3)]
    assert callbacks.shown_target(session, "unknown") == session.targets[0]
    token.cancel()
    callbacks.prepare(inquiry(asked(red_box)))
    assert len(segmenter.prepared) == 2


def test_cancel_stops_within_one_target(
    visitor, segmenter, line, inquiry, token, asked, red_box, tmp_path
):
    """A picture of many tiles is left after the one that is being looked at."""
    rng = np.random.default_rng(0)
    wide = rng.integers(100, 120, (300, 3000, 3), np.uint8)
    wide[100:110, 100:110] = (210, 40, 40)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    visitor.change(lambda session: dataclasses.replace(session, targets=()))
    assert collection.add_targets(visitor, [tmp_path / "wide.png"]) == []
    session = visitor.session
    small = red_box | {"xyxy": [46, 56, 54, 64]}
    whole = len(_asked_tiles(segmenter, inquiry(asked(small), of=session)))
    assert whole > 4

    def stop_at_second(reference) -> None:
        list.append(segmenter.asked, reference)
        if len(segmenter.asked) == 2:
            token.cancel()

    segmenter.asked = _Told(stop_at_second)
    with pytest.raises(Cancelled):
        preview(inquiry(asked(small), of=session))
    assert 2 <= len(segmenter.asked) <= 4
    assert len(line) == 0


class _Told(list):
    """A list that tells of what is added."""

    def __init__(self, told) -> None:
        super().__init__()
        self._told = told

    def append(self, item) -> None:
        self._told(item)


def _asked_tiles(segmenter, inquiry) -> list:
    preview(inquiry)
    asked, segmenter.asked = segmenter.asked, []
    return asked


def test_others_are_answered_between_the_targets_of_a_search(
    segmenter, line, inquiry, asked, search, red_box
):
    order = []
    question = asked(red_box)
    steps = callbacks.find(inquiry(question))
    next(steps)

    def other() -> None:
        with line.join() as place:
            place.wait()
            order.append(len(segmenter.asked))

    with line.join() as first:
        first.wait()
        thread = threading.Thread(target=other)
        thread.start()
        while len(line) < 2:
            pass
        waiting = next(steps)
    assert waiting.before == 2
    places = [step.before for step in steps]
    thread.join()
    assert order == [0]
    assert places[-1] == 0
    assert len(segmenter.asked) == 3
    assert segmenter.at_once == 1


def test_one_intensity_range_for_the_set(visitor, session, asked, tmp_path):
    ramp = np.linspace(1000, 5000, 64 * 64).reshape(64, 64).astype(np.uint16)
    tifffile.imwrite(tmp_path / "ramp.tif", ramp)
    box = {"type": "box", "xyxy": [40, 50, 60, 70]}
    references = marked_references(session, asked(box))
    assert callbacks.shared_range(session, references) is None
    assert collection.add_targets(visitor, [tmp_path / "ramp.tif"]) == []
    found = callbacks.shared_range(visitor.session, references)
    assert 1000 <= found.low < found.high <= 5000
