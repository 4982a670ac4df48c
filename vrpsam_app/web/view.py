"""What the page shows of a session and its answers: plain values for the components."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vrpsam_app.methods.suggestion import suggestion_for
from vrpsam_app.web.callbacks import Progress
from vrpsam_app.web.downloads import Saving
from vrpsam_app.web.limits import on_space
from vrpsam_app.web.model import Choice
from vrpsam_app.web.opened_finding import OpenedFinding
from vrpsam_app.web.painting import data_url, png_url
from vrpsam_app.web.pictures import Picture
from vrpsam_app.web.session import Answers, Finding, Session, opening_references

READY = "Ready. Press Find, or mark something else."
START_MARKING = "Mark one object of the kind you are after."
STOPPED = "Stopped."
BROUGHT_BACK = "Your pictures of before are marked again."


def canvas_pictures(session: Session) -> list[dict[str, Any]]:
    """Return the marked pictures as :func:`~vrpsam_app.web.canvas.marking_canvas` takes them."""
    return [_picture(picture) for picture in session.marked]


def canvas_given(session: Session) -> dict[str, Any]:
    """Return the marks that the page opens with."""
    return {
        "serial": "opening",
        "replace": True,
        "shown": session.marked[0].id,
        "references": opening_references(),
    }


def board_pictures(session: Session) -> list[dict[str, Any]]:
    """Return the targets as :func:`~vrpsam_app.web.board.result_board` takes them."""
    return [_picture(picture) for picture in session.targets]


def board_answers(
    session: Session, answers: Answers, searching: Picture | None = None
) -> list[dict[str, Any]]:
    """Return what is known of the targets, as the board takes it; those that wait are left out."""
    found: list[dict[str, Any]] = []
    for target in session.targets:
        finding = answers.findings.get(target.id)
        if searching is not None and target.id == searching.id:
            found.append({"id": target.id, "state": "searching", "note": "", "classes": []})
        elif finding is not None:
            found.append({"id": target.id, **_answer(finding)})
    return found


def progress_words(progress: Progress) -> str:
    """Say how far a search has come."""
    if progress.before:
        return waiting_words(progress.before)
    if progress.searching is not None:
        return f"Looking at {progress.done + 1} of {progress.total} · {progress.searching.name}"
    findings = progress.answers.findings.values()
    present = sum(finding.present for finding in findings)
    failed = sum(bool(finding.failure) for finding in findings)
    total = counted(progress.total, "picture")
    words = f"Found in {present} of {total} · {progress.seconds:.1f} s"
    return words + (f" · {failed} could not be searched" if failed else "")


def advice_words(progress: Progress, choice: Choice) -> str:
    """Name what may know better where the model was unsure; "" while it looks, or if it is sure.

    Of an answer that is doubtful for another reason no model may know better. Visitors of a Space
    have no command line there.
    """
    if progress.before or progress.searching is not None or on_space():
        return ""
    findings = progress.answers.findings.values()
    verdicts = [found for finding in findings if not finding.note for found in finding.classes]
    made_by = {"method": choice.method, "model": choice.model}
    better = suggestion_for(verdicts, made_by)
    return "" if better is None else f" · {better} On the command line: {better.options}"


def preview_words(session: Session, answers: Answers) -> str:
    """Say what to do after a stroke, beside what was found in the picture that is shown."""
    if not answers.findings:
        return START_MARKING if session.targets else "Add a picture to look in."
    left = sum(target.id not in answers.findings for target in session.targets)
    if not left:
        return "All pictures are up to date." if len(session.targets) > 1 else ""
    others = f"to look in the other {left}" if left > 1 else "for the other one"
    return f"Press Find {others}."


def counted(number: int, noun: str) -> str:
    """Say how many there are, with an s for several."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def waiting_words(before: int) -> str:
    """Say how much the model does first: for others, or to get ready for this very page."""
    return f"The model is at work, {counted(before, 'task')} before yours …"


def reading_words(files: Sequence[Path]) -> str:
    """Say what is read."""
    return f"Reading {files[0].name if len(files) == 1 else counted(len(files), 'file')} …"


def saving_words(saving: Saving, *, cut: bool = False) -> str:
    """Say how far a zip file is.

    Parameters
    ----------
    saving : Saving
    cut : whether objects that touch are cut apart in it, unlike on the page
    """
    if saving.before:
        return waiting_words(saving.before)
    if saving.path is None:
        return f"Writing {saving.done + 1} of {saving.total} · {saving.name}"
    if saving.failed:
        return f"Saved without {len(saving.failed)} of {saving.total}: {saving.failed[0]}"
    words = f"Saved, {counted(saving.objects, 'object')}."
    if cut and saving.objects:
        words += " Those that touch are cut apart in it; the page counts what is connected."
    return words


def _picture(picture: Picture) -> dict[str, Any]:
    height, width = picture.hw
    return {
        "id": picture.id,
        "name": picture.name,
        "src": data_url(picture.jpeg),
        "width": width,
        "height": height,
    }


def _answer(finding: Finding) -> dict[str, Any]:
    if finding.failure:
        return {"state": "failed", "note": finding.failure, "classes": []}
    return {
        "state": "done",
        "note": finding.note,
        "fixed": isinstance(finding, OpenedFinding),
        "classes": [
            {
                "label": found.label,
                "score": found.score,
                "presence": found.presence,
                "present": found.present,
                "levels": png_url(found.levels),
                "speck": found.speck,
            }
            for found in finding.classes
        ],
    }
