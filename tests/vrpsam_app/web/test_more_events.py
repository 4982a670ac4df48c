from __future__ import annotations

import dataclasses

import gradio as gr
import pytest

from vrpsam_app.errors import Cancelled, WeightsError
from vrpsam_app.web import collection
from vrpsam_app.web.model import Choice
from vrpsam_app.web.more_events import Loading, describe, open_project, show_code
from vrpsam_app.web.session import Answers, Finding, Question
from vrpsam_app.web.visitor import Visitor


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
    return update[1]


def test_a_model_is_loaded_with_words_on_the_way(visitor, session):
    shelf = Shelf()
    visitor.answer(Answers(Question.of((), session)).with_finding("target", Finding()))
    *_, last = Loading(shelf).load(visitor, "embedded", "", "matching", "cpu")
    assert shelf.loaded == [Choice("embedded", "matching", "cpu")]
    assert visitor.session.choice == shelf.loaded[0]
    assert visitor.answers.findings == {}
    assert last[0]["answers"] == []
    assert "Ready, with embedded" in words_in(last)


def test_any_other_name_goes_before_the_list(visitor):
    list(Loading(Shelf()).load(visitor, "embedded", " org/name ", "vrp_sam", "auto"))
    assert visitor.session.choice.model == "org/name"


def test_what_is_brought_while_a_model_is_loaded_stays(visitor, session, pictures):
    shelf = Shelf(told=lambda: collection.add_marked_beside(visitor, [pictures["second"]]))
    list(Loading(shelf).load(visitor, "embedded", "", "matching", "cpu"))
    assert len(visitor.session.marked) == len(session.marked) + 1
    assert visitor.session.choice.method == "matching"


def test_a_failure_is_its_sentence(visitor):
    shelf = Shelf(WeightsError("There is no such model. Choose another."))
    with pytest.raises(WeightsError, match="no such model"):
        list(Loading(shelf).load(visitor, "embedded", "", "vrp_sam", "auto"))
    with pytest.raises(RuntimeError, match="could not be loaded"):
        list(Loading(Shelf(ZeroDivisionError())).load(visitor, "embedded", "", "vrp_sam", "auto"))


def test_a_download_can_be_stopped(visitor):
    shelf = Shelf(told=visitor.work.stop)
    with pytest.raises(Cancelled):
        list(Loading(shelf).load(visitor, "embedded", "", "vrp_sam", "auto"))
    assert shelf.loaded == []


def test_a_model_is_described_with_its_methods():
    words, methods = describe("embedded", "")
    assert "licence" in words
    assert ("random forest on the marked pixels", "pixel_forest") in methods.choices


def test_code_is_shown(visitor, canvas_with, red_box):
    command, python = show_code(visitor, canvas_with(red_box), {"threshold": 0.4})
    assert "--threshold 0.4" in command.value
    assert "threshold=0.4" in python.value
    assert command.visible
    visitor.change(lambda session: dataclasses.replace(session, choice=Choice(method="matching")))
    command, _ = show_code(visitor, canvas_with(red_box), {})
    assert "--method matching" in command.value


def test_saved_results_are_opened_with_what_they_hold(asked, zipped, red_box):
    other = Visitor()
    _, _, said, *_ = open_project(other, str(zipped(asked(red_box))))
    assert '<p role="status">3 pictures and 1 reference.</p>' in said
    assert len(other.answers.findings) == len(other.session.targets) == 3
    collection.remove_target(other, other.session.targets[0].id)
    assert len(other.answers.findings) == 3  # the others are shown still
    other.close()


def test_what_made_saved_results_is_asked_again(session, asked, zipped, red_box):
    chosen = Choice(method="tuned_threshold")
    path = zipped(asked(red_box), of=dataclasses.replace(session, choice=chosen))
    other = Visitor()
    _, _, said, model, another, _, method = open_project(other, str(path))
    assert other.session.choice == chosen
    assert (model, another, method.value) == ("embedded", "", "tuned_threshold")
    assert "Find asks what made them: embedded with the method tuned_threshold." in said
    other.close()


@pytest.mark.parametrize("choice", [Choice(model="some/model"), Choice(method="no_such_method")])
def test_what_is_not_here_is_named_and_not_fetched(session, asked, zipped, red_box, choice):
    path = zipped(asked(red_box), of=dataclasses.replace(session, choice=choice))
    other = Visitor()
    _, _, said, *panel = open_project(other, str(path))
    assert other.session.choice == Choice()
    assert f"{choice.model} with the method {choice.method}, which is not here" in said
    assert panel == [gr.skip()] * 4
    other.close()
