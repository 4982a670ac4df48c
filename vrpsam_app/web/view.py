"""What the page shows of a session and its answers: plain values for the two components."""

from __future__ import annotations

import functools
from typing import Any

from vrpsam_app.web.callbacks import Progress
from vrpsam_app.web.painting import data_url, painted_url
from vrpsam_app.web.pictures import Picture
from vrpsam_app.web.session import Answers, Finding, Session

DOUBTFUL_SCORE = 0.5
READY = "Ready. Press Find, or mark something else."
START_MARKING = "Mark one object of the kind you are after."


def canvas_picture(session: Session) -> dict[str, Any]:
    """Return the reference as :func:`~vrpsam_app.web.canvas.marking_canvas` takes it."""
    height, width = session.reference.hw
    return {
        "id": session.reference.id,
        "src": data_url(session.reference.jpeg),
        "width": width,
        "height": height,
        "marks": [dict(mark) for mark in session.marks],
    }


def tiles(
    session: Session, answers: Answers, threshold: float, searching: Picture | None = None
) -> list[dict[str, str]]:
    """Return the targets as :func:`~vrpsam_app.web.board.result_board` takes them."""
    return [
        _tile(target, answers.findings.get(target.id), threshold, target == searching)
        for target in session.targets
    ]


def progress_words(progress: Progress) -> str:
    """Say how far a search has come."""
    if progress.searching is not None:
        return f"Looking at {progress.done + 1} of {progress.total} · {progress.searching.name}"
    present = sum(finding.present for finding in progress.answers.findings.values())
    noun = "picture" if progress.total == 1 else "pictures"
    return f"Found in {present} of {progress.total} {noun} · {progress.seconds:.1f} s"


def preview_words(session: Session, answers: Answers) -> str:
    """Say what to do after a stroke."""
    if not answers.findings:
        return START_MARKING if session.targets else "Add a picture to look in."
    left = len(session.targets) - len(answers.findings)
    if left <= 0:
        return "All pictures are up to date."
    others = f"to look in the other {left}" if left > 1 else "for the other one"
    return f"Press Find {others}."


def found_words(score: float, share: float) -> tuple[str, str]:
    """Say what was found, on which share of the picture, to someone who has read nothing."""
    covered = f"{share:.0%}" if share >= 0.01 else "less than 1%"
    return (
        "Found, but look twice" if score < DOUBTFUL_SCORE else "Found",
        f"{covered} of the picture · outline about {score:.0%} right",
    )


def _tile(
    target: Picture, finding: Finding | None, threshold: float, searching: bool
) -> dict[str, str]:
    source = data_url(target.jpeg)
    if finding is None:
        state, badge = ("searching", "…") if searching else ("waiting", "")
        caption, detail = target.name, "looking…" if searching else "not searched yet"
    elif finding.present:
        source, share = _painted(target.jpeg, finding, threshold)
        state, badge = "found", f"{finding.score:.0%}"
        caption, detail = found_words(finding.score, share)
    else:
        state, badge = "absent", "none"
        caption = "Nothing like it here"
        detail = f"{target.name} · {finding.presence:.0%} likely"
    return {
        "id": target.id,
        "name": target.name,
        "src": source,
        "state": state,
        "badge": badge,
        "caption": caption,
        "detail": detail,
    }


# While results arrive one by one, those that are there already are shown again each time.
@functools.lru_cache(maxsize=256)
def _painted(jpeg: bytes, finding: Finding, threshold: float) -> tuple[str, float]:
    """Return the picture with the result drawn in, and the share of it that was found."""
    mask = finding.at_threshold(threshold).mask
    return painted_url(jpeg, mask), float(mask.mean())
