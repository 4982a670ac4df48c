"""The functions behind the page's events; they translate and decide nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from vrpsam_app.errors import EmptyReferenceError, ImageFileError
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.web import callbacks, collection, downloads, projects, view
from vrpsam_app.web.inquiry import Inquiry, with_standing_decisions
from vrpsam_app.web.marked import NOTHING_MARKED, as_mapping, read_page
from vrpsam_app.web.model import ModelShelf
from vrpsam_app.web.plain_words import for_visitors, found_line, status_line
from vrpsam_app.web.replaced import forget_replaced
from vrpsam_app.web.session import Answers
from vrpsam_app.web.visitor import Visitor

Updates = tuple[Any, ...]


def stop_work(visitor: Visitor) -> Updates:
    """Stop a search, without a word: something else was asked for."""
    visitor.work.stop("find", "save")
    return idle_buttons(visitor)


def stop_search(visitor: Visitor) -> Updates:
    """Stop a search, without a word: there are other pictures to look in."""
    visitor.work.stop("find")
    return idle_buttons(visitor)


def busy_buttons() -> Updates:
    """Return the buttons while something runs that can be stopped."""
    return gr.Button(interactive=False), gr.Button(visible=True)


def idle_buttons(visitor: Visitor) -> Updates:
    """Return the buttons while nothing runs but the reading of files."""
    return gr.Button(interactive=not visitor.work.is_reading), gr.Button(visible=False)


def _held_buttons() -> Updates:
    return gr.Button(interactive=False), gr.Button(visible=False)


def told(sentence: str, visitor: Visitor, *_: object) -> Updates:
    """Return the updates of the board, where no search goes on, and the status line."""
    return _board(visitor, same_pictures=True), _told_line(sentence)


def told_found(sentence: str, visitor: Visitor, *_: object) -> Updates:
    """Return the same and the buttons."""
    return *told(sentence, visitor), *idle_buttons(visitor)


def told_chosen(sentence: str, visitor: Visitor, *_: object) -> Updates:
    """Return the same after an update of the canvas, which stays as it is."""
    return gr.skip(), *told_found(sentence, visitor)


def told_saved(sentence: str, visitor: Visitor, *_: object) -> Updates:
    """Return the updates of the file, which stays as it is, the status line and the buttons."""
    return gr.skip(), _told_line(sentence), *idle_buttons(visitor)


def _told_line(sentence: str) -> str:
    return status_line(sentence, "marks" if sentence == NOTHING_MARKED else "")


class Handlers:
    """Bound to the models and their line."""

    def __init__(self, shelf: ModelShelf) -> None:
        self._shelf = shelf

    def get_ready(self, visitor: Visitor, canvas: object, board: object) -> None:
        """Encode what is visible."""
        callbacks.prepare(self._inquiry("ready", visitor, canvas, board))

    def show_live(self, visitor: Visitor, canvas: object, board: object) -> Iterator[Updates]:
        """Answer a stroke, or marks on a result."""
        inquiry = self._inquiry("live", visitor, canvas, board)
        for progress in callbacks.preview(inquiry):
            if progress.before:
                yield gr.skip(), status_line(view.progress_words(progress))
            else:
                _keep(visitor, inquiry, progress.answers)
                yield _results(visitor)

    def show_findings(self, visitor: Visitor, canvas: object, board: object) -> Iterator[Updates]:
        """Answer the button, one target after the other."""
        inquiry = self._inquiry("find", visitor, canvas, board)
        try:
            inquiry.check()
        except EmptyReferenceError as error:  # nothing went wrong: something is to be marked first
            yield told_found(str(error), visitor)
            return
        for progress in callbacks.find(inquiry):
            answers = _keep(visitor, inquiry, progress.answers)
            found = view.board_answers(visitor.session, answers, progress.searching)
            words = view.progress_words(progress)
            words += view.advice_words(progress, inquiry.session.choice)
            yield (
                gr.skip() if progress.before else gr.update(answers=found),
                status_line(words),
                *(busy_buttons() if progress.searching else idle_buttons(visitor)),
            )

    def stop(self, visitor: Visitor) -> Updates:
        """Stop whatever runs for this visitor, within the picture that is being looked at."""
        visitor.work.stop()
        board = _board(visitor, same_pictures=True)
        return *idle_buttons(visitor), board, status_line(view.STOPPED)

    def choose(self, visitor: Visitor, uploads: Sequence[str]) -> Iterator[Updates]:
        """Show uploaded pictures on the canvas, in the place of those that are there."""
        yield from self._add_marked(collection.add_marked, visitor, uploads)

    def choose_beside(self, visitor: Visitor, uploads: Sequence[str]) -> Iterator[Updates]:
        """Show uploaded pictures on the canvas beside those that are there."""
        yield from self._add_marked(collection.add_marked_beside, visitor, uploads)

    def bring_back(self, visitor: Visitor) -> Updates:
        """Show the pictures on the canvas whose place the last ones have taken."""
        collection.bring_back(visitor)
        pictures = view.canvas_pictures(visitor.session)
        return gr.update(pictures=pictures), status_line(view.BROUGHT_BACK)

    def add_targets(self, visitor: Visitor, uploads: Sequence[str]) -> Iterator[Updates]:
        """Show uploaded pictures on the board, and say which could not be taken."""
        paths = [Path(upload) for upload in uploads]
        with visitor.work.reading():
            yield gr.skip(), status_line(view.reading_words(paths)), *_held_buttons()
            _warn(collection.add_targets(visitor, paths))
        yield *_results(visitor, same_pictures=False), *idle_buttons(visitor)

    def remove_target(self, visitor: Visitor, board: object) -> Updates:
        """Take the picture out whose cross was pressed."""
        collection.remove_target(visitor, as_mapping(board).get("about"))
        return _results(visitor, same_pictures=False)

    def remove_marked(self, visitor: Visitor, canvas: object) -> Any:
        """Take the marked picture out whose cross was pressed."""
        collection.remove_marked(visitor, as_mapping(canvas).get("about"))
        return gr.update(pictures=view.canvas_pictures(visitor.session))

    def reuse(self, visitor: Visitor, canvas: object, board: object) -> Updates:
        """Make a result the next reference."""
        inquiry = self._inquiry("reuse", visitor, canvas, board)
        targets = {target.id: target for target in inquiry.session.targets}
        target = targets.get(inquiry.asked.about or "")
        if target is None:
            raise ImageFileError(callbacks.NO_TARGET)
        given = projects.reuse_result(inquiry.asked, target, downloads.masks_of(inquiry, target))
        return _given(visitor, given, f"{target.name} is a reference now.")

    def take_mask(self, visitor: Visitor, canvas: object, upload: str) -> Updates:
        """Put a mask file on the picture that the canvas shows."""
        given = projects.take_mask(visitor.session, canvas, Path(upload))
        return _given(visitor, given, "The mask is on the picture.")

    def load_library(self, visitor: Visitor, upload: str) -> Updates:
        """Add saved references."""
        given = projects.load_library(visitor.session, Path(upload))
        return _given(visitor, given, f"Added {view.counted(len(given.references), 'reference')}.")

    def save_library(self, visitor: Visitor, canvas: object, board: object) -> Updates:
        """Write the references into a file."""
        asked = read_page(visitor.session, canvas, board)
        return str(downloads.save_library(visitor.session, asked)), status_line("Saved.")

    def save_mask(self, visitor: Visitor, canvas: object, board: object) -> Updates:
        """Write the visible target's mask."""
        inquiry = self._inquiry("mask", visitor, canvas, board)
        return str(downloads.save_mask(inquiry)), status_line("Saved.")

    def save_all(
        self, visitor: Visitor, canvas: object, board: object, touching: str
    ) -> Iterator[Updates]:
        """Write everything into one file."""
        inquiry = self._inquiry("save", visitor, canvas, board)
        objects = ObjectOptions(
            method=touching,  # type: ignore[arg-type]  # checked there
            min_area=inquiry.asked.min_area or None,
        )
        for saving in downloads.save_archive(inquiry, objects):
            done = saving.path is not None
            yield (
                str(saving.path) if done else gr.skip(),
                status_line(view.saving_words(saving, cut=objects.method != "components")),
                *(idle_buttons(visitor) if done else busy_buttons()),
            )

    def _add_marked(
        self,
        add: Callable[[Visitor, Sequence[Path]], list[str]],
        visitor: Visitor,
        uploads: Sequence[str],
    ) -> Iterator[Updates]:
        before, paths = visitor.session, [Path(upload) for upload in uploads]
        with visitor.work.reading():
            words = status_line(view.reading_words(paths))
            yield gr.skip(), gr.skip(), words, *_held_buttons()
            _warn(add(visitor, paths))
        now = visitor.session
        new = now.targets != before.targets
        given = {"serial": secrets.token_hex(6), "shown": now.targets[0].id}
        yield (
            gr.update(pictures=view.canvas_pictures(now)),
            _board(visitor, same_pictures=not new) | ({"given": given} if new else {}),
            status_line(view.START_MARKING if now.marked != before.marked else view.READY),
            *idle_buttons(visitor),
        )

    def _inquiry(self, kind: str, visitor: Visitor, canvas: object, board: object) -> Inquiry:
        """Begin a kind of work for a visitor, in the place of what runs of it."""
        forget_replaced()
        session, answers = visitor.session, visitor.answers
        asked = read_page(session, canvas, board)
        return Inquiry(
            self._shelf.of(session.choice),
            self._shelf.line,
            session,
            with_standing_decisions(session, asked, answers),
            answers,
            visitor.work.begin(kind),
        )


def _keep(visitor: Visitor, inquiry: Inquiry, answers: Answers) -> Answers:
    """Add answers to those of a visitor who still wants them."""
    inquiry.cancel.raise_if_cancelled()
    return visitor.answer(answers)


def _results(visitor: Visitor, *, same_pictures: bool = True) -> Updates:
    """Return the updates of the board and the status line."""
    words = view.preview_words(visitor.session, visitor.answers)
    line = found_line(words) if visitor.answers.findings else status_line(words)
    return _board(visitor, same_pictures=same_pictures), line


def _board(visitor: Visitor, *, same_pictures: bool) -> Any:
    session = visitor.session
    found = view.board_answers(session, visitor.answers)
    if same_pictures:
        return gr.update(answers=found)
    return gr.update(pictures=view.board_pictures(session), answers=found)


def _given(visitor: Visitor, given: projects.Given, words: str) -> Updates:
    """Return the updates of canvas and status line for marks that arrive."""
    pictures = view.canvas_pictures(visitor.change(given.added_to))
    return gr.update(pictures=pictures, given=given.canvas()), status_line(words)


def _warn(sentences: Sequence[str]) -> None:
    for sentence in sentences[:5]:
        gr.Warning(for_visitors(sentence))
    if len(sentences) > 5:
        gr.Warning(for_visitors(f"And {len(sentences) - 5} more files like these."))
