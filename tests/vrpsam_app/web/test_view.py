from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from vrpsam_app.web import callbacks, view
from vrpsam_app.web.session import Answers


def picture_in(tile: dict[str, str]) -> np.ndarray:
    head, data = tile["src"].split(",", 1)
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int)


def found(session, segmenter, canvas) -> Answers:
    *_, last = callbacks.find(segmenter, session, Answers(), canvas, False, None)
    return last.answers


def test_results_are_drawn_where_they_are(session, segmenter, canvas_with, red_box):
    answers = found(session, segmenter, canvas_with(red_box))
    plain = picture_in(view.tiles(session, Answers(), 0.5)[0])
    drawn = picture_in(view.tiles(session, answers, 0.5)[0])
    change = np.abs(drawn - plain).max(axis=-1)
    assert change[30, 40] > 40
    assert change[80, 120] > 40
    assert change[100, 20] < 12
    assert change[40, 160] < 12


def test_states_and_words(session, segmenter, canvas_with, red_box):
    answers = found(session, segmenter, canvas_with(red_box))
    first, _, without = view.tiles(session, answers, 0.5)
    assert (first["state"], first["badge"], first["caption"]) == ("found", "90%", "Found")
    assert "outline about 90% right" in first["detail"]
    assert (without["state"], without["caption"]) == ("absent", "Nothing like it here")
    waiting = view.tiles(session, Answers(), 0.5, searching=session.targets[1])
    assert [tile["state"] for tile in waiting] == ["waiting", "searching", "waiting"]


def test_threshold_moves_the_picture_without_the_model(session, segmenter, canvas_with, red_box):
    answers = found(session, segmenter, canvas_with(red_box))
    asked = len(segmenter.asked)
    sources = [view.tiles(session, answers, threshold)[0]["src"] for threshold in (0.2, 0.99)]
    assert sources[0] != sources[1]
    assert len(segmenter.asked) == asked


def test_doubt_is_said():
    assert view.found_words(0.3, 0.2)[0] == "Found, but look twice"
    assert view.found_words(0.9, 0.001)[1].startswith("less than 1% of the picture")


def test_reference_is_shown_with_its_marks(session):
    shown = view.canvas_picture(session)
    assert (shown["width"], shown["height"], shown["marks"]) == (200, 120, [])
    assert shown["id"] == session.reference.id
    assert str(session.reference.path) not in str(shown)


def test_progress_is_told(session, segmenter, canvas_with, red_box):
    steps = callbacks.find(segmenter, session, Answers(), canvas_with(red_box), False, None)
    words = [view.progress_words(step) for step in steps]
    assert words[:3] == [
        "Looking at 1 of 3 · first.png",
        "Looking at 2 of 3 · second.png",
        "Looking at 3 of 3 · without.png",
    ]
    assert words[3].startswith("Found in 2 of 3 pictures · ")


def test_next_step_is_told(session, segmenter, canvas_with, red_box):
    canvas = canvas_with(red_box)
    one = callbacks.preview(segmenter, session, Answers(), canvas, False, None)
    assert view.preview_words(session, Answers()) == view.START_MARKING
    assert view.preview_words(session, one) == "Press Find to look in the other 2."
    assert "up to date" in view.preview_words(session, found(session, segmenter, canvas))
