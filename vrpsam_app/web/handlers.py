"""The functions behind the page's events; they translate and decide nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from vrpsam_app.errors import ImageFileError
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.web import callbacks, collection, downloads, projects, view
from vrpsam_app.web.inquiry import Inquiry, known_answers
from vrpsam_app.web.marked import read_page
from vrpsam_app.web.model import ModelShelf
from vrpsam_app.web.plain_words import for_visitors, status_line
from vrpsam_app.web.replaced import forget_replaced
from vrpsam_app.web.session import Answers, Session
from vrpsam_app.web.visits import visits

Updates = tuple[Any, ...]


def start_visit(session: Session, request: gr.Request) -> None:
    """Remember who has come, so that files go when the page is closed."""
    visits.begin(request.session_hash, collection.folder_of(session), session.work)


def stop_work(session: Session) -> Updates:
    """Stop a search, without a word: something else was asked for."""
    session.work.stop("find", "save")
    return idle_buttons()


def busy_buttons() -> Updates:
    """Return the buttons while something runs that can be stopped."""
    return gr.Button(interactive=False), gr.Button(visible=True)


def idle_buttons() -> Updates:
    """Return the buttons while nothing runs."""
    return gr.Button(interactive=True), gr.Button(visible=False)


class Handlers:
    """Bound to the models and their line."""

    def __init__(self, shelf: ModelShelf) -> None:
        self._shelf = shelf

    def get_ready(
        self, session: Session, answers: Answers | None, canvas: object, board: object
    ) -> None:
        """Encode what is visible."""
        callbacks.prepare(self._inquiry("ready", session, answers, canvas, board))

    def show_live(
        self, session: Session, answers: Answers | None, canvas: object, board: object
    ) -> Iterator[Updates]:
        """Answer a stroke, or marks on a result."""
        inquiry = self._inquiry("live", session, answers, canvas, board)
        for progress in callbacks.preview(inquiry):
            if progress.before:
                yield gr.skip(), gr.skip(), status_line(view.progress_words(progress))
            else:
                yield _results(inquiry.session, progress.answers)

    def show_findings(
        self, session: Session, answers: Answers | None, canvas: object, board: object
    ) -> Iterator[Updates]:
        """Answer the button, one target after the other."""
        inquiry = self._inquiry("find", session, answers, canvas, board)
        for progress in callbacks.find(inquiry):
            found = view.board_answers(inquiry.session, progress.answers, progress.searching)
            words = view.progress_words(progress)
            words += view.advice_words(progress, inquiry.session.choice)
            yield (
                progress.answers,
                gr.skip() if progress.before else gr.update(answers=found),
                status_line(words),
                *(busy_buttons() if progress.searching else idle_buttons()),
            )

    def stop(self, session: Session) -> Updates:
        """Stop whatever runs for this visitor, within the picture that is being looked at."""
        session.work.stop()
        return *idle_buttons(), status_line(view.STOPPED)

    def choose(
        self,
        session: Session,
        answers: Answers | None,
        canvas: object,
        board: object,
        uploads: Sequence[str],
    ) -> Updates:
        """Show uploaded pictures on the canvas."""
        before = session
        session, words = collection.add_marked(session, [Path(upload) for upload in uploads])
        _warn(words)
        same = session.targets == before.targets
        found = (answers or Answers()) if same else Answers()
        return (
            session,
            gr.update(pictures=view.canvas_pictures(session)),
            found,
            _board(session, found, same_pictures=same),
            status_line(view.START_MARKING if session != before else view.READY),
        )

    def add_targets(
        self,
        session: Session,
        answers: Answers | None,
        canvas: object,
        board: object,
        uploads: Sequence[str],
    ) -> Iterator[Updates]:
        """Show uploaded pictures on the board, and say which could not be taken."""
        asked = read_page(session, canvas, board)
        paths = [Path(upload) for upload in uploads]
        if len(paths) > 3:
            yield session, gr.skip(), gr.skip(), status_line(f"Reading {len(paths)} files …")
        session, words = collection.add_targets(session, paths)
        _warn(words)
        found = known_answers(session, asked, answers)
        yield session, *_results(session, found, same_pictures=False)

    def remove_target(
        self, session: Session, answers: Answers | None, canvas: object, board: object
    ) -> Updates:
        """Take the picture out whose cross was pressed."""
        stop_work(session)
        asked = read_page(session, canvas, board)
        session = collection.remove_target(session, asked.about)
        found = known_answers(session, asked, answers)
        return session, *_results(session, found, same_pictures=False)

    def remove_marked(
        self, session: Session, answers: Answers | None, canvas: object, board: object
    ) -> Updates:
        """Take the marked picture out whose cross was pressed."""
        about = canvas.get("about") if isinstance(canvas, dict) else None
        session = collection.remove_marked(session, about)
        return session, gr.update(pictures=view.canvas_pictures(session))

    def reuse(
        self, session: Session, answers: Answers | None, canvas: object, board: object
    ) -> Updates:
        """Make a result the next reference."""
        inquiry = self._inquiry("reuse", session, answers, canvas, board)
        targets = {target.id: target for target in inquiry.session.targets}
        target = targets.get(inquiry.asked.about or "")
        if target is None:
            raise ImageFileError(callbacks.NO_TARGET)
        masks = downloads.masks_of(inquiry, target)
        given = projects.reuse_result(inquiry.session, inquiry.asked, target, masks)
        return _given(given, f"{target.name} is a reference now.")

    def take_mask(
        self,
        session: Session,
        answers: Answers | None,
        canvas: object,
        board: object,
        upload: str,
    ) -> Updates:
        """Put a mask file on the picture that the canvas shows."""
        given = projects.take_mask(session, canvas, Path(upload))
        return _given(given, "The mask is on the picture.")

    def load_library(
        self,
        session: Session,
        answers: Answers | None,
        canvas: object,
        board: object,
        upload: str,
    ) -> Updates:
        """Add saved references."""
        given = projects.load_library(session, Path(upload))
        return _given(given, f"{len(given.references)} references were added.")

    def save_library(
        self, session: Session, answers: Answers | None, canvas: object, board: object
    ) -> Updates:
        """Write the references into a file."""
        asked = read_page(session, canvas, board)
        return str(downloads.save_library(session, asked)), status_line("Saved.")

    def save_mask(
        self, session: Session, answers: Answers | None, canvas: object, board: object
    ) -> Updates:
        """Write the visible target's mask."""
        inquiry = self._inquiry("mask", session, answers, canvas, board)
        return str(downloads.save_mask(inquiry)), status_line("Saved.")

    def save_all(
        self,
        session: Session,
        answers: Answers | None,
        canvas: object,
        board: object,
        touching: str,
    ) -> Iterator[Updates]:
        """Write everything into one file."""
        inquiry = self._inquiry("save", session, answers, canvas, board)
        objects = ObjectOptions(
            method=touching,  # type: ignore[arg-type]  # checked there
            min_area=inquiry.asked.min_area or None,
        )
        for saving in downloads.save_archive(inquiry, objects):
            done = saving.path is not None
            yield (
                str(saving.path) if done else gr.skip(),
                status_line(view.saving_words(saving)),
                *(idle_buttons() if done else busy_buttons()),
            )

    def _inquiry(
        self,
        kind: str,
        session: Session,
        answers: Answers | None,
        canvas: object,
        board: object,
    ) -> Inquiry:
        """Begin a kind of work for a visitor, in the place of what runs of it."""
        forget_replaced()
        asked = read_page(session, canvas, board)
        return Inquiry(
            self._shelf.of(session.choice),
            self._shelf.line,
            session,
            asked,
            answers or Answers(),
            session.work.begin(kind),
        )


def _results(session: Session, answers: Answers, *, same_pictures: bool = True) -> Updates:
    """Return the updates of the answers, the board and the status line."""
    words = view.preview_words(session, answers)
    return answers, _board(session, answers, same_pictures=same_pictures), status_line(words)


def _board(session: Session, answers: Answers, *, same_pictures: bool) -> Any:
    found = view.board_answers(session, answers)
    if same_pictures:
        return gr.update(answers=found)
    return gr.update(pictures=view.board_pictures(session), answers=found)


def _given(given: projects.Given, words: str) -> Updates:
    """Return the updates of session, canvas and status line for marks that arrive."""
    pictures = view.canvas_pictures(given.session)
    return given.session, gr.update(pictures=pictures, given=given.canvas()), status_line(words)


def _warn(sentences: Sequence[str]) -> None:
    for sentence in sentences[:5]:
        gr.Warning(for_visitors(sentence))
    if len(sentences) > 5:
        gr.Warning(for_visitors(f"And {len(sentences) - 5} more files like these."))
