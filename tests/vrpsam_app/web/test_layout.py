"""The page as it is put together, in a process of its own: Gradio leaves event loops open."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]

BUILD = """
import json

from vrpsam_app.web.layout import build_app


def no_model():
    raise AssertionError("the page is built without the model")


app = build_app(no_model)
print(json.dumps({
    "analytics": app.analytics_enabled,
    "max_size": app._queue.max_size,
    "functions": [
        {
            "name": function.name,
            "api": function.api_name,
            "visibility": function.api_visibility,
            "line": function.concurrency_id,
            "limit": function.concurrency_limit,
        }
        for function in app.fns.values()
    ],
}))
"""


@pytest.fixture(scope="module")
def app() -> dict[str, Any]:
    command = [sys.executable, "-c", BUILD]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(built.stdout)


def test_only_the_endpoints_are_public(app):
    public = [f["api"] for f in app["functions"] if f["visibility"] != "private"]
    assert public == ["segment", "info"]


def test_everything_that_runs_the_model_may_stand_in_its_line(app):
    on_model = [f for f in app["functions"] if f["line"] == "model"]
    assert {f["name"] for f in on_model} == {
        "get_ready",
        "show_live",
        "show_findings",
        "save_mask",
        "save_all",
        "reuse",
    }
    assert {f["limit"] for f in on_model} == {32}


def test_waiting_is_bounded_and_nothing_is_reported(app):
    assert app["max_size"] == 64
    assert app["analytics"] is False
