from __future__ import annotations

import dataclasses

import pytest

from vrpsam_app.errors import Cancelled, WeightsError
from vrpsam_app.web.model import Choice
from vrpsam_app.web.more_events import Loading, describe, show_code


class Shelf:
    """Loads in steps, and tells of each."""

    def __init__(self, fails: Exception | None = None, told=None) -> None:
        self._fails, self._told = fails, told
        self.loaded: list[Choice] = []

    def of(self, choice, progress=None):
        from hub_weights import DownloadProgress

        if self._told is not None:
            self._told()
        progress(DownloadProgress(file="big/model.safetensors", done=5_000_000, total=10_000_000))
        if self._fails is not None:
            raise self._fails
        self.loaded.append(choice)


def words_in(update) -> str:
    return update[3]


def test_a_model_is_loaded_with_words_on_the_way(session):
    shelf = Shelf()
    *_, last = Loading(shelf).load(session, "embedded", "", "matching", "cpu")
    assert shelf.loaded == [Choice("embedded", "matching", "cpu")]
    assert last[0].choice == shelf.loaded[0]
    assert last[1].findings == {}
    assert "Ready, with embedded" in words_in(last)


def test_any_other_name_goes_before_the_list(session):
    shelf = Shelf()
    *_, last = Loading(shelf).load(session, "embedded", " org/name ", "vrp_sam", "auto")
    assert last[0].choice.model == "org/name"


def test_a_failure_is_its_sentence(session):
    shelf = Shelf(WeightsError("There is no such model. Choose another."))
    with pytest.raises(WeightsError, match="no such model"):
        list(Loading(shelf).load(session, "embedded", "", "vrp_sam", "auto"))
    with pytest.raises(RuntimeError, match="could not be loaded"):
        list(Loading(Shelf(ZeroDivisionError())).load(session, "embedded", "", "vrp_sam", "auto"))


def test_a_download_can_be_stopped(session):
    shelf = Shelf(told=session.work.stop)
    with pytest.raises(Cancelled):
        list(Loading(shelf).load(session, "embedded", "", "vrp_sam", "auto"))
    assert shelf.loaded == []


def test_a_model_is_described_with_its_methods():
    words, methods = describe("embedded", "")
    assert "licence" in words
    assert ("random forest on the marked pixels", "pixel_forest") in methods.choices


def test_code_is_shown(session, canvas_with, red_box):
    command, python = show_code(session, canvas_with(red_box), {"threshold": 0.4})
    assert "--threshold 0.4" in command.value
    assert "threshold=0.4" in python.value
    assert command.visible
    chosen = dataclasses.replace(session, choice=Choice(method="matching"))
    command, _ = show_code(chosen, canvas_with(red_box), {})
    assert "--method matching" in command.value
