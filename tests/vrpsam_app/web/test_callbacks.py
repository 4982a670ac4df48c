from __future__ import annotations

import dataclasses

import pytest

from vrpsam_app.errors import AnnotationError, EmptyReferenceError, ImageFileError
from vrpsam_app.web import callbacks
from vrpsam_app.web.session import Answers


def test_find_answers_target_by_target_the_visible_one_first(
    session, segmenter, canvas_with, red_box
):
    shown = session.targets[1]
    steps = list(
        callbacks.find(segmenter, session, Answers(), canvas_with(red_box), False, shown.id)
    )
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


def test_find_does_not_ask_again_what_it_knows(session, segmenter, canvas_with, red_box):
    canvas = canvas_with(red_box)
    known = callbacks.preview(segmenter, session, Answers(), canvas, False, None)
    assert list(known.findings) == [session.targets[0].id]
    *_, last = callbacks.find(segmenter, session, known, canvas, False, None)
    assert len(last.answers.findings) == 3
    assert len(segmenter.asked) == 3
    *_, again = callbacks.find(segmenter, session, last.answers, canvas, False, None)
    assert again.answers.findings == last.answers.findings
    assert len(segmenter.asked) == 3


@pytest.mark.parametrize("change", ["marks", "exhaustive"])
def test_answers_to_other_marks_are_forgotten(session, segmenter, canvas_with, red_box, change):
    *_, last = callbacks.find(segmenter, session, Answers(), canvas_with(red_box), False, None)
    moved = red_box | {"xyxy": [41, 51, 60, 70]}
    canvas = canvas_with(moved if change == "marks" else red_box)
    found = callbacks.preview(
        segmenter, session, last.answers, canvas, change == "exhaustive", session.targets[2].id
    )
    assert list(found.findings) == [session.targets[2].id]


def test_the_model_is_shown_what_was_marked(session, segmenter, canvas_with):
    marks = (
        {"type": "point", "xy": [50.5, 60.5], "positive": True, "radius": 3},
        {"type": "scribble", "xy": [[140, 60], [160, 60]], "width": 4, "positive": False},
    )
    callbacks.preview(segmenter, session, Answers(), canvas_with(*marks), True, None)
    (reference,) = segmenter.asked
    assert reference.exhaustive
    assert reference.positive.sum() == 29
    assert reference.positive[60, 50]
    assert reference.negative[60, 138:162].all()
    assert not reference.negative[:, :130].any()


@pytest.mark.parametrize(
    "marks", [[], [{"type": "point", "xy": [50, 60], "positive": False}]], ids=["none", "not this"]
)
def test_without_a_positive_mark_live_waits_and_find_says_so(
    session, segmenter, canvas_with, marks
):
    canvas = canvas_with(*marks)
    assert callbacks.preview(segmenter, session, Answers(), canvas, False, None).findings == {}
    with pytest.raises(EmptyReferenceError, match="Mark one object"):
        next(callbacks.find(segmenter, session, Answers(), canvas, False, None))
    assert segmenter.asked == []


@pytest.mark.parametrize(
    "canvas",
    [None, "text", [], {}, {"image": "other", "marks": []}, {"marks": []}],
    ids=repr,
)
def test_marks_of_another_picture_are_refused(session, segmenter, canvas):
    with pytest.raises(AnnotationError, match="Reload the page"):
        callbacks.preview(segmenter, session, Answers(), canvas, False, None)
    assert callbacks.answers_now(session, Answers(), canvas, False) == Answers()


@pytest.mark.parametrize(
    "marks",
    [
        "text",
        {"a": 1},
        [None],
        [{"type": "point", "xy": [float("nan"), 1]}],
        [{"type": "box", "xyxy": [5, 5, 1, 1]}],
        [{"type": "point", "xy": [5000, 1]}],
        [{"type": "scribble", "xy": [[1, 1]] * 200_000, "width": 2}],
        [{"type": "mask", "png": "////"}],
    ],
    ids=lambda marks: str(marks)[:40],
)
def test_hostile_marks_are_a_sentence(session, segmenter, marks):
    canvas = {"image": session.reference.id, "marks": marks}
    with pytest.raises(AnnotationError):
        callbacks.preview(segmenter, session, Answers(), canvas, False, None)
    assert segmenter.asked == []


def test_without_targets_find_says_so(session, segmenter, canvas_with, red_box):
    empty = dataclasses.replace(session, targets=())
    canvas = canvas_with(red_box)
    assert callbacks.preview(segmenter, empty, Answers(), canvas, False, None) == Answers()
    with pytest.raises(ImageFileError, match="no picture to look in"):
        next(callbacks.find(segmenter, empty, Answers(), canvas, False, None))
    callbacks.prepare(segmenter, empty, None)
    assert segmenter.prepared == []


def test_visible_target_and_reference_are_prepared(session, segmenter):
    callbacks.prepare(segmenter, session, session.targets[1].id)
    assert segmenter.prepared == [(150, 160, 3), (120, 200, 3)]
    assert callbacks.shown_target(session, "unknown") == session.targets[0]
