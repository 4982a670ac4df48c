from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np

from vrpsam_app.image_files import decode_png, read_image
from vrpsam_app.web import callbacks, view
from vrpsam_app.web.downloads import Saving
from vrpsam_app.web.model import Choice
from vrpsam_app.web.session import Answers, Finding


def levels_in(answer) -> np.ndarray:
    head, data = answer["classes"][0]["levels"].split(",", 1)
    assert head == "data:image/png;base64"
    return decode_png(base64.b64decode(data))


def test_the_browser_gets_what_it_needs_to_cut_at_any_threshold(session, search, asked, red_box):
    answers = search(asked(red_box)).answers
    first = view.board_answers(session, answers)[0]
    assert (first["state"], first["id"]) == ("done", session.targets[0].id)
    pixels = read_image(session.targets[0].path)
    np.testing.assert_array_equal(levels_in(first) >= 50, pixels[..., 0] > 180)


def test_states(session, search, asked, red_box):
    answers = search(asked(red_box)).answers
    found = view.board_answers(session, answers)
    assert [answer["classes"][0]["present"] for answer in found] == [True, True, False]
    searching = view.board_answers(session, Answers(), searching=session.targets[1])
    assert [(a["id"], a["state"]) for a in searching] == [(session.targets[1].id, "searching")]
    failed = Answers().with_finding(session.targets[0].id, Finding(failure="It is gone."))
    assert view.board_answers(session, failed)[0]["note"] == "It is gone."


def test_pictures_are_shown_without_where_they_lie(session):
    for shown in (view.canvas_pictures(session), view.board_pictures(session)):
        assert all(set(p) == {"id", "name", "src", "width", "height"} for p in shown)
        assert str(session.folder) not in str(shown)
    assert view.canvas_pictures(session)[0]["width"] == 200


def test_the_page_opens_with_marks(session):
    given = view.canvas_given(session)
    assert given["references"][0]["marks"][0]["type"] == "box"


def test_progress_is_told(inquiry, asked, red_box):
    steps = callbacks.find(inquiry(asked(red_box)))
    words = [view.progress_words(step) for step in steps]
    assert words[:3] == [
        "Looking at 1 of 3 · first.png",
        "Looking at 2 of 3 · second.png",
        "Looking at 3 of 3 · without.png",
    ]
    assert words[3].startswith("Found in 2 of 3 pictures · ")


def test_the_unsure_are_told_what_may_know_better(session, inquiry, asked, red_box, monkeypatch):
    *_, looking, last = callbacks.find(inquiry(asked(red_box)))
    unsure = replace(last, answers=Answers(findings=found_with(0.2, last)))
    sure = replace(last, answers=Answers(findings=found_with(0.9, last)))
    words = view.advice_words(unsure, Choice())
    assert "The model is unsure here." in words
    assert words.endswith("--method matching --sam sam_vit_b --features dinov2_b14")
    assert not view.advice_words(sure, Choice())
    noted = {key: replace(f, note="Too dark.") for key, f in unsure.answers.findings.items()}
    assert not view.advice_words(replace(last, answers=Answers(findings=noted)), Choice())
    assert view.board_answers(session, Answers(findings=noted))[0]["note"] == "Too dark."
    assert not view.advice_words(replace(looking, answers=unsure.answers), Choice())
    assert not view.advice_words(unsure, Choice(method="training_free_prior"))
    monkeypatch.setenv("SPACE_ID", "somebody/something")
    assert not view.advice_words(unsure, Choice())


def found_with(score: float, progress: callbacks.Progress) -> dict[str, Finding]:
    """Return the findings as if all were expected to be as good as this."""
    return {
        key: replace(f, classes=tuple(replace(c, score=score, present=True) for c in f.classes))
        for key, f in progress.answers.findings.items()
    }


def test_the_place_in_the_line_is_told():
    assert view.waiting_words(1) == "The model is at work, 1 task before yours …"
    assert view.waiting_words(4) == "The model is at work, 4 tasks before yours …"
    assert view.saving_words(Saving(0, 3, "a.png", before=2)) == view.waiting_words(2)


def test_next_step_is_told(session, inquiry, asked, search, red_box):
    question = asked(red_box)
    *_, one = callbacks.preview(inquiry(question))
    assert view.preview_words(session, Answers()) == view.START_MARKING
    assert view.preview_words(session, one.answers) == "Press Find to look in the other 2."
    assert "All pictures are up to date." in view.preview_words(session, search(question).answers)


def test_saving_is_told(tmp_path):
    assert view.saving_words(Saving(1, 3, "b.png")) == "Writing 2 of 3 · b.png"
    done = Saving(3, 3, path=tmp_path, objects=1)
    assert view.saving_words(done) == "Saved, 1 object."
    assert "the page counts what is connected" in view.saving_words(done, cut=True)
    lacking = Saving(3, 3, path=tmp_path, failed=("b.png is damaged.",))
    assert view.saving_words(lacking) == "Saved without 1 of 3: b.png is damaged."
