from __future__ import annotations

import threading

import numpy as np
import pytest

from vrpsam_app.errors import ConfigError, WeightsError
from vrpsam_app.methods import GUARDS
from vrpsam_app.web import model, model_words
from vrpsam_app.web.model import (
    Choice,
    LentSegmenter,
    ModelShelf,
    check_choice,
    device_names,
    get_ready_for,
    known_models,
    method_names,
)


def test_the_default_is_made_once_for_all(segmenter):
    made = []

    def make():
        made.append(1)
        return segmenter

    shelf = ModelShelf(make)
    threads = [threading.Thread(target=shelf.of, args=(Choice(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert shelf.of(Choice()) is segmenter


def test_other_choices_are_kept_and_the_oldest_goes(monkeypatch, segmenter):
    made = []
    monkeypatch.setattr(model, "_make", lambda choice, _: made.append(choice) or object())
    shelf = ModelShelf(lambda: segmenter)
    methods = [Choice(method=name) for name in ("tuned_threshold", "matching", "pixel_forest")]
    shelf.of(Choice())
    for choice in methods:
        assert shelf.of(choice) is shelf.of(choice)
    assert made == methods
    shelf.of(methods[0])
    assert made == [*methods, methods[0]]
    assert shelf.of(Choice()) is segmenter


def test_a_download_keeps_nobody_waiting_who_wants_something_else(monkeypatch, segmenter):
    loading, go_on = threading.Event(), threading.Event()

    def slow(choice, progress):
        loading.set()
        go_on.wait(10)
        return object()

    monkeypatch.setattr(model, "_make", slow)
    shelf = ModelShelf(lambda: segmenter)
    thread = threading.Thread(target=shelf.of, args=(Choice(method="matching"),))
    thread.start()
    assert loading.wait(10)
    assert shelf.of(Choice()) is segmenter
    go_on.set()
    thread.join()


def test_only_what_can_be_used_here_is_offered():
    names = method_names()
    assert names[0] == "vrp_sam"
    assert "matching" in names
    assert not set(GUARDS) & set(names)
    assert device_names()[:2] == ["auto", "cpu"]
    assert known_models()[0].name == "embedded"


def test_methods_that_need_a_sam_are_offered_with_one(monkeypatch, tmp_path):
    monkeypatch.setattr(model, "_sam_here", lambda: None)
    assert "persam" not in method_names()
    assert "geometric_box" not in method_names()
    assert {"persam", "geometric_box"} <= set(method_names("organisation/paper-model"))
    monkeypatch.setattr(model, "_sam_here", lambda: tmp_path)
    assert "persam" in method_names()


@pytest.mark.parametrize(
    ("choice", "error"),
    [
        (Choice(method="everything"), ConfigError),
        (Choice(method="no such"), ConfigError),
        (Choice(device="cuda:99"), ConfigError),
    ],
)
def test_what_cannot_be_chosen_is_a_sentence(choice, error):
    with pytest.raises(error, match="expected one of"):
        check_choice(choice)


def test_strangers_choose_from_the_list(monkeypatch):
    check_choice(Choice("organisation/name"))
    check_choice(Choice("/some/folder"))
    monkeypatch.setenv("SPACE_ID", "someone/space")
    check_choice(Choice())
    for name in ("organisation/name", "/etc", "../embedded"):
        with pytest.raises(WeightsError, match="not in the list of this Space"):
            check_choice(Choice(name))


def test_a_graphics_card_is_lent_for_each_answer(segmenter, session, asked, search, red_box):
    lent = []

    def on_gpu(function):
        def with_card(*args, **kwargs):
            lent.append(function.__name__)
            return function(*args, **kwargs)

        return with_card

    shelf = ModelShelf(lambda: segmenter, on_gpu)
    borrowed = shelf.of(Choice())
    assert isinstance(borrowed, LentSegmenter)
    target = np.zeros((20, 30, 3), np.uint8)
    get_ready_for(borrowed, target, None)
    assert segmenter.prepared == []
    search(asked(red_box))  # the reference of a real question
    reference = segmenter.asked[0]
    assert borrowed.predict(target, reference).mask.shape == (20, 30)
    assert borrowed.predict_classes(target, [reference]).names == ("object",)
    assert lent == ["predict", "predict_classes"]
    assert borrowed.describe() == segmenter.describe()
    assert borrowed.input_side == 512


def test_size_and_licence_are_said_before_a_download(monkeypatch, tmp_path):
    words = model_words.about("embedded")
    assert "MB" in words
    assert "licence" in words
    assert model_words.about(str(tmp_path)) == "A folder on this computer."
    with pytest.raises(WeightsError):
        model_words.about("no such folder or name at all")
    with pytest.raises(WeightsError):  # there is no network here
        model_words.about("organisation/name")
    choices = dict(model_words.model_choices())
    assert "embedded" in choices.values()


def test_words_of_a_model_that_is_to_be_downloaded(monkeypatch):
    import hub_weights

    waiting = hub_weights.KnownWeights(
        name="big",
        kind="model",
        purpose="a big one",
        license="apache-2.0",
        state="on the Hub",
        size=375_000_000,
    )
    monkeypatch.setattr(model_words, "known_models", lambda: [waiting])
    assert model_words.about("big") == (
        "Will be downloaded: 375 MB · a big one · licence apache-2.0"
    )
    assert model_words.model_choices() == [("big · 375 MB · to be downloaded", "big")]


def test_a_repository_is_asked_for_size_and_licence(monkeypatch):
    import types

    import hub_weights

    monkeypatch.setattr(hub_weights, "licence_of", lambda *a, **k: "mit")
    monkeypatch.setattr(
        hub_weights, "look_up", lambda *a, **k: types.SimpleNamespace(size=12_000_000)
    )
    assert model_words.about("organisation/name") == "Will be downloaded: 12 MB · licence mit"
