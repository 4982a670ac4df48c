"""What no browser sends: a sentence each, the server alive, other visitors unaffected."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

BOX = {"type": "box", "xyxy": [180, 100, 228, 148], "positive": True}


@pytest.fixture(scope="module")
def visitor(load, served):
    """A visitor who may send anything; after all of it another one is served as ever."""
    yield load.Visitor(served, 0)
    other = load.Visitor(served, 1)
    wait = other.ask([BOX], find=False)
    assert not wait.turned_away
    assert len(wait.levels) == 1


def error_of(visitor, function: str, data: list[Any]) -> str:
    """Return what an event is refused with."""
    *_, last = visitor._messages(function, data)
    assert last["msg"] == "process_completed"
    assert not last["success"]
    return str(last["output"].get("error"))


def canvas(visitor, *marks: Any, **changes: Any) -> dict[str, Any]:
    reference = {
        "image": visitor._picture,
        "label": "coin",
        "exhaustive": False,
        "marks": list(marks),
    }
    return {"references": [reference | changes]}


@pytest.mark.parametrize(
    ("marks", "sentence"),
    [
        ([{"type": "point", "xy": [-5, -5]}], "outside the image"),
        ([{"type": "box", "xyxy": [-9, -9, -3, -3]}], "outside the image"),
        ([{"type": "point", "xy": [1e300, 1]}], "finite number"),
        ([{"type": "point", "xy": ["1", None]}], "expected [x, y]"),
        ([{"type": "point", "xy": [1, 1]}] * 10_001, "at most 10000"),
        ([{"type": "scribble", "xy": [[1, 1]] * 100_001}], "at most 100000"),
        ([{"type": "mask", "png": "A" * 10_000_000}], "too many for a mask"),
        ([{"type": "kept", "key": "../../../etc/passwd"}], "no longer on the server"),
        ([{"type": "__import__('os')"}], "is unknown"),
        ([[[[[[]]]]]], "is no annotation"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_marks(visitor, marks, sentence):
    data = [None, canvas(visitor, *marks), {"shown": visitor._targets[0]}]
    # What has no positive mark is no question yet: one that has is.
    data[1]["references"][0]["marks"].append(BOX)
    said = error_of(visitor, "show_live", data)
    assert sentence in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (None, "not a list"),
        ("text", "not a list"),
        ({"references": "text"}, "not a list"),
        ({"references": [None]}, "not a list"),
        ({"references": [{"image": "x", "label": "a", "marks": []}]}, "no longer here"),
        ({"references": [{"image": "../x", "label": "a", "marks": [BOX]}]}, "no longer here"),
        ({"references": [{}] * 1000}, "at most 200"),
    ],
    ids=str,
)
def test_canvas(visitor, sent, sentence):
    assert sentence in error_of(visitor, "show_live", [None, sent, None])


def test_a_name_of_a_class_is_short(visitor):
    sent = canvas(visitor, BOX, label="x" * 5000)
    assert "1 to 80 letters" in error_of(visitor, "show_live", [None, sent, None])


@pytest.mark.parametrize(
    "board",
    [
        None,
        "text",
        {"shown": ["x"], "threshold": "high", "min_area": {}},
        {"threshold": 1e400, "min_area": -1e30, "decisions": "x", "corrections": [1]},
        {"decisions": {"x": "destroy"}, "corrections": {"x": {"y": "z"}}},
    ],
    ids=str,
)
def test_a_board_without_sense_is_an_untouched_board(visitor, board):
    text = json.dumps([None, canvas(visitor, BOX), board])
    *_, last = visitor._messages("show_live", json.loads(text.replace("Infinity", "1e99")))
    assert last["success"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"data": [NaN], "fn_index": 1, "session_hash": "x"}',
        b"[" * 100_000,
        b'{"data": "text", "fn_index": 3, "session_hash": "x"}',
        b'{"data": [], "fn_index": 99999, "session_hash": "x"}',
        b'{"data": [null, null, "' + b"x" * 30_000_000 + b'", null], "fn_index": "y"}',
    ],
    ids=lambda body: body[:30],
)
def test_bodies_that_are_no_events(visitor, served, body):
    request = urllib.request.Request(
        f"{served}gradio_api/queue/join", body, {"Content-Type": "application/json"}
    )
    assert status_of(request) in {200, *range(400, 600)}  # 200: refused when it is its turn


def status_of(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "/proc/self/environ"])
@pytest.mark.parametrize("function", ["choose", "add_targets", "take_mask", "open_project"])
def test_paths_that_were_not_uploaded(visitor, function, path):
    file: Any = {"path": path, "meta": {"_type": "gradio.FileData"}}
    if function in ("choose", "add_targets"):
        file = [file]
    page = [canvas(visitor, BOX)] if function == "take_mask" else []
    said = error_of(visitor, function, [None, *page, file])
    assert "root:" not in said


def test_files_of_visitors_are_not_served(load, served):
    visitor = load.Visitor(served, 2)
    assert visitor.ask([BOX], find=True).levels
    folder = f"/proc/{served.pid}/cwd"
    for path in ("/etc/passwd", "/tmp", folder, f"/proc/{served.pid}/environ"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{served}gradio_api/file={path}")
        assert caught.value.code in (403, 404)
        caught.value.close()
