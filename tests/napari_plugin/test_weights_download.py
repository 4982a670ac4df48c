"""A model that is only on the Hub, chosen in a viewer: asked first, shown, stopped, used."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QTimer

from hub_weights import cache_folder, embedded_folder
from napari_plugin import segment_dialogs
from napari_plugin.model_choice import ModelChoice
from napari_plugin.weights_question import to_download

REPO = "lab/nuclei"
MEGABYTES = round((embedded_folder() / "model.safetensors").stat().st_size / 1e6)
CHOICE = ModelChoice(model=REPO)


@pytest.fixture
def hub_with_model(hub: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put the model that comes with the program on the Hub of the tests."""
    # So much comes between two words of how far it is: usually 10 MB, nearly all of this file.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 500_000)
    names = ("config.json", "model.safetensors")
    hub.put(REPO, {n: (embedded_folder() / n).read_bytes() for n in names}, license="cc-by-4.0")
    return hub


@pytest.fixture
def marked(viewer, make_widget, settle, disc_stack, hub_with_model) -> Any:
    """Return a widget in which the model of the Hub is chosen and a disc is clicked on."""
    viewer.add_image(disc_stack)
    widget = make_widget(viewer)
    widget.form.live.setChecked(False)
    widget.advanced.model.native.setCurrentText(REPO)
    viewer.dims.set_point(0, 2)
    widget.pick_tool("points")
    viewer.layers.selection.active.add(np.array([2.0, 14, 16]))
    settle(widget)
    return widget


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answer the question with "yes", and keep what it said."""
    return answer(monkeypatch, True)


def answer(monkeypatch: pytest.MonkeyPatch, yes: bool) -> list[str]:
    heard: list[str] = []

    def ask(parent: Any, missing: Any) -> bool:
        heard.extend(map(str, missing))
        return yes

    monkeypatch.setattr(segment_dialogs, "ask_to_download", ask)
    return heard


def said_by(widget: Any) -> list[tuple[str, int]]:
    """Collect what the widget says, and where its bar is then."""
    heard: list[tuple[str, int]] = []
    tell = widget.say

    def say(text: str) -> None:
        heard.append((text, widget.form.progress.value()))
        tell(text)

    widget.say = say
    return heard


def files() -> list[Path]:
    """Return what lies in the cache under a name by which it would be used."""
    return list(cache_folder().rglob("model.safetensors"))


def test_who_declines_downloads_nothing(marked, settle, hub_with_model, monkeypatch):
    heard = answer(monkeypatch, False)
    marked.form.all_slices.click()
    settle(marked)
    assert heard == [f"{REPO} ({MEGABYTES} MB, licence cc-by-4.0)"]
    assert hub_with_model.asked("/store/") == 0
    assert not list(cache_folder().glob("models--*"))
    assert "Nothing was downloaded" in marked.form.status.text()
    assert marked.session.results == ()
    assert marked.form.all_slices.isEnabled()


def test_who_accepts_sees_how_far_it_is_and_then_its_answer(
    marked, settle, hub_with_model, asked, qtbot
):
    hub_with_model.faults.append(hub_with_model.Fault("store", method="GET", pause=0.05))
    heard, ticks = said_by(marked), []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(marked.form.progress.value()))
    timer.start(10)
    marked.form.all_slices.click()
    settle(marked)
    timer.stop()
    assert asked == [f"{REPO} ({MEGABYTES} MB, licence cc-by-4.0)"]
    parts = [value for text, value in heard if text.startswith(f"{REPO}/model.safetensors: ")]
    assert len(set(parts)) > 2  # thousandths of the way, from little to all
    assert parts == sorted(parts)
    assert len(set(ticks)) > 2  # the window lived meanwhile
    (record,) = marked.session.results
    assert record.missing == ()
    assert record.state.made_by["model"] == marked.session.segmenter().describe()["model"]
    assert marked.session.choice == CHOICE
    assert marked.advanced.in_use.value == "cpu"
    assert to_download(CHOICE) == ()
    marked.form.this_slice.click()  # nothing is asked again
    settle(marked)
    assert len(asked) == 1


def test_a_download_that_is_stopped_leaves_nothing_and_can_begin_again(
    marked, settle, hub_with_model, asked, qtbot
):
    hub_with_model.faults.append(hub_with_model.Fault("store", method="GET", pause=0.5))
    marked.form.this_slice.click()
    qtbot.waitUntil(lambda: marked.form.progress.value() > 0, timeout=30_000)
    marked.form.stop.click()
    settle(marked)
    assert "The same button begins again" in marked.form.status.text()
    assert marked.session.results == ()
    assert not any("result" in layer.name for layer in marked._viewer.layers)
    assert files() == []
    assert not [t for t in threading.enumerate() if t.name.startswith("vrpsam")]
    hub_with_model.faults.clear()
    marked.form.this_slice.click()
    settle(marked)
    assert len(asked) == 2
    assert [len(record.findings) for record in marked.session.results] == [1]


def test_a_download_that_breaks_off_is_a_sentence(marked, settle, hub_with_model, asked):
    hub_with_model.faults.append(hub_with_model.Fault("store", times=99, method="GET", status=503))
    marked.form.this_slice.click()
    settle(marked)
    assert REPO in marked.form.status.text()
    assert "try again" in marked.form.status.text().lower()
    assert files() == []
    assert marked.session.results == ()
    assert marked.form.this_slice.isEnabled()


def test_a_repository_that_is_not_there_is_not_asked_for(marked, settle, hub_with_model, asked):
    hub_with_model.repositories.clear()
    marked.form.this_slice.click()
    settle(marked)
    assert asked == []
    assert REPO in marked.form.status.text()


def test_without_a_network_it_says_what_is_missing(marked, settle, asked, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    marked.form.this_slice.click()
    settle(marked)
    assert asked == []
    assert "HF_HUB_OFFLINE" in marked.form.status.text()
    assert REPO in marked.form.status.text()


def test_strokes_ask_for_no_download(marked, settle, hub_with_model, asked):
    marked.form.live.setChecked(True)
    settle(marked)
    assert f"Not on this computer: {REPO}" in marked.form.status.text()
    assert hub_with_model.requests == []
    assert asked == []


def test_what_the_registry_knows_is_not_asked_of_the_hub(hub: Any):
    (missing,) = to_download(ModelChoice(method="persam", sam="sam_vit_b"))
    assert str(missing) == "sam_vit_b (375 MB, licence apache-2.0)"
    assert hub.requests == []
