"""Choosing, adding and taking out the pictures of one visitor."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from vrpsam_app.errors import ImageFileError, VRPSAMError
from vrpsam_app.web.incoming import Brought, bring
from vrpsam_app.web.limits import limits
from vrpsam_app.web.pictures import Picture
from vrpsam_app.web.session import Session, opening_session
from vrpsam_app.web.visitor import Visitor

ENDED = "This visit has ended. Reload the page and add the picture again."


def add_marked(visitor: Visitor, uploads: Sequence[Path]) -> list[str]:
    """Mark in uploaded files, in the place of what is marked: of a stack in its first plane.

    All their planes are looked in, before what was there already: the first thing to find is the
    rest of its kind in the same picture. :func:`bring_back` undoes the first half.

    Returns
    -------
    words : list of str
        A sentence for each file that could not be taken, or was taken with a change.
    """
    return _add(visitor, uploads, partial(_with_marked, together=set()))


def bring_back(visitor: Visitor) -> None:
    """Mark again in the pictures whose place the last ones have taken."""

    def swapped(session: Session) -> Session:
        if not session.replaced:
            return session
        return dataclasses.replace(session, marked=session.replaced, replaced=())

    visitor.change(swapped)


def add_marked_beside(visitor: Visitor, uploads: Sequence[Path]) -> list[str]:
    """Add uploaded files to the pictures that are marked, and keep all that is there.

    Returns
    -------
    words : list of str
        As for :func:`add_marked`.
    """
    return _add(visitor, uploads, _with_marked_beside)


def add_targets(visitor: Visitor, uploads: Sequence[Path]) -> list[str]:
    """Add uploaded files to the pictures to look in; the examples make way for them.

    Returns
    -------
    words : list of str
        As for :func:`add_marked`.
    """
    return _add(visitor, uploads, _with_targets)


def remove_target(visitor: Visitor, target_id: object) -> None:
    """Take a picture to look in out."""

    def without(session: Session) -> Session:
        left = tuple(picture for picture in session.targets if picture.id != target_id)
        return dataclasses.replace(session, targets=left)

    visitor.change(without)


def remove_marked(visitor: Visitor, picture_id: object) -> None:
    """Take a marked picture out; the last one stays."""

    def without(session: Session) -> Session:
        left = tuple(picture for picture in session.marked if picture.id != picture_id)
        return dataclasses.replace(session, marked=left) if left else session

    visitor.change(without)


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


def _add(visitor: Visitor, uploads: Sequence[Path], joined: Callable[..., Session]) -> list[str]:
    """Read one file after the other, and put each beside what is there by then."""
    folder = folder_of(visitor.session)
    words: list[str] = []
    for upload in uploads:
        try:
            brought = bring(upload, folder)
        except VRPSAMError as error:
            words.append(str(error))
            continue
        visitor.change(partial(joined, name=upload.name, brought=brought, words=words))
    return words


def _with_marked(
    session: Session, name: str, brought: Brought, words: list[str], *, together: set[str]
) -> Session:
    """Put a file in the place of what is marked, beside those that are brought `together`."""
    others = () if _only(session.targets, opening_session().targets) else session.targets
    known = {picture.id: picture for picture in (*others, *session.marked)}
    planes: dict[str, Picture] = {}
    for picture in brought.pictures:
        planes.setdefault(picture.id, known.get(picture.id, picture))
    first = next(iter(planes.values()))
    mine = {target.id: target for target in others if target.id in together}
    targets = mine | planes | {target.id: target for target in others}
    new = 0 if first.id in together else len(planes)
    if not _fit(name, brought, words, new=new, all_in_all=len(targets)):
        _unlink(brought, ())
        return session
    beside = tuple(picture for picture in session.marked if picture.id in together)
    replaced = session.replaced if together else session.marked
    together.update(planes)
    _unlink(brought, targets.values())
    return dataclasses.replace(
        session, marked=(*beside, first), targets=tuple(targets.values()), replaced=replaced
    )


def _with_marked_beside(session: Session, name: str, brought: Brought, words: list[str]) -> Session:
    new = _new(session.marked, name, brought, words)
    return dataclasses.replace(session, marked=(*session.marked, *new)) if new else session


def _with_targets(session: Session, name: str, brought: Brought, words: list[str]) -> Session:
    before = () if _only(session.targets, opening_session().targets) else session.targets
    new = _new(before, name, brought, words)
    return dataclasses.replace(session, targets=(*before, *new)) if new else session


def _only(pictures: Sequence[Picture], examples: Sequence[Picture]) -> bool:
    return set(pictures) <= set(examples)


def _new(before: Sequence[Picture], name: str, brought: Brought, words: list[str]) -> list[Picture]:
    """Return the pictures of a file that have a place beside others, and add what is to be said."""
    known = {picture.id for picture in before}
    new: dict[str, Picture] = {}
    for picture in brought.pictures:
        if picture.id not in known:
            new.setdefault(picture.id, picture)
    if not _fit(name, brought, words, new=len(new), all_in_all=len(before) + len(new)):
        new = {}
    _unlink(brought, new.values())
    return list(new.values())


def _fit(name: str, brought: Brought, words: list[str], *, new: int, all_in_all: int) -> bool:
    """Tell whether pictures of a file have a place on the page, and add what is to be said.

    Parameters
    ----------
    new : pictures of the file that are not there yet
    all_in_all : pictures that would be there with them
    """
    if brought.note:
        words.append(brought.note)
    most, count = limits().pictures, len(brought.pictures)
    if not new:
        words.append(f"{name} was left out: the same picture is there already.")
    elif all_in_all > most:
        words.append(
            f"{name} was left out: the page holds at most {most} pictures. For whole folders use "
            "the command line: vrpsam segment --help."
        )
    elif new < count:
        words.append(f"{name}: {new} of {count} pictures, equal ones are shown once.")
    return new > 0 and all_in_all <= most


def _unlink(brought: Brought, kept: Iterable[Picture]) -> None:
    """Remove the files of pictures that are not kept."""
    paths = {picture.path for picture in kept}
    for picture in brought.pictures:
        if picture.path not in paths:
            picture.path.unlink(missing_ok=True)
