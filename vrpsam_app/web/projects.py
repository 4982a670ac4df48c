"""What comes back to the page: libraries, mask files, results as references, saved projects."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotation_types import check_same_size
from vrpsam_app.errors import ConfigError, EmptyReferenceError, VRPSAMError
from vrpsam_app.image_files import read_mask, write_image
from vrpsam_app.library.reference_library import ReferenceLibrary
from vrpsam_app.references import Reference
from vrpsam_app.review.archive import unpack_project
from vrpsam_app.review.project import ReviewProject
from vrpsam_app.review.state import PictureState
from vrpsam_app.web.collection import folder_of
from vrpsam_app.web.downloads import PAGE_FACT
from vrpsam_app.web.incoming import check_space
from vrpsam_app.web.limits import limits
from vrpsam_app.web.marked import Asked, as_mapping, read_page
from vrpsam_app.web.model import Choice, check_choice, known_models
from vrpsam_app.web.opened_finding import OpenedFinding
from vrpsam_app.web.painting import mask_url
from vrpsam_app.web.pictures import Picture, decoded, new_folder, open_picture
from vrpsam_app.web.session import Answers, Session

MOST_FROM_LIBRARY = 100
_VERDICTS = {"accepted": "accept", "rejected": "reject"}


@dataclass(frozen=True)
class Given:
    """What the page is given: marks for the canvas, settings for the board.

    Parameters
    ----------
    marked
        Pictures that carry marks.
    kept
        Reference pixels by key, as in :class:`~vrpsam_app.web.session.Session`.
    references
        As the canvas takes them.
    replace
        Whether they take the place of all that is marked.
    shown
        The marked picture to turn to.
    targets
        Take the place of all pictures to look in; None leaves those.
    board
        Threshold, decisions and so on as the board takes them, without a serial; None leaves the
        board's own.
    answers
        Results that come along.
    choice
        What made them, if it can be asked here; None leaves the visitor's own.
    note
        What a person should know of how it was opened; "" for nothing.
    """

    marked: Sequence[Picture]
    kept: Mapping[str, Reference]
    references: Sequence[Mapping[str, Any]]
    replace: bool = False
    shown: str | None = None
    targets: Sequence[Picture] | None = None
    board: Mapping[str, Any] | None = None
    answers: Answers | None = None
    choice: Choice | None = None
    note: str = ""

    def added_to(self, session: Session) -> Session:
        """Return a session with what is given, or with it in the place of all pictures."""
        marked = {} if self.replace else {picture.id: picture for picture in session.marked}
        for picture in self.marked:
            marked.setdefault(picture.id, picture)
        return dataclasses.replace(
            session,
            marked=tuple(marked.values()),
            targets=session.targets if self.targets is None else tuple(self.targets),
            kept=MappingProxyType({**session.kept, **self.kept}),
            choice=self.choice or session.choice,
        )

    def canvas(self) -> dict[str, Any]:
        """Return the marks as the canvas takes them."""
        return {
            "serial": secrets.token_hex(6),
            "replace": self.replace,
            "shown": self.shown,
            "references": [dict(reference) for reference in self.references],
        }


def load_library(session: Session, upload: Path) -> Given:
    """Add the references of a library to what is marked.

    Raises
    ------
    ConfigError
        If the file is no library, damaged, or holds more than the page shows.
    """
    library = ReferenceLibrary.load(upload, max_bytes=min(2**30, limits().session_bytes))
    if not library.entries:
        raise EmptyReferenceError(f"{upload.name} is a library without references.")
    if len(library) > MOST_FROM_LIBRARY:
        raise ConfigError(
            f"{upload.name} holds {len(library)} references: at most {MOST_FROM_LIBRARY} are shown "
            "here. Use the command line: vrpsam segment --library."
        )
    return _given(folder_of(session), [(e.name, e.reference) for e in library.entries])


def take_mask(session: Session, canvas: object, upload: Path) -> Given:
    """Take a mask file as marks on the picture that the canvas shows.

    Raises
    ------
    ImageFileError
        If it is no picture.
    AnnotationError
        If it has another size, or marks nothing.
    """
    read_page(session, canvas, None)
    state = as_mapping(canvas)
    picture = next((p for p in session.marked if p.id == state.get("shown")), session.marked[0])
    label = str(state.get("label") or "object").strip()[:80] or "object"
    mask = read_mask(upload, max_pixels=limits().max_pixels)
    check_same_size(mask.shape, picture.hw, f"The mask {upload.name}", picture.name)
    reference = Reference.from_mask(decoded.read(picture), mask, label=label)
    key = _new_key(reference)
    item = _item(picture, key, upload.name, reference)
    return Given([picture], {key: reference}, [item], shown=picture.id)


def reuse_result(asked: Asked, target: Picture, masks: Mapping[str, NDArray[np.bool_]]) -> Given:
    """Make the result of a target the next reference.

    Everything of each class counts as marked if the person has accepted the result.

    Parameters
    ----------
    masks : of each class at the target's full size

    Raises
    ------
    EmptyReferenceError
        If nothing was found in it.
    """
    whole = asked.decisions.get(target.id) in ("accept", "fix")
    shown = {label: mask for label, mask in masks.items() if mask.any()}
    if not shown:
        raise EmptyReferenceError(
            f"Nothing was found in {target.name}: choose a picture with a result."
        )
    items, kept = [], {}
    for label, mask in shown.items():
        reference = Reference.from_mask(decoded.read(target), mask, label=label, exhaustive=whole)
        key = _new_key(reference)
        kept[key] = reference
        items.append(_item(target, key, f"found in {target.name}", reference))
    return Given([target], kept, items, shown=target.id)


def open_project(session: Session, upload: Path) -> Given:
    """Open a zip of results that was saved here: pictures, references, decisions, results.

    Raises
    ------
    ConfigError, AnnotationError
        If it is none, is damaged, or was made to do harm.
    ImageFileError
        If there is no room for it.
    """
    folder = folder_of(session)
    check_space(folder, 0)
    most = limits().session_bytes
    project = unpack_project(upload, new_folder(folder) / "project", max_bytes=most)
    library = project.library
    pictures = project.state.pictures()
    if len(pictures) > limits().pictures or len(library) > MOST_FROM_LIBRARY:
        raise ConfigError(
            f"The project has {len(pictures)} pictures and {len(library)} references: at most "
            f"{limits().pictures} and {MOST_FROM_LIBRARY} are shown here. Unpack it, and go on "
            "with vrpsam batch."
        )
    targets = {p.name: open_picture(project.path_of(p)) for p in pictures if p.error is None}
    given = _given(folder, [(entry.name, entry.reference) for entry in library.entries])
    if not given.marked:
        raise ConfigError(f"{upload.name} holds a project without references.")
    page = as_mapping(project.state.fact(PAGE_FACT, {}))
    choice, note = _choice(page, session.choice)
    given = dataclasses.replace(
        given,
        replace=True,
        targets=tuple(targets.values()),
        board=_board(project, page, targets),
        choice=choice,
        note=note,
    )
    asked = read_page(given.added_to(session), given.canvas(), given.board)
    return dataclasses.replace(given, answers=_answers(project, page, targets, asked))


def _given(folder: Path, named: Sequence[tuple[str, Reference]]) -> Given:
    """Put references on the canvas: their pictures, and their pixels under keys."""
    marked: dict[str, Picture] = {}
    items, kept = [], {}
    for name, reference in named:
        picture = _picture_of(reference, folder)
        marked.setdefault(picture.id, picture)
        key = _new_key(reference)
        kept[key] = reference
        items.append(_item(picture, key, name, reference))
    shown = items[0]["image"] if items else None
    return Given(tuple(marked.values()), kept, items, shown=shown)


def _picture_of(reference: Reference, folder: Path) -> Picture:
    """Write a reference's pixels, as they are, into a file of this visitor."""
    image = reference.image
    stem = f"reference-{reference.image_key[:10]}"
    known = [path for path in folder.glob(f"{stem}.*") if path.suffix in (".png", ".npy")]
    if known:
        return open_picture(known[0])
    check_space(folder, image.nbytes)
    if image.dtype in (np.uint8, np.bool_) or (image.ndim == 2 and image.dtype == np.uint16):
        return open_picture(write_image(folder / f"{stem}.png", image, overwrite=True))
    path = folder / f"{stem}.npy"
    np.save(path, image, allow_pickle=False)
    return open_picture(path)


def _new_key(reference: Reference) -> str:
    return f"{reference.content_key}-{secrets.token_hex(4)}"


def _item(picture: Picture, key: str, name: str, reference: Reference) -> dict[str, Any]:
    """Return a kept reference as the canvas takes it."""
    sides = ((True, reference.positive), (False, reference.negative))
    return {
        "image": picture.id,
        "label": reference.label,
        "exhaustive": reference.exhaustive,
        "marks": [
            {
                "type": "kept",
                "key": key,
                "positive": positive,
                "name": name,
                "png": mask_url(mask, picture.preview_hw),
            }
            for positive, mask in sides
            if mask.any()
        ],
    }


def _choice(page: Mapping[str, Any], own: Choice) -> tuple[Choice | None, str]:
    """Return what made the results, if it is on this computer, and else a sentence that says so.

    Nothing is downloaded because a file asks for it. The device stays the visitor's own.
    """
    model, method = page.get("model"), page.get("method")
    if not isinstance(model, str) or not isinstance(method, str):
        return None, ""
    choice = dataclasses.replace(own, model=model, method=method)
    if choice == own:
        return own, ""
    here = {own.model, *(w.name for w in known_models() if w.state in ("here", "cached"))}
    made_by = f"{model[:80]} with the method {method[:40]}"
    try:
        check_choice(choice)
    except VRPSAMError:
        here = set()
    if model not in here:
        instead = f"{own.model} with {own.method}"
        return None, f"They were made by {made_by}, which is not here: Find asks {instead}."
    return choice, f"Find asks what made them: {made_by}."


def _board(
    project: ReviewProject, page: Mapping[str, Any], targets: Mapping[str, Picture]
) -> dict[str, Any]:
    """Return what the page knew, brought up to date by what was decided since."""
    kept, marks = as_mapping(page.get("decisions")), as_mapping(page.get("corrections"))
    decisions: dict[str, str] = {}
    for picture in project.state.pictures():
        verdict = _verdict(picture, kept.get(picture.name))
        if picture.name in targets and verdict is not None:
            decisions[targets[picture.name].id] = verdict
    threshold, least = page.get("threshold"), page.get("min_area")
    return {
        "threshold": threshold if isinstance(threshold, float) and 0 < threshold < 1 else 0.5,
        "min_area": least if isinstance(least, int) and least >= 0 else 0,
        "decisions": decisions,
        "corrections": {
            targets[name].id: classes for name, classes in marks.items() if name in targets
        },
    }


def _verdict(picture: PictureState, on_page: object) -> str | None:
    if picture.status in _VERDICTS:
        return _VERDICTS[picture.status]
    if on_page == "fix" or (picture.status == "fixed" and on_page == "accept"):
        return str(on_page)
    return None


def _answers(
    project: ReviewProject, page: Mapping[str, Any], targets: Mapping[str, Picture], asked: Asked
) -> Answers:
    """Return the masks of a project as answers to a question that was not asked here."""
    answers = Answers()
    specks = as_mapping(page.get("specks"))
    for picture in project.state.pictures():
        if picture.name not in targets or not picture.masks:
            continue
        target = targets[picture.name]
        known = as_mapping(specks.get(picture.name))
        try:
            finding = OpenedFinding.read(project, picture, target, asked, known)
        except VRPSAMError:
            continue  # it will be asked for again
        answers = answers.with_finding(target.id, finding)
    return answers
