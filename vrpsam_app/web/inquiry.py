"""All that goes into an answer: who asks what of which model, and the button that stops it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from vrpsam_app.progress import CancelToken
from vrpsam_app.references import Reference
from vrpsam_app.web.line import Line
from vrpsam_app.web.marked import Asked, marked_references
from vrpsam_app.web.model import WebPredictor
from vrpsam_app.web.opened_finding import OpenedFinding
from vrpsam_app.web.pictures import Picture
from vrpsam_app.web.session import Answers, Question, Session


@dataclass(frozen=True)
class Inquiry:
    """What one visitor asks.

    Parameters
    ----------
    predictor
        Answers.
    line
        Of those who wait for it.
    session
        The visitor's pictures.
    asked
        Marks and settings of the page.
    answers
        What is known already, to this question or another.
    cancel
        Looked at between steps; ends the work.
    """

    predictor: WebPredictor
    line: Line
    session: Session
    asked: Asked
    answers: Answers = field(default_factory=Answers)
    cancel: CancelToken = field(default_factory=CancelToken)

    @cached_property
    def references(self) -> Sequence[Reference]:
        """What the marks show.

        Raises
        ------
        EmptyReferenceError
            If nothing is marked as the object.
        AnnotationError
            If marks are malformed, or a class has only "not this" ones.
        ImageFileError
            If a picture is gone.
        """
        return marked_references(self.session, self.asked)

    def check(self) -> None:
        """Raise now what is wrong with the marks: before anybody waits, or a file is written."""
        _ = self.references

    @property
    def known(self) -> Answers:
        """The answers to this very question, and what came with a project and stands."""
        return known_answers(self.session, self.asked, self.answers)

    def opened(self, target: Picture) -> OpenedFinding | None:
        """Return what came with a project for a target, if that is what the page shows of it."""
        return opened_finding(self.asked, self.answers, target)


def known_answers(session: Session, asked: Asked, answers: Answers | None) -> Answers:
    """Return the answers if they are to what the page asks now, else what was opened and stands."""
    answers, question = answers or Answers(), Question.of(asked.references, session)
    known = answers.to(question)
    if known is answers:
        return answers
    for target in session.targets:
        if (opened := opened_finding(asked, answers, target)) is not None:
            known = known.with_finding(target.id, opened)
    return known


def opened_finding(asked: Asked, answers: Answers, target: Picture) -> OpenedFinding | None:
    """Return what came with a project while it was not asked again, and nothing else is marked."""
    finding = answers.findings.get(target.id)
    if isinstance(finding, OpenedFinding) and finding.answers(asked, target):
        return finding
    return None


def with_standing_decisions(session: Session, asked: Asked, answers: Answers) -> Asked:
    """Return what is asked without acceptances of results that answer it no longer.

    The page may not know yet: it hears of it with the first answer to what is marked now.
    """
    known = known_answers(session, asked, answers)
    answered = {
        target.id for target in session.targets if known.has(target.id, asked.corrected(target))
    }
    decisions = {
        key: verdict
        for key, verdict in asked.decisions.items()
        if verdict != "accept" or key in answered
    }
    return dataclasses.replace(asked, decisions=decisions)
