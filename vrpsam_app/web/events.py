"""What answers to what on the page: events in, updates of components out."""

from __future__ import annotations

import functools
import html
import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.utils import get_upload_folder

from vrpsam_app.errors import VRPSAMError
from vrpsam_app.web import callbacks, collection, downloads, view
from vrpsam_app.web.endpoint import DESCRIPTION, segment_endpoint
from vrpsam_app.web.model import PredictorFactory
from vrpsam_app.web.pictures import without_folders
from vrpsam_app.web.session import Answers, Session, new_session, opening_session

if TYPE_CHECKING:
    from vrpsam_app.web.layout import Page

# Everything that runs the model waits in one line, so that memory holds one picture at a time.
ON_MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

# The button is invisible and filled by the server; the browser then saves what it holds.
_SAVE_FILE = "() => setTimeout(() => document.querySelector('#download').click(), 100)"

_log = logging.getLogger(__name__)

Updates = tuple[Any, ...]


def status_line(words: str) -> str:
    """Return the line under the button, announced by screen readers."""
    return f'<p role="status">{html.escape(words)}</p>'


def in_plain_words(function: Callable[..., Any]) -> Callable[..., Any]:
    """Show the sentence of an error of ours to the person, and log where it came from."""

    def shown(error: VRPSAMError) -> gr.Error:
        _log.info("Shown to the visitor: %s", error, exc_info=error)
        return gr.Error(_for_visitors(str(error)), print_exception=False)

    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                yield from function(*args, **kwargs)
            except VRPSAMError as error:
                raise shown(error) from error

        return steps

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except VRPSAMError as error:
            raise shown(error) from error

    return call


def serve_endpoint(get_predictor: PredictorFactory) -> None:
    """Add ``/segment``, the one public endpoint, to the app that is being built."""
    gr.api(
        in_plain_words(segment_endpoint(get_predictor)),
        api_name="segment",
        api_description=DESCRIPTION,
        **ON_MODEL,
    )


class Handlers:
    """The functions behind the events; they translate and decide nothing."""

    def __init__(self, get_predictor: PredictorFactory) -> None:
        self._get_predictor = get_predictor

    def get_ready(self, session: Session | None, board: object) -> None:
        """Encode what is visible."""
        callbacks.prepare(self._get_predictor(), session or opening_session(), _shown(board))

    def show_live(
        self,
        session: Session | None,
        answers: Answers | None,
        canvas: object,
        exhaustive: bool,
        board: object,
        threshold: float,
    ) -> Updates:
        """Answer a stroke."""
        session = session or opening_session()
        found = callbacks.preview(
            self._get_predictor(), session, answers or Answers(), canvas, exhaustive, _shown(board)
        )
        return _results(session, found, threshold, view.preview_words(session, found))

    def show_findings(
        self,
        session: Session | None,
        answers: Answers | None,
        canvas: object,
        exhaustive: bool,
        board: object,
        threshold: float,
    ) -> Iterator[Updates]:
        """Answer the button, one target after the other."""
        session = session or opening_session()
        for progress in callbacks.find(
            self._get_predictor(), session, answers or Answers(), canvas, exhaustive, _shown(board)
        ):
            yield (
                progress.answers,
                gr.HTML(tiles=view.tiles(session, progress.answers, threshold, progress.searching)),
                status_line(view.progress_words(progress)),
                *_busy_buttons(),
            )

    def repaint(self, session: Session | None, answers: Answers | None, threshold: float) -> Any:
        """Move the results to another threshold, without the model."""
        session = session or opening_session()
        return gr.HTML(tiles=view.tiles(session, answers or Answers(), threshold))

    def choose_reference(self, session: Session | None, upload: str, threshold: float) -> Updates:
        """Show an uploaded picture on the canvas."""
        session = collection.choose_reference(session or opening_session(), Path(upload))
        return (
            session,
            gr.HTML(picture=view.canvas_picture(session)),
            *_results(session, Answers(), threshold, view.START_MARKING),
        )

    def add_targets(
        self,
        session: Session | None,
        answers: Answers | None,
        canvas: object,
        exhaustive: bool,
        uploads: list[str],
        threshold: float,
    ) -> Updates:
        """Show uploaded pictures on the board, and say which could not be taken."""
        session, complaints = collection.add_targets(
            session or opening_session(), [Path(upload) for upload in uploads]
        )
        for complaint in complaints:
            gr.Warning(_for_visitors(complaint))
        found = callbacks.answers_now(session, answers or Answers(), canvas, exhaustive)
        return session, *_results(session, found, threshold, view.preview_words(session, found))

    def remove_target(
        self,
        session: Session | None,
        answers: Answers | None,
        canvas: object,
        exhaustive: bool,
        board: object,
        threshold: float,
    ) -> Updates:
        """Take the picture out whose cross was pressed."""
        removed = board.get("removed") if isinstance(board, Mapping) else None
        session = collection.remove_target(session or opening_session(), removed)
        found = callbacks.answers_now(session, answers or Answers(), canvas, exhaustive)
        return session, *_results(session, found, threshold, view.preview_words(session, found))

    def save_mask(
        self,
        session: Session | None,
        canvas: object,
        exhaustive: bool,
        board: object,
        threshold: float,
    ) -> str:
        """Write the visible target's mask."""
        session = session or opening_session()
        path = downloads.save_mask(
            self._get_predictor(), session, canvas, exhaustive, threshold, _shown(board)
        )
        return str(path)

    def save_all(
        self,
        session: Session | None,
        canvas: object,
        exhaustive: bool,
        board: object,
        threshold: float,
    ) -> str:
        """Write everything into one file."""
        session = session or opening_session()
        return str(
            downloads.save_archive(self._get_predictor(), session, canvas, exhaustive, threshold)
        )


def connect(app: gr.Blocks, page: Page, get_predictor: PredictorFactory) -> None:
    """Connect the page's events."""
    on = Handlers(get_predictor)
    results = [page.answers, page.board, page.status]
    asked = [
        page.session, page.answers, page.canvas, page.exhaustive, page.board, page.threshold
    ]  # fmt: skip
    kept = [page.session, page.answers, page.threshold]
    buttons = [page.find, page.stop]
    get_ready = in_plain_words(on.get_ready)
    seen = [page.session, page.board]
    idle: dict[str, Any] = {"queue": False, **QUIET}

    app.load(new_session, None, page.session, **idle).then(
        get_ready, seen, None, **ON_MODEL, **QUIET
    )
    search = page.find.click(
        in_plain_words(on.show_findings),
        asked,
        [*results, *buttons],
        trigger_mode="once",
        **ON_MODEL,
        **QUIET,
    )
    search.then(_idle_buttons, None, buttons, **idle)
    search.then(on.repaint, kept, page.board, **QUIET)
    page.stop.click(
        lambda: (*_idle_buttons(), status_line("Stopped.")),
        None,
        [*buttons, page.status],
        cancels=[search],
        **idle,
    ).then(on.repaint, kept, page.board, **QUIET)

    for stroke in (page.canvas.stroke, page.exhaustive.input):
        stroke(_idle_buttons, None, buttons, cancels=[search], **idle)
        stroke(
            in_plain_words(on.show_live),
            asked,
            results,
            trigger_mode="always_last",
            **ON_MODEL,
            **QUIET,
        )
    page.threshold.input(on.repaint, kept, page.board, trigger_mode="always_last", **QUIET)

    page.board.pick(get_ready, seen, None, trigger_mode="always_last", **ON_MODEL, **QUIET)
    page.board.remove(
        on.remove_target, asked, [page.session, *results], cancels=[search], **QUIET
    ).then(_idle_buttons, None, buttons, **idle)
    page.choose.upload(
        in_plain_words(on.choose_reference),
        [page.session, page.choose, page.threshold],
        [page.session, page.canvas, *results],
        cancels=[search],
        **QUIET,
    ).then(_idle_buttons, None, buttons, **idle).then(get_ready, seen, None, **ON_MODEL, **QUIET)
    page.add.upload(
        in_plain_words(on.add_targets),
        [*asked[:4], page.add, page.threshold],
        [page.session, *results],
        cancels=[search],
        **QUIET,
    ).then(_idle_buttons, None, buttons, **idle).then(get_ready, seen, None, **ON_MODEL, **QUIET)

    for button, save in ((page.save_mask, on.save_mask), (page.save_all, on.save_all)):
        button.click(
            in_plain_words(save),
            [page.session, *asked[2:]],
            page.download,
            trigger_mode="once",
            **ON_MODEL,
            **(QUIET | {"show_progress": "minimal"}),
        ).success(None, js=_SAVE_FILE, **QUIET)


def _results(session: Session, answers: Answers, threshold: float, words: str) -> Updates:
    """Return the updates of the answers, the board and the status line."""
    return answers, gr.HTML(tiles=view.tiles(session, answers, threshold)), status_line(words)


def _for_visitors(sentence: str) -> str:
    """Return a sentence as HTML, without the folders of this computer."""
    return html.escape(without_folders(sentence, get_upload_folder()), quote=False)


def _shown(board: object) -> object:
    return board.get("shown") if isinstance(board, Mapping) else None


def _busy_buttons() -> Updates:
    return gr.Button(interactive=False), gr.Button(visible=True)


def _idle_buttons() -> Updates:
    return gr.Button(interactive=True), gr.Button(visible=False)
