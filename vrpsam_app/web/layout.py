"""The page: what stands where. What answers to what is in :mod:`vrpsam_app.web.events`."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from vrpsam_app.web import events, view
from vrpsam_app.web.board import result_board
from vrpsam_app.web.canvas import marking_canvas
from vrpsam_app.web.model import PredictorFactory, embedded_predictor
from vrpsam_app.web.session import THRESHOLD_STEPS, Answers, close_session, opening_session

MAX_WAITING = 64
OTHER_EVENTS_AT_ONCE = 8
DEFAULT_THRESHOLD = 0.5

_MASTHEAD = """
<div class="masthead">
  <svg viewBox="0 0 32 32" aria-hidden="true">
    <rect x="1.5" y="1.5" width="29" height="29" rx="8"/>
    <circle cx="11.5" cy="12" r="5"/><circle cx="21" cy="20.5" r="5" class="found"/>
  </svg>
  <h1>VRP-SAM</h1>
  <p>Mark one. Find every one like it.</p>
</div>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """The components that events connect."""

    session: gr.State
    answers: gr.State
    canvas: gr.HTML
    exhaustive: gr.Checkbox
    choose: gr.UploadButton
    find: gr.Button
    stop: gr.Button
    status: gr.HTML
    board: gr.HTML
    add: gr.UploadButton
    threshold: gr.Slider
    save_mask: gr.Button
    save_all: gr.Button
    download: gr.DownloadButton


def build_app(predictor_factory: PredictorFactory = embedded_predictor) -> gr.Blocks:
    """Put the page together; the model is made when it is first needed.

    Parameters
    ----------
    predictor_factory
        Gives the one predictor that all visitors share; it is called at every use, so it has to
        give the same one each time.
    """
    with gr.Blocks(
        title="VRP-SAM", analytics_enabled=False, delete_cache=(1800, 3600), fill_width=True
    ) as app:
        page = _build_page()
        events.connect(app, page, predictor_factory)
        events.serve_endpoint(predictor_factory)
    app.queue(max_size=MAX_WAITING, default_concurrency_limit=OTHER_EVENTS_AT_ONCE)
    return app


def _build_page() -> Page:
    opening = opening_session()
    session = gr.State(None, delete_callback=close_session)
    answers = gr.State(None)
    gr.HTML(_MASTHEAD, apply_default_css=False)
    with gr.Row(elem_id="desk"):
        with gr.Column(scale=5, min_width=320, elem_classes="card"):
            with gr.Row(elem_classes="card-head"):
                gr.HTML("<h2><b>1</b>Mark one</h2>", apply_default_css=False)
                choose = gr.UploadButton(
                    "Use my picture", file_types=["image"], size="sm", elem_id="choose-reference"
                )
            canvas = marking_canvas(
                view.canvas_picture(opening),
                upload_selector="input:has(+ #choose-reference)",
                elem_id="canvas",
            )
            exhaustive = gr.Checkbox(
                False,
                label="Everything of this kind is marked",
                info="Tick it only if nothing like it was left unmarked in this picture.",
                elem_id="exhaustive",
            )
            with gr.Row(elem_classes="go"):
                find = gr.Button("Find", variant="primary", elem_id="find")
                stop = gr.Button("Stop", elem_id="stop", visible=False)
            status = gr.HTML(
                events.status_line(view.READY), elem_id="status", apply_default_css=False
            )
        with gr.Column(scale=7, min_width=320, elem_classes="card"):
            with gr.Row(elem_classes="card-head"):
                gr.HTML("<h2><b>2</b>See every one like it</h2>", apply_default_css=False)
                add = gr.UploadButton(
                    "Add pictures",
                    file_types=["image"],
                    file_count="multiple",
                    size="sm",
                    elem_id="add-targets",
                )
            board = result_board(
                view.tiles(opening, Answers(), DEFAULT_THRESHOLD),
                upload_selector="input:has(+ #add-targets)",
                elem_id="board",
            )
            with gr.Row(elem_classes="board-foot"):
                threshold = gr.Slider(
                    1 / THRESHOLD_STEPS,
                    1 - 1 / THRESHOLD_STEPS,
                    DEFAULT_THRESHOLD,
                    step=1 / THRESHOLD_STEPS,
                    label="How sure it must be",
                    elem_id="threshold",
                    buttons=[],
                )
                save_mask = gr.Button("Save this mask", size="sm", elem_id="save-mask")
                save_all = gr.Button("Save everything", size="sm", elem_id="save-all")
            download = gr.DownloadButton(elem_id="download", visible="hidden")
    return Page(
        session=session,
        answers=answers,
        canvas=canvas,
        exhaustive=exhaustive,
        choose=choose,
        find=find,
        stop=stop,
        status=status,
        board=board,
        add=add,
        threshold=threshold,
        save_mask=save_mask,
        save_all=save_all,
        download=download,
    )
