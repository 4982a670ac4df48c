"""What answers to what on the page: events in, updates of components out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from vrpsam_app.web.coming_back import start_visit
from vrpsam_app.web.endpoint import DESCRIPTION, info_endpoint, segment_endpoint
from vrpsam_app.web.handlers import (
    Handlers,
    idle_buttons,
    stop_search,
    stop_work,
    told,
    told_chosen,
    told_found,
    told_saved,
)
from vrpsam_app.web.model import ModelShelf
from vrpsam_app.web.more_events import QUIET, connect_more
from vrpsam_app.web.page_files import read_page_files
from vrpsam_app.web.plain_words import in_plain_words, status_line
from vrpsam_app.web.visits import visits

if TYPE_CHECKING:
    from vrpsam_app.web.layout import Page

__all__ = ["connect", "serve_endpoint", "status_line"]

# People who may be answered side by side; in front of the model they stand in a line of ours.
AT_ONCE = 32
ON_MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": AT_ONCE}
IDLE: dict[str, Any] = {"queue": False, **QUIET}

# The answer takes its place; what has no positive mark is answered at once.
LOOKING = """(canvas, status) =>
  canvas.references.some(({ marks }) => marks.some(({ positive }) => positive !== false))
    ? '<p role="status">Looking …</p>'
    : status"""

# The button is invisible and filled by the server; the browser then saves what it holds.
SAVE_FILE = "() => setTimeout(() => document.querySelector('#download').click(), 100)"


def serve_endpoint(shelf: ModelShelf) -> None:
    """Add the public endpoints to the app that is being built."""
    gr.api(
        in_plain_words(segment_endpoint(shelf)),
        api_name="segment",
        api_description=DESCRIPTION,
        # Clients see their place in gradio's queue, and then stand in our line as everybody does.
        concurrency_id="segment",
        concurrency_limit=1,
    )
    gr.api(
        in_plain_words(info_endpoint(shelf)),
        api_name="info",
        api_description="Version, models, methods and limits of this server.",
        concurrency_limit=4,
    )


def connect(app: gr.Blocks, page: Page, shelf: ModelShelf) -> None:
    """Connect the page's events."""
    on = Handlers(shelf)
    asked = [page.visitor, page.canvas, page.board]
    results = [page.board, page.status]
    buttons = [page.find, page.stop]
    ready = {"fn": in_plain_words(on.get_ready), "inputs": asked, "outputs": None}

    more = page.more
    choice = [more.model, more.other_model, more.about_model, more.method, more.device]
    app.load(
        start_visit,
        [page.visitor, page.visit],
        [page.visitor, page.visit, page.canvas, page.board, page.status, *choice],
        js=read_page_files("come_back.js"),
        **IDLE,
    ).then(**ready, **ON_MODEL, **QUIET)
    app.unload(leave)

    search = page.find.click(
        in_plain_words(on.show_findings, told_found),
        asked,
        [*results, *buttons],
        trigger_mode="once",
        **ON_MODEL,
        **QUIET,
    )
    search.then(idle_buttons, page.visitor, buttons, **IDLE)

    save_mask = page.save_mask.click(
        in_plain_words(on.save_mask), asked, [page.download, page.status],
        trigger_mode="once", **ON_MODEL, **QUIET,
    )  # fmt: skip
    save_all = page.save_all.click(
        in_plain_words(on.save_all, told_saved),
        [*asked, page.more.touching],
        [page.download, page.status, *buttons],
        trigger_mode="once",
        **ON_MODEL,
        **QUIET,
    )
    save_library = page.save_library.click(
        in_plain_words(on.save_library), asked, [page.download, page.status],
        trigger_mode="once", **QUIET,
    )  # fmt: skip
    for saved in (save_mask, save_all, save_library):
        saved.success(None, js=SAVE_FILE, **QUIET)
    save_all.then(idle_buttons, page.visitor, buttons, **IDLE)

    page.stop.click(
        on.stop,
        page.visitor,
        [*buttons, *results],
        cancels=[search, save_all],
        **IDLE,
    )

    for changed in (page.canvas.stroke, page.board.correct):
        changed(None, [page.canvas, page.status], page.status, js=LOOKING, **QUIET)
        changed(stop_work, page.visitor, buttons, cancels=[search], **IDLE)
        changed(
            in_plain_words(on.show_live, told),
            asked,
            results,
            trigger_mode="always_last",
            **ON_MODEL,
            **QUIET,
        )
    page.board.pick(**ready, trigger_mode="always_last", **ON_MODEL, **QUIET)
    page.board.remove(stop_work, page.visitor, buttons, cancels=[search], **IDLE)
    page.board.remove(
        on.remove_target, [page.visitor, page.board], results, trigger_mode="multiple", **QUIET
    )
    page.canvas.bring_back(
        on.bring_back, page.visitor, [page.canvas, page.status], trigger_mode="once", **QUIET
    ).then(**ready, **ON_MODEL, **QUIET)
    page.canvas.remove_reference(
        on.remove_marked, [page.visitor, page.canvas], page.canvas, trigger_mode="multiple", **QUIET
    )
    page.board.reuse(
        in_plain_words(on.reuse),
        asked,
        [page.canvas, page.status],
        trigger_mode="once",
        **ON_MODEL,
        **QUIET,
    )

    for brought in (page.choose, page.choose_beside, page.add, page.add_folder, page.more.project):
        brought.upload(stop_search, page.visitor, buttons, cancels=[search], **IDLE)
    for button, chosen in ((page.choose, on.choose), (page.choose_beside, on.choose_beside)):
        button.upload(
            in_plain_words(chosen, told_chosen),
            [page.visitor, button],
            [page.canvas, *results, *buttons],
            trigger_mode="multiple",
            **QUIET,
        ).then(**ready, **ON_MODEL, **QUIET)
    page.mask_file.upload(
        in_plain_words(on.take_mask),
        [page.visitor, page.canvas, page.mask_file],
        [page.canvas, page.status],
        trigger_mode="multiple",
        **QUIET,
    )
    page.load_library.upload(
        in_plain_words(on.load_library),
        [page.visitor, page.load_library],
        [page.canvas, page.status],
        trigger_mode="multiple",
        **QUIET,
    )
    for add in (page.add, page.add_folder):
        add.upload(
            in_plain_words(on.add_targets, told_found),
            [page.visitor, add],
            [*results, *buttons],
            trigger_mode="multiple",
            **QUIET,
        ).then(**ready, **ON_MODEL, **QUIET)
    connect_more(page, shelf)


def leave(request: gr.Request) -> None:
    """End the visit of a page that was closed."""
    visits.left(request.session_hash)
