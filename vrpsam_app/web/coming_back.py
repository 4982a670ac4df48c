"""A page that was loaded again within its visit: everything is put back as it was.

A network that is gone for a moment makes Gradio load the page anew. The server has the pictures,
what was found and the pixels of kept references; marks and settings are the page's own, which
brings them along.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import gradio as gr

from vrpsam_app.errors import VRPSAMError
from vrpsam_app.web import view
from vrpsam_app.web.inquiry import known_answers, with_standing_decisions
from vrpsam_app.web.marked import Item, as_mapping, read_page
from vrpsam_app.web.more_events import describe
from vrpsam_app.web.painting import mask_url
from vrpsam_app.web.plain_words import status_line
from vrpsam_app.web.session import Answers, Session
from vrpsam_app.web.visitor import Visitor
from vrpsam_app.web.visits import visits

ENDED = "You were away for long: pictures, marks and results of before are gone."
BACK = "Your pictures and marks are here again."
WITHOUT_MARKS = "Your pictures are here again. The marks could not be kept: mark them again."


def start_visit(visitor: Visitor, kept: object, request: gr.Request) -> tuple[Any, ...]:
    """Remember who has come, so that files go when the page is closed, or go on with a visit.

    Parameters
    ----------
    visitor : who has come
    kept : ``{"token", "canvas", "board"}`` that the page had when it went away, else None

    Returns
    -------
    updates : tuple
        Of the visitor, the token, canvas, board and status line, and of model, other model, what is
        said about it, method and device.
    """
    page = as_mapping(kept)
    name = request.session_hash
    visit = visits.rejoin(page.get("token"), name)
    if visit is None:
        said = status_line(ENDED) if page.get("token") else gr.skip()
        same = [gr.skip()] * 2
        return gr.skip(), visits.begin(name, visitor).token, *same, said, *([gr.skip()] * 5)
    session = visit.visitor.session
    canvas, board, answers, words = _as_it_was(visit.visitor, page)
    choice = session.choice
    about, methods = describe(choice.model, "")
    return (
        visit.visitor,
        visit.token,
        gr.update(pictures=view.canvas_pictures(session), given=canvas),
        gr.update(
            pictures=view.board_pictures(session),
            answers=view.board_answers(session, answers),
            given=board,
        ),
        status_line(words),
        choice.model,
        "",
        about,
        gr.Dropdown(methods.choices, value=choice.method),
        choice.device,
    )


def _as_it_was(
    visitor: Visitor, page: Mapping[Any, Any]
) -> tuple[dict[str, Any], dict[str, Any], Answers, str]:
    """Return the marks as the canvas takes them, the board's settings, results, what is to be said.

    A result that was asked for by other marks, before the last one, is left out.
    """
    session = visitor.session
    serial = secrets.token_hex(6)
    canvas = {"serial": serial, "replace": True, "shown": session.marked[0].id, "references": []}
    try:
        asked = read_page(session, page.get("canvas"), page.get("board"))
        asked = with_standing_decisions(session, asked, visitor.answers)
        references = [_with_pixels(session, item) for item in asked.references]
    except VRPSAMError:
        return canvas, {"serial": serial}, Answers(), WITHOUT_MARKS
    shown = as_mapping(page.get("canvas")).get("shown")
    if any(picture.id == shown for picture in session.marked):
        canvas["shown"] = shown
    board = {
        "serial": serial,
        "shown": asked.shown,
        "threshold": asked.threshold,
        "min_area": asked.min_area,
        "decisions": dict(asked.decisions),
        "corrections": {target: dict(marks) for target, marks in asked.corrections.items()},
    }
    answers = known_answers(session, asked, visitor.answers)
    left = any(target.id not in answers.findings for target in session.targets)
    words = f"{BACK} Press Find." if left else BACK
    return canvas | {"references": references}, board, answers, words


def _with_pixels(session: Session, item: Item) -> dict[str, Any]:
    """Return a reference as the canvas takes it: with pixels to draw kept marks by."""
    picture = next(picture for picture in session.marked if picture.id == item["image"])
    marks = []
    for mark in item["marks"]:
        sent = as_mapping(mark)
        kept = session.kept.get(str(sent.get("key")))
        if kept is None:
            marks.append(mark)
            continue
        mask = kept.positive if sent.get("positive", True) else kept.negative
        marks.append({**sent, "png": mask_url(mask, picture.preview_hw)})
    return {**item, "marks": marks}
