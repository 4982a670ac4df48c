"""``vrpsam app`` hands its options to the web app, and says what is missing."""

from __future__ import annotations

import sys

import pytest

from vrpsam_app.web import launch


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        launch,
        "launch_app",
        lambda host, port, *, open_browser, max_megapixels: calls.append(
            (host, port, open_browser, max_megapixels)
        ),
    )
    return calls


def test_defaults_leave_the_choice_to_the_app(vrpsam, launched):
    assert vrpsam("app").code == 0
    assert launched == [(None, None, False, None)]


def test_options_are_handed_on(vrpsam, launched):
    assert vrpsam("app", "--host", "0.0.0.0", "--port", "8123", "--open").code == 0
    assert vrpsam("app", "--max-megapixels", "40").code == 0
    assert launched == [("0.0.0.0", 8123, True, None), (None, None, False, 40.0)]


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1", "80.5"])
def test_strange_port_is_a_usage_error(vrpsam, launched, port: str):
    assert vrpsam("app", f"--port={port}").code == 2
    assert launched == []


def test_port_in_use_is_one_sentence(vrpsam, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError("in use")

    monkeypatch.setattr(launch, "launch_app", fail)
    outcome = vrpsam("app", "--port", "8123")
    assert outcome.code == 2
    assert "port 8123 of this computer: it is in use" in outcome.err
    assert outcome.err.count("\n") == 1


def test_without_gradio_the_remedy_is_said(vrpsam, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    outcome = vrpsam("app")
    assert outcome.code == 2
    assert 'pip install "vrpsam-app[web]"' in outcome.err
