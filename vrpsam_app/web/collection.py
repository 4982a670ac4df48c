"""Choosing, adding and taking out the pictures of one visitor."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from vrpsam_app.errors import ImageFileError, VRPSAMError
from vrpsam_app.images import intensity_range_of
from vrpsam_app.web.pictures import Picture, decoded, keep_file, open_picture
from vrpsam_app.web.session import Session, opening_session

MAX_TARGETS = 24


def choose_reference(session: Session, upload: Path) -> Session:
    """Take an uploaded file as the picture that is marked.

    If only examples are there to look in, the new picture takes their place: the first thing to
    find is the rest of its kind in the same picture.

    Raises
    ------
    ImageFileError, ImageError
        If it cannot be read; the session stays as it is.
    """
    picture = open_picture(keep_file(upload, _folder_of(session)))
    targets = (picture,) if _only_examples(session) else session.targets
    return _ranged(dataclasses.replace(session, reference=picture, marks=(), targets=targets))


def add_targets(session: Session, uploads: Sequence[Path]) -> tuple[Session, list[str]]:
    """Add uploaded files to the pictures to look in; the examples make way for them.

    Returns
    -------
    session : Session
    complaints : list of str
        A sentence for each file that could not be taken.
    """
    folder = _folder_of(session)
    targets = [] if _only_examples(session) else list(session.targets)
    complaints = []
    before = len(targets)
    for upload in uploads:
        try:
            targets.append(_new_target(upload, folder, targets))
        except VRPSAMError as error:
            complaints.append(str(error))
    if len(targets) > before:
        session = _ranged(dataclasses.replace(session, targets=tuple(targets)))
    return session, complaints


def remove_target(session: Session, target_id: object) -> Session:
    """Take a picture out."""
    left = tuple(picture for picture in session.targets if picture.id != target_id)
    return _ranged(dataclasses.replace(session, targets=left))


def _folder_of(session: Session) -> Path:
    if session.folder is None:
        raise ImageFileError("This visit has ended. Reload the page and add the picture again.")
    return session.folder


def _only_examples(session: Session) -> bool:
    return set(session.targets) <= set(opening_session().targets)


def _new_target(upload: Path, folder: Path, targets: Sequence[Picture]) -> Picture:
    if len(targets) >= MAX_TARGETS:
        raise ImageFileError(
            f"{upload.name} was left out: the page holds at most {MAX_TARGETS} pictures. For whole "
            "folders use the command line: vrpsam segment --help."
        )
    picture = open_picture(keep_file(upload, folder))
    if any(picture.id == other.id for other in targets):
        raise ImageFileError(f"{upload.name} was left out: the same picture is there already.")
    return picture


def _ranged(session: Session) -> Session:
    """Bring the common intensity range up to date; nothing is read where all have 8 bits."""
    pictures = (session.reference, *session.targets)
    if all(picture.eight_bit for picture in pictures):
        return dataclasses.replace(session, intensity_range=None)
    images = (decoded.read(picture) for picture in pictures)
    return dataclasses.replace(session, intensity_range=intensity_range_of(images))
