from __future__ import annotations

import inspect
import os
import runpy
import sys
import types
from pathlib import Path

import pytest
from gradio import queueing

from tests.vrpsam_app.web.conftest import Served
from vrpsam_app.errors import ConfigError, MissingExtraError
from vrpsam_app.web import launch
from vrpsam_app.web.layout import MAX_WAITING, OTHER_EVENTS_AT_ONCE
from vrpsam_app.web.limits import MEGAPIXELS_VARIABLE

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


def test_records_for_statistics_that_nobody_sees_are_few(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GRADIO_ANALYTICS_MAX_EVENTS", "")
    monkeypatch.delenv("GRADIO_ANALYTICS_MAX_EVENTS")
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(MissingExtraError):
        launch.launch_app()
    assert os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] == str(launch.MAX_RECORDS)
    assert launch.MAX_RECORDS > MAX_WAITING + OTHER_EVENTS_AT_ONCE
    # A queue of its own would leave an event loop to the garbage collector.
    assert '"GRADIO_ANALYTICS_MAX_EVENTS"' in inspect.getsource(queueing)


def test_the_server_declines_huge_pages(served: Served):
    account = Path(f"/proc/{served.pid}/status")
    if account.is_file():
        assert "THP_enabled:\t1" not in account.read_text(encoding="ascii")


def test_the_space_opens_the_same_app(monkeypatch: pytest.MonkeyPatch):
    calls = []
    monkeypatch.setattr(launch, "launch_app", lambda *a, **k: calls.append((a, k)))
    monkeypatch.setitem(sys.modules, "spaces", None)
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
    assert calls == [((), {"on_gpu": None})]


def test_the_space_lends_its_graphics_card(monkeypatch: pytest.MonkeyPatch):
    calls = []
    lender = types.SimpleNamespace(GPU=lambda function: function)
    monkeypatch.setattr(launch, "launch_app", lambda *a, **k: calls.append((a, k)))
    monkeypatch.setitem(sys.modules, "spaces", lender)
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
    assert calls == [((), {"on_gpu": lender.GPU})]


@pytest.mark.parametrize("quiet", [False, True])
def test_the_address_is_all_that_is_said(
    quiet: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    asked, waited = {}, []
    app = types.SimpleNamespace(
        local_url="http://127.0.0.1:7860/",
        launch=lambda **options: asked.update(options),
        block_thread=lambda: waited.append(True),
    )
    monkeypatch.setattr("vrpsam_app.web.layout.build_app", lambda *_: app)
    for name in ("share_one_heap", "use_small_pages", "_end_in_order"):
        monkeypatch.setattr(launch, name, lambda: None)
    launch.launch_app(predictor_factory=object, quiet=quiet)
    address = "The web app: http://127.0.0.1:7860/ (Ctrl-C ends it)\n"
    assert capsys.readouterr().out == ("" if quiet else address)
    assert asked["quiet"]
    assert waited == [True]


def test_a_limit_without_sense_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(MEGAPIXELS_VARIABLE, "100")
    with pytest.raises(ConfigError, match="million pixels"):
        launch.launch_app(max_megapixels=-1)


def test_style_scripts_and_markup_name_no_other_host():
    files = [
        p for p in Path(launch.__file__).parent.iterdir() if p.suffix in (".css", ".js", ".html")
    ]
    assert len(files) > 7
    for path in files:
        # The name of SVG's language is an address, to which nothing is sent.
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text
        assert "@import" not in text
