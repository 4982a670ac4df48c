from __future__ import annotations

import copy
import gc
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from vrpsam_app.web import collection
from vrpsam_app.web.model import Choice
from vrpsam_app.web.session import Answers, Finding, Question, opening_session
from vrpsam_app.web.visitor import NewVisitor, Visitor, Work


@pytest.fixture
def answers(session, asked, red_box):
    """Answers to one question, for the targets of these numbers."""
    question = Question.of(asked(red_box).references, session)

    def known(*numbers: int) -> Answers:
        found = Answers(question)
        for number in numbers:
            found = found.with_finding(session.targets[number].id, Finding())
        return found

    return known


def ids(session, *numbers: int) -> set[str]:
    return {session.targets[number].id for number in numbers}


def test_gradio_gets_another_visitor_each_time():
    new = NewVisitor()
    first, second = copy.deepcopy(new), copy.deepcopy(new)
    collection.remove_target(first, first.session.targets[0].id)
    assert second.session.targets == opening_session().targets != first.session.targets
    first.work.begin("find")
    assert second.work.alive == 0
    assert first.session.folder != second.session.folder
    first.close()
    assert second.session.folder.exists()
    second.close()


def test_no_change_is_lost_whoever_else_changes(visitor):
    before = len(visitor.session.targets)
    picture = visitor.session.targets[0]

    def add(session):
        time.sleep(0.001)
        return replace(session, targets=(*session.targets, picture))

    threads = [threading.Thread(target=visitor.change, args=(add,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(visitor.session.targets) == before + 20


def test_answers_of_two_events_to_one_question_add_up(visitor, session, answers):
    visitor.answer(answers(0))
    assert visitor.answer(answers(1, 2)).findings.keys() == ids(session, 0, 1, 2)


def test_answers_to_the_last_question_stay(visitor, session, answers):
    visitor.answer(answers(0))
    other = replace(answers(1), question=replace(answers().question, references="other"))
    assert visitor.answer(other) is other
    assert visitor.answer(Answers()).findings == {}  # nothing is marked any more


def test_answers_stay_when_pictures_come_and_go(visitor, session, answers, pictures):
    visitor.answer(answers(0, 1))
    collection.remove_target(visitor, session.targets[2].id)
    collection.add_marked(visitor, [pictures["first"]])
    assert visitor.answers.findings.keys() == ids(session, 0, 1)


def test_answers_that_a_change_makes_wrong_go(visitor, answers, tmp_path):
    visitor.answer(answers(0))
    searching = visitor.work.begin("find")
    visitor.change(lambda session: replace(session, choice=Choice(method="matching")))
    assert visitor.answers.findings == {}
    assert searching.cancelled
    assert visitor.answer(answers(1)).findings == {}  # by the model of before
    visitor.change(lambda session: replace(session, choice=Choice()))
    visitor.answer(answers(0))
    tifffile.imwrite(tmp_path / "deep.tif", np.eye(20, dtype=np.uint16))
    assert collection.add_targets(visitor, [tmp_path / "deep.tif"]) == []
    assert visitor.answers.findings == {}  # all are shown in another range now


def test_who_has_left_holds_nothing(visitor, session, answers):
    visitor.answer(answers(0))
    token = visitor.work.begin("live")
    visitor.close()
    assert token.cancelled
    assert not session.folder.exists()
    assert visitor.answers.findings == {}
    assert visitor.session.targets == opening_session().targets


def test_files_go_with_a_visitor_whom_nobody_knows_any_more():
    visitor = Visitor()
    folder = visitor.session.folder
    assert folder.exists()
    del visitor
    gc.collect()
    assert not folder.exists()


def test_new_work_stops_that_of_its_kind_only():
    work = Work()
    search, live = work.begin("find"), work.begin("live")
    assert work.begin("live") is not live
    assert live.cancelled
    assert not search.cancelled
    work.stop("find")
    assert search.cancelled


def test_everything_is_stopped_at_once():
    work = Work()
    tokens = [work.begin(kind) for kind in ("find", "live", "save")]
    work.stop()
    assert all(token.cancelled for token in tokens)
