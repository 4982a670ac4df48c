from __future__ import annotations

import dataclasses
import json
import types
from typing import Any

import gradio as gr
import pytest

from vrpsam_app.web import callbacks, coming_back
from vrpsam_app.web.marked import marked_references
from vrpsam_app.web.painting import mask_url
from vrpsam_app.web.visitor import Visitor
from vrpsam_app.web.visits import Visits


@pytest.fixture
def visits(monkeypatch) -> Visits:
    visits = Visits(grace=0.05)
    monkeypatch.setattr(coming_back, "visits", visits)
    return visits


@pytest.fixture
def newcomer():
    newcomer = Visitor()
    yield newcomer
    newcomer.close()


def connection(name: str) -> Any:
    return types.SimpleNamespace(session_hash=name)


def come(visitor: Visitor, kept: object, name: str = "again") -> Any:
    updates = coming_back.start_visit(visitor, kept, connection(name))
    return types.SimpleNamespace(
        **dict(zip(("visitor", "token", "canvas", "board", "status"), updates, strict=False))
    )


def test_everything_is_put_back(visits, visitor, newcomer, inquiry, asked, canvas_with, red_box):
    first, second, _ = visitor.session.targets
    canvas = canvas_with(red_box, label="disc", exhaustive=True)
    marks = {first.id: {"disc": [{"type": "point", "xy": [160, 40]}]}}
    board = {"shown": second.id, "threshold": 0.3, "corrections": marks, "min_area": 9}
    board["decisions"] = {first.id: "reject", second.id: "accept"}
    (done,) = callbacks.preview(inquiry(asked(canvas=canvas, **board)))
    visitor.answer(done.answers)
    kept = {"token": visits.begin("a", visitor).token, "canvas": canvas, "board": board}
    back = come(newcomer, json.loads(json.dumps(kept)))
    assert back.visitor is visitor
    assert [each["name"] for each in back.canvas["pictures"]] == ["reference.png"]
    assert back.canvas["given"]["references"] == canvas["references"]
    assert back.canvas["given"]["replace"] is True
    assert [each["id"] for each in back.board["answers"]] == [second.id]
    given = back.board["given"]
    assert (given["shown"], given["threshold"], given["min_area"]) == (second.id, 0.3, 9)
    assert given["corrections"] == marks
    assert given["decisions"] == board["decisions"]
    assert back.token not in ("", kept["token"])
    assert "Press Find" in back.status


def test_a_result_that_answers_other_marks_is_not_put_back(
    visits, visitor, newcomer, inquiry, asked, canvas_with, red_box
):
    (done,) = callbacks.preview(inquiry(asked(red_box)))
    visitor.answer(done.answers)
    board = {"decisions": {visitor.session.targets[0].id: "accept"}}
    point = {"type": "point", "xy": [50, 60]}
    kept = {"token": visits.begin("a", visitor).token, "canvas": canvas_with(red_box, point)}
    back = come(newcomer, kept | {"board": board})
    assert back.board["answers"] == []
    assert back.board["given"]["decisions"] == {}


def test_marks_that_were_kept_on_the_server_can_be_drawn_again(
    visits, visitor, newcomer, asked, canvas_with, red_box
):
    (reference,) = marked_references(visitor.session, asked(red_box))
    key = "anything"
    visitor.change(lambda session: dataclasses.replace(session, kept={key: reference}))
    sent = {"type": "kept", "key": key, "positive": True}
    token = visits.begin("a", visitor).token
    back = come(newcomer, {"token": token, "canvas": canvas_with(sent)})
    (mark,) = back.canvas["given"]["references"][0]["marks"]
    assert mark == sent | {"png": mask_url(reference.positive, (120, 200))}


@pytest.mark.parametrize(
    "canvas", [None, 7, {"references": [{"image": "gone", "label": "a", "marks": [1]}]}]
)
def test_pictures_stay_where_the_marks_cannot(visits, visitor, newcomer, canvas):
    back = come(newcomer, {"token": visits.begin("a", visitor).token, "canvas": canvas})
    assert back.visitor is visitor
    assert back.canvas["given"]["references"] == []
    assert len(back.board["pictures"]) == 3
    assert "mark them again" in back.status


@pytest.mark.parametrize("kept", [None, 7, [], {"token": {}}])
def test_who_never_was_here_begins(visits, newcomer, kept):
    back = come(newcomer, kept)
    assert gr.skip() == back.visitor
    assert len(back.token) > 40


def test_an_ended_visit_is_not_opened_and_said(visits, visitor, newcomer):
    visits.begin("a", visitor)
    back = come(newcomer, {"token": "x" * 43})
    assert gr.skip() == back.visitor == back.canvas == back.board
    assert "away for long" in back.status
