from __future__ import annotations

import logging

import gradio as gr
import pytest

from vrpsam_app.errors import AnnotationError, Cancelled
from vrpsam_app.web import plain_words
from vrpsam_app.web.pictures import new_folder


def test_our_sentences_reach_the_person_and_the_log(caplog: pytest.LogCaptureFixture):
    place = new_folder()

    @plain_words.in_plain_words
    def fail() -> None:
        raise AnnotationError(f"{place}/x.png is <b>bad</b>")

    with caplog.at_level(logging.INFO), pytest.raises(gr.Error) as caught:
        fail()
    assert caught.value.message == "x.png is &lt;b&gt;bad&lt;/b&gt;"
    assert str(place) in caplog.text


def test_results_before_an_error_are_kept():
    @plain_words.in_plain_words
    def steps():
        yield 1
        raise AnnotationError("no")

    shown = steps()
    assert next(shown) == 1
    with pytest.raises(gr.Error, match="no"):
        next(shown)


def test_other_errors_are_not_dressed_up():
    @plain_words.in_plain_words
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def test_status_is_escaped():
    assert plain_words.status_line("<b>") == '<p role="status">&lt;b&gt;</p>'


def test_stopped_work_ends_without_a_word():
    @plain_words.in_plain_words
    def steps():
        yield 1
        raise Cancelled("Stopped, as asked.")

    assert list(steps()) == [1]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [(AnnotationError("no <b>"), "no <b>"), (ZeroDivisionError("secret"), plain_words.FAILED)],
)
def test_the_page_is_told_before_an_error_ends_the_steps(error, sentence):
    def steps(who):
        yield 1
        raise error

    shown = plain_words.in_plain_words(steps, lambda *words: words)("visitor")
    assert next(shown) == 1
    assert next(shown) == (sentence, "visitor")
    with pytest.raises(type(error) if sentence == plain_words.FAILED else gr.Error):
        next(shown)
