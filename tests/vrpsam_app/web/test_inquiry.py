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
    marks = asked(red_box).marks
    of_a_project = Answers(None, {second: opened("object", marks)})
    assert stand(red_box, known=of_a_project) == {second: "accept"} | rejected
    assert stand(red_box, corrections={second: {"object": [point]}}, known=of_a_project) == rejected
    assert stand(red_box, {"type": "point", "xy": [5, 5]}, known=of_a_project) == rejected
    assert stand(red_box, known=Answers(None, {second: opened("cell", marks)})) == rejected
    assert stand(red_box, known=Answers()) == rejected


def test_marks_are_the_same_however_the_page_groups_them(session, asked):
    def marks(*items: tuple[str, bool, list[dict[str, Any]]]) -> str:
        image = session.marked[0].id
        references = [
            {"image": image, "label": label, "exhaustive": whole, "marks": kept}
            for label, whole, kept in items
        ]
        return asked(canvas={"references": references}).marks

    one, two, three = (
        {"type": "kept", "key": key, "positive": True, "name": f"{key}.png"} for key in "abc"
    )
    sent = [{key: mark[key] for key in ("type", "key", "positive")} for mark in (one, two, three)]
    given = marks(("cell", True, [one]), ("dust", False, [two]), ("cell", False, [three]))
    assert marks(("cell", True, [sent[0], sent[2]]), ("dust", False, [sent[1]])) == given
    assert marks(("cell", False, [sent[0], sent[2]]), ("dust", False, [sent[1]])) != given
    assert marks(("cell", True, [sent[0]]), ("dust", False, [sent[1]])) != given
    assert marks(("dust", True, [sent[0], sent[2]]), ("cell", False, [sent[1]])) != given


def opened(label: str, marks: str) -> OpenedFinding:
    """Return a result of one class that came with some project while this was marked."""
    nowhere: Any = None
    classes = (ClassFinding(label, b"", 1.0, 1.0, True),)
    return OpenedFinding(classes, project=nowhere, picture=nowhere, hw=(10, 10), marks=marks)
