from __future__ import annotations

from typing import Any

import pytest

from vrpsam_app.errors import AnnotationError, EmptyReferenceError
from vrpsam_app.web.inquiry import with_standing_decisions
from vrpsam_app.web.opened_finding import OpenedFinding
from vrpsam_app.web.session import Answers, ClassFinding, Finding


def test_references_are_built_once(inquiry, asked, red_box):
    question = inquiry(asked(red_box))
    question.check()
    (reference,) = question.references
    assert question.references[0] is reference
    assert reference.positive.any()


def test_what_is_wrong_with_the_marks_is_told_at_once(inquiry, asked):
    with pytest.raises(EmptyReferenceError):
        inquiry(asked()).check()
    with pytest.raises(AnnotationError, match="star"):
        inquiry(asked({"type": "star"})).check()


def test_only_answers_to_this_question_are_known(inquiry, asked, red_box, session):
    first = session.targets[0].id
    found = inquiry(asked(red_box)).known.with_finding(first, Finding())
    assert inquiry(asked(red_box), found).known is found
    moved = red_box | {"xyxy": [41, 50, 60, 70]}
    assert inquiry(asked(moved), found).known.findings == {}
    assert inquiry(asked(red_box), Answers()).known.findings == {}


def test_who_accepted_a_result_has_not_accepted_another(inquiry, asked, red_box, session):
    first, second, third = (target.id for target in session.targets)
    decisions = {first: "accept", second: "accept", third: "reject"}
    answers = inquiry(asked(red_box)).known.with_finding(first, Finding())

    def stand(*marks, known=answers, **board):
        question = asked(*marks, decisions=decisions, **board)
        return with_standing_decisions(session, question, known).decisions

    rejected = {third: "reject"}
    assert stand(red_box) == {first: "accept"} | rejected
    assert stand(red_box, {"type": "point", "xy": [5, 5]}) == rejected
    point = {"type": "point", "xy": [5, 5]}
    assert stand(red_box, corrections={first: {"object": [point]}}) == rejected
    of_a_project = Answers(None, {second: opened("object")})
    assert stand(red_box, known=of_a_project) == {second: "accept"} | rejected
    assert stand(red_box, corrections={second: {"object": [point]}}, known=of_a_project) == rejected
    assert stand(red_box, known=Answers(None, {second: opened("cell")})) == rejected
    assert stand(red_box, known=Answers()) == rejected


def opened(label: str) -> OpenedFinding:
    """Return a result of one class that came with some project."""
    nowhere: Any = None
    classes = (ClassFinding(label, b"", 1.0, 1.0, True),)
    return OpenedFinding(classes, project=nowhere, picture=nowhere, hw=(10, 10))
