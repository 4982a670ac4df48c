"""Events of one page that overlap: none undoes what another has done."""

from __future__ import annotations

import dataclasses
import types
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from vrpsam_app.errors import AnnotationError, Cancelled
from vrpsam_app.review.archive import unpack_project
from vrpsam_app.web import callbacks
from vrpsam_app.web.handlers import Handlers, told_found
from vrpsam_app.web.model import Choice
from vrpsam_app.web.plain_words import in_plain_words
from vrpsam_app.web.session import Finding


@pytest.fixture
def on(segmenter, line) -> Handlers:
    """The page's handlers, on the one model that there is."""
    shelf: Any = types.SimpleNamespace(of=lambda choice: segmenter, line=line)
    return Handlers(shelf)


def names(pictures) -> list[str]:
    return [picture["name"] for picture in pictures]


def test_a_reference_that_is_chosen_while_files_are_read_stays(
    on, visitor, session, red_box, pictures, tmp_path
):
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(paths):
        Image.new("L", (9, 9), number).save(path)
    reading = on.add_targets(visitor, [str(path) for path in paths])
    assert "Reading 4 files" in next(reading)[1]
    *_, (canvas, _, _, find, _) = on.choose_beside(visitor, [str(pictures["second"])])
    assert not find.interactive  # files are read still
    *_, (board, _, find, _) = reading
    assert find.interactive
    assert names(canvas["pictures"]) == ["reference.png", "second-2.png"]
    assert names(board["pictures"])[-4:] == [path.name for path in paths]
    chosen = {"image": canvas["pictures"][1]["id"], "label": "object", "marks": [red_box]}
    *_, (live, _) = on.show_live(visitor, {"references": [chosen]}, {})
    assert [answer["id"] for answer in live["answers"]] == [session.targets[0].id]


def test_a_picture_of_ones_own_is_shown_and_the_one_before_comes_back(on, visitor, pictures):
    reading, chosen = on.choose(visitor, [str(pictures["second"])])
    assert "Reading second.png" in reading[2]
    assert not reading[3].interactive
    canvas, board, *_ = chosen
    assert names(canvas["pictures"]) == ["second.png"]
    assert board["given"]["shown"] == board["pictures"][0]["id"] == canvas["pictures"][0]["id"]
    back, _ = on.bring_back(visitor)
    assert names(back["pictures"]) == ["reference.png"]


def test_find_without_marks_is_said_where_to_begin_and_no_error(on, visitor, canvas_with):
    find = in_plain_words(on.show_findings, told_found)
    ((_, status, button, stop),) = find(visitor, canvas_with(), {})
    assert 'data-about="marks"' in status
    assert (button.interactive, stop.visible) == (True, False)


def test_a_picture_that_is_marked_as_well_leaves_all_results(
    on, visitor, session, canvas_with, red_box, pictures
):
    list(on.show_findings(visitor, canvas_with(red_box), {}))
    *_, (canvas, board, *_) = on.choose_beside(visitor, [str(pictures["second"])])
    assert names(canvas["pictures"]) == ["reference.png", "second-2.png"]
    assert "pictures" not in board
    assert len(board["answers"]) == 3


def test_pictures_that_are_brought_during_a_search_and_its_answers_stay(
    on, visitor, session, canvas_with, red_box, pictures
):
    steps = on.show_findings(visitor, canvas_with(red_box), {})
    next(steps)
    next(steps)
    *_, (board, status, *_) = on.add_targets(visitor, [str(pictures["reference"])])
    assert [answer["id"] for answer in board["answers"]] == [session.targets[0].id]
    assert "Press Find to look in the other 3." in status
    *_, last = steps
    assert len(last[0]["answers"]) == 3
    assert len(visitor.session.targets) == 4


def test_answers_to_marks_on_a_result_stay_during_a_search(
    on, visitor, session, canvas_with, red_box
):
    marks, second = canvas_with(red_box), session.targets[1].id
    steps = on.show_findings(visitor, marks, {})
    next(steps)
    *_, (live, _) = on.show_live(visitor, marks, {"shown": second})
    assert [answer["id"] for answer in live["answers"]] == [second]
    found, *_ = next(steps)
    assert second in {answer["id"] for answer in found["answers"]}


def test_a_search_by_another_model_is_over(on, visitor, canvas_with, red_box):
    steps = on.show_findings(visitor, canvas_with(red_box), {})
    next(steps)
    chosen = Choice(method="matching")
    visitor.change(lambda session: dataclasses.replace(session, choice=chosen))
    with pytest.raises(Cancelled):
        list(steps)
    assert visitor.answers.findings == {}


def test_a_search_that_fails_leaves_the_page_ready_for_the_next(
    on, visitor, canvas_with, red_box, monkeypatch
):
    def ask(inquiry, target):
        if target is inquiry.session.targets[1]:
            raise AnnotationError("The model cannot be used for this.")
        return Finding((), inquiry.asked.corrected(target))

    monkeypatch.setattr(callbacks, "ask", ask)
    find = in_plain_words(on.show_findings, told_found)
    shown: list[Any] = []
    with pytest.raises(gr.Error, match="cannot be used"):
        shown.extend(find(visitor, canvas_with(red_box), {}))
    board, status, button, stop = shown[-1]
    assert [answer["state"] for answer in shown[-2][0]["answers"]] == ["done", "searching"]
    assert [answer["state"] for answer in board["answers"]] == ["done"]
    assert "cannot be used" in status
    assert button.interactive
    assert not stop.visible


def test_who_saves_has_accepted_what_the_last_answer_shows(
    on, visitor, session, canvas_with, red_box, tmp_path
):
    first = session.targets[0].id
    board = {"decisions": {first: "accept"}}
    list(on.show_findings(visitor, canvas_with(red_box), board))
    status = {}
    for name, marks in ("same", [red_box]), ("other", [red_box, {"type": "point", "xy": [5, 5]}]):
        *_, (path, *_) = on.save_all(visitor, canvas_with(*marks), board, "components")
        project = unpack_project(Path(path), tmp_path / name)
        status[name] = next(p.status for p in project.state.pictures() if p.name == "first")
    assert status["same"] == "accepted" != status["other"]
