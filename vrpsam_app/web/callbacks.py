"""What is asked of the model, as functions of plain values: no gradio here, no server needed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vrpsam_app.annotations import annotations_from_json
from vrpsam_app.errors import AnnotationError, EmptyReferenceError, ImageFileError
from vrpsam_app.references import Reference
from vrpsam_app.web.model import WebPredictor
from vrpsam_app.web.pictures import Picture, decoded
from vrpsam_app.web.session import Answers, Finding, Question, Session

NO_TARGET = "There is no picture to look in. Add one, then press Find."


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search has come.

    Parameters
    ----------
    answers
        What has been found so far.
    searching
        The target that is being looked at; None at the end.
    done, total
        Numbers of targets.
    seconds
        Since the search began.
    """

    answers: Answers
    searching: Picture | None
    done: int
    total: int
    seconds: float


def prepare(predictor: WebPredictor, session: Session, shown: object) -> None:
    """Encode the visible target and the reference while the person is still drawing."""
    if target := shown_target(session, shown):
        for picture in (target, session.reference):
            predictor.prepare(decoded.read(picture), intensity_range=session.intensity_range)


def preview(
    predictor: WebPredictor,
    session: Session,
    answers: Answers,
    canvas: object,
    exhaustive: bool,
    shown: object,
) -> Answers:
    """Answer for the visible target only: what follows every stroke.

    Marks that do not yet say what to look for are no error here: there is no answer to them.

    Raises
    ------
    AnnotationError
        If the marks are malformed, or belong to another picture.
    """
    marks = _marks_of(session, canvas)
    target = shown_target(session, shown)
    if target is None or not _any_positive(marks):
        return Answers()
    reference = _reference(session, marks, exhaustive)
    answers = answers.to(_question(session, marks, exhaustive))
    return answers.with_finding(target.id, _ask(predictor, session, reference, target))


def find(
    predictor: WebPredictor,
    session: Session,
    answers: Answers,
    canvas: object,
    exhaustive: bool,
    shown: object,
) -> Iterator[Progress]:
    """Look in every target, the visible one first; what is known already is not asked again.

    Yields
    ------
    progress : Progress
        Before each target, and at the end.

    Raises
    ------
    EmptyReferenceError
        If nothing is marked as the object.
    ImageFileError
        If there is no target.
    """
    reference = marked_reference(session, canvas, exhaustive)
    if not session.targets:
        raise ImageFileError(NO_TARGET)
    answers = answers_now(session, answers, canvas, exhaustive)
    start, total = time.monotonic(), len(session.targets)
    waiting = [target for target in session.targets if target.id not in answers.findings]
    waiting.sort(key=lambda target: target.id != shown)
    for done, target in enumerate(waiting, start=total - len(waiting)):
        yield Progress(answers, target, done, total, time.monotonic() - start)
        answers = answers.with_finding(target.id, _ask(predictor, session, reference, target))
    yield Progress(answers, None, total, total, time.monotonic() - start)


def answers_now(session: Session, answers: Answers, canvas: object, exhaustive: bool) -> Answers:
    """Return the answers if they are to what the page asks now, none otherwise."""
    try:
        marks = _marks_of(session, canvas)
    except AnnotationError:
        return Answers()
    return answers.to(_question(session, marks, exhaustive))


def marked_reference(session: Session, canvas: object, exhaustive: bool) -> Reference:
    """Build the reference from what the browser sent.

    Raises
    ------
    EmptyReferenceError
        If nothing is marked as the object.
    AnnotationError
        If the marks are malformed, or belong to another picture.
    """
    return _reference(session, _marks_of(session, canvas), exhaustive)


def shown_target(session: Session, shown: object) -> Picture | None:
    """Return the target with the id `shown`, else the first; None if there is none."""
    chosen = [target for target in session.targets if target.id == shown]
    return next(iter((*chosen, *session.targets)), None)


def _ask(
    predictor: WebPredictor, session: Session, reference: Reference, target: Picture
) -> Finding:
    prediction = predictor.predict(
        decoded.read(target), [reference], intensity_range=session.intensity_range
    )
    return Finding.from_prediction(prediction, target.preview_hw)


def _marks_of(session: Session, canvas: object) -> Sequence[Mapping[str, Any]]:
    """Take the marks out of what the browser sent; their form is checked later."""
    if not isinstance(canvas, Mapping) or canvas.get("image") != session.reference.id:
        raise AnnotationError(
            "The marks belong to a picture that is no longer here. Reload the page and mark again."
        )
    marks = canvas.get("marks")
    if not isinstance(marks, list):
        raise AnnotationError("The marks are not a list. Reload the page and mark again.")
    return marks


def _any_positive(marks: Iterable[object]) -> bool:
    return any(not isinstance(mark, Mapping) or mark.get("positive", True) for mark in marks)


def _reference(session: Session, marks: Sequence[Mapping[str, Any]], exhaustive: bool) -> Reference:
    if not _any_positive(marks):
        raise EmptyReferenceError(
            "Nothing is marked as what to look for. Mark one object in the first picture."
        )
    annotations = annotations_from_json(marks, session.reference.hw)
    image = decoded.read(session.reference)
    return Reference.from_annotations(image, annotations, exhaustive=bool(exhaustive))


def _question(session: Session, marks: Sequence[Mapping[str, Any]], exhaustive: bool) -> Question:
    return Question(
        session.reference.id,
        json.dumps(marks, sort_keys=True),
        bool(exhaustive),
        session.intensity_range,
    )
