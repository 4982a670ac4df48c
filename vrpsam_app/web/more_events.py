"""What answers to what in the panel of models, saved results and code."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from vrpsam_app.errors import VRPSAMError
from vrpsam_app.web import as_code, model_words, projects, view
from vrpsam_app.web.handlers import busy_buttons, idle_buttons, told_found
from vrpsam_app.web.marked import read_page
from vrpsam_app.web.model import Choice, ModelShelf, check_choice, method_names
from vrpsam_app.web.plain_words import in_plain_words, status_line
from vrpsam_app.web.visitor import Visitor

if TYPE_CHECKING:
    from hub_weights import DownloadProgress
    from vrpsam_app.web.layout import Page

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""Of events that programs do not see, and that tell by themselves how far they are."""
_TELL_SECONDS = 0.5


def connect_more(page: Page, shelf: ModelShelf) -> None:
    """Connect the panel's events."""
    more = page.more
    wish = [more.model, more.other_model]
    for component in (more.model.input, more.other_model.submit, more.other_model.blur):
        component(in_plain_words(describe), wish, [more.about_model, more.method], **QUIET)
    loading = more.use_model.click(
        in_plain_words(Loading(shelf).load, told_found),
        [page.visitor, *wish, more.method, more.device],
        [page.board, page.status, page.find, page.stop],
        trigger_mode="once",
        concurrency_id="loading",
        concurrency_limit=4,
        **QUIET,
    )
    loading.then(idle_buttons, page.visitor, [page.find, page.stop], queue=False, **QUIET)
    page.stop.click(None, cancels=[loading], **QUIET)
    more.project.upload(
        in_plain_words(open_project),
        [page.visitor, more.project],
        [page.canvas, page.board, page.status, *wish, more.about_model, more.method],
        **QUIET,
    )
    more.show_code.click(
        in_plain_words(show_code),
        [page.visitor, page.canvas, page.board],
        [more.command, more.python],
        **QUIET,
    )


def describe(model: str, other: str) -> tuple[str, Any]:
    """Say how large the chosen model is, and which methods go with it."""
    name = _name(model, other)
    words = model_words.paragraph(model_words.about(name))
    return words, gr.Dropdown(model_words.method_choices(method_names(name)))


def open_project(visitor: Visitor, upload: str) -> tuple[Any, ...]:
    """Open saved results in the place of what is on the page."""
    given = projects.open_project(visitor.session, Path(upload))
    session = visitor.change(given.added_to, given.answers)
    marks = given.canvas()
    board = gr.update(
        pictures=view.board_pictures(session),
        answers=view.board_answers(session, visitor.answers),
        given={"serial": marks["serial"], **(given.board or {})},
    )
    canvas = gr.update(pictures=view.canvas_pictures(session), given=marks)
    pictures = view.counted(len(session.targets), "picture")
    references = view.counted(len(given.references), "reference")
    words = status_line(" ".join(filter(None, [f"{pictures} and {references}.", given.note])))
    if given.choice is None:
        return canvas, board, words, *([gr.skip()] * 4)
    about, methods = describe(given.choice.model, "")
    chosen = gr.Dropdown(methods.choices, value=given.choice.method)
    return canvas, board, words, given.choice.model, "", about, chosen


def show_code(visitor: Visitor, canvas: object, board: object) -> tuple[Any, Any]:
    """Return what the page does as a command and as Python."""
    session = visitor.session
    asked = read_page(session, canvas, board)
    return (
        gr.Code(as_code.as_command(session, asked), visible=True),
        gr.Code(as_code.as_python(session, asked), visible=True),
    )


class Loading:
    """Loads the model that was chosen, with words about a download while it goes on."""

    def __init__(self, shelf: ModelShelf) -> None:
        self._shelf = shelf

    def load(
        self, visitor: Visitor, model: str, other: str, method: str, device: str
    ) -> Iterator[tuple[Any, ...]]:
        """Load, then answer by it."""
        choice = Choice(_name(model, other), method, device)
        check_choice(choice)
        token = visitor.work.begin("load")
        said: list[str] = [f"Loading {choice.model} …"]

        def told(progress: DownloadProgress) -> None:
            token.raise_if_cancelled()
            said.append(model_words.download_words(progress))

        failure: list[BaseException] = []

        def load() -> None:
            try:
                self._shelf.of(choice, progress=told)
            except BaseException as error:  # told to the visitor below
                failure.append(error)

        worker = threading.Thread(target=load, daemon=True)
        worker.start()
        while worker.is_alive():
            yield _unchanged(said[-1])
            token.raise_if_cancelled()
            worker.join(_TELL_SECONDS)
        if failure:
            if isinstance(failure[0], VRPSAMError):
                raise failure[0]
            raise RuntimeError(f"{choice.model} could not be loaded") from failure[0]
        session = visitor.change(partial(dataclasses.replace, choice=choice))
        yield (
            gr.update(answers=view.board_answers(session, visitor.answers)),
            status_line(f"Ready, with {choice.model}. Press Find."),
            *idle_buttons(visitor),
        )


def _unchanged(words: str) -> tuple[Any, ...]:
    return (gr.skip(), status_line(words), *busy_buttons())


def _name(model: str, other: str) -> str:
    return (other or "").strip() or model
