"""Choosing, adding and taking out the pictures of one visitor."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from vrpsam_app.errors import ImageFileError, VRPSAMError
from vrpsam_app.web.incoming import Brought, bring
from vrpsam_app.web.limits import limits
from vrpsam_app.web.pictures import Picture
from vrpsam_app.web.session import Session, opening_session

ENDED = "This visit has ended. Reload the page and add the picture again."


def add_marked(session: Session, uploads: Sequence[Path]) -> tuple[Session, list[str]]:
    """Add uploaded files to the pictures that are marked; the example makes way for them.

    If only examples are there to look in, the first new picture takes their place: the first thing
    to find is the rest of its kind in the same picture.

    Returns
    -------
    session : Session
    words : list of str
        A sentence for each file that could not be taken, or was taken with a change.
    """
    before = [] if _only_examples(session.marked, opening_session().marked) else session.marked
    marked, words = _brought(session, uploads, before)
    if len(marked) == len(before):
        return session, words
    targets = session.targets
    if _only_examples(targets, opening_session().targets):
        targets = (marked[len(before)],)
    return dataclasses.replace(session, marked=tuple(marked), targets=targets), words


def add_targets(
    session: Session,
    uploads: Sequence[Path],
    told: Callable[[int], None] = lambda _: None,
) -> tuple[Session, list[str]]:
    """Add uploaded files to the pictures to look in; the examples make way for them.

    Parameters
    ----------
    uploads
        Files; those that are no pictures among several are left out without a word if their names
        say so, as a folder holds many.
    told
        Told how many files were looked at.

    Returns
    -------
    session : Session
    words : list of str
        A sentence for each file that could not be taken, or was taken with a change.
    """
    before = [] if _only_examples(session.targets, opening_session().targets) else session.targets
    targets, words = _brought(session, uploads, before, told)
    if len(targets) > len(before):
        session = dataclasses.replace(session, targets=tuple(targets))
    return session, words


def remove_target(session: Session, target_id: object) -> Session:
    """Take a picture to look in out."""
    left = tuple(picture for picture in session.targets if picture.id != target_id)
    return dataclasses.replace(session, targets=left)


def remove_marked(session: Session, picture_id: object) -> Session:
    """Take a marked picture out; the last one stays."""
    left = tuple(picture for picture in session.marked if picture.id != picture_id)
    return dataclasses.replace(session, marked=left) if left else session


def folder_of(session: Session) -> Path:
    """Return a visitor's folder.

    Raises
    ------
    ImageFileError
        If the visit has ended.
    """
    if session.folder is None or not session.folder.is_dir():
        raise ImageFileError(ENDED)
    return session.folder


def _only_examples(pictures: Sequence[Picture], examples: Sequence[Picture]) -> bool:
    return set(pictures) <= set(examples)


def _brought(
    session: Session,
    uploads: Sequence[Path],
    before: Sequence[Picture],
    told: Callable[[int], None] = lambda _: None,
) -> tuple[list[Picture], list[str]]:
    """Return the pictures with those of the files, and what is to be said about these."""
    folder, most = folder_of(session), limits().pictures
    pictures, words = list(before), []
    for count, upload in enumerate(uploads, start=1):
        try:
            brought: Brought = bring(upload, folder)
        except VRPSAMError as error:
            words.append(str(error))
            continue
        finally:
            told(count)
        if brought.note:
            words.append(brought.note)
        known = {picture.id for picture in pictures}
        new = [picture for picture in brought.pictures if picture.id not in known]
        if not new:
            words.append(f"{upload.name} was left out: the same picture is there already.")
        if len(pictures) + len(new) > most:
            words.append(
                f"{upload.name} was left out: the page holds at most {most} pictures. For whole "
                "folders use the command line: vrpsam segment --help."
            )
            for picture in new:
                picture.path.unlink(missing_ok=True)
            continue
        pictures += new
    return pictures, words
