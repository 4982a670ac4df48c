from __future__ import annotations

import pytest

from vrpsam_app.errors import AnnotationError, EmptyReferenceError
from vrpsam_app.web.session import Answers, Finding


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
