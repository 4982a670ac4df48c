from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

import pytest

from vrpsam_app.errors import MissingExtraError
from vrpsam_app.web import launch

ROOT = Path(__file__).resolve().parents[3]


def test_nothing_is_shared_recorded_or_watched():
    options = launch.page_options()
    names = ("share", "run_history", "enable_monitoring", "ssr_mode", "show_error", "pwa")
    assert {name: options[name] for name in names} == dict.fromkeys(names, False)
    assert options["footer_links"] == ["api"]
    assert options["favicon_path"].is_file()


def test_telemetry_is_off_before_gradio_is_imported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(MissingExtraError, match=r"vrpsam-app\[web\]"):
        launch.launch_app()
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_the_space_opens_the_same_app(monkeypatch: pytest.MonkeyPatch):
    calls = []
    monkeypatch.setattr(launch, "launch_app", lambda *a, **k: calls.append((a, k)))
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
    assert calls == [((), {})]


def test_style_scripts_and_markup_name_no_other_host():
    files = [
        p for p in Path(launch.__file__).parent.iterdir() if p.suffix in (".css", ".js", ".html")
    ]
    assert len(files) == 7
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert "http:" not in text
        assert "https:" not in text
        assert "@import" not in text
