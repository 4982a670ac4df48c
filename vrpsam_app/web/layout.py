"""The page: what stands where. What answers to what is in :mod:`vrpsam_app.web.events`."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from vrpsam_app.web import events, view
from vrpsam_app.web.board import result_board
from vrpsam_app.web.canvas import marking_canvas
from vrpsam_app.web.model import ModelShelf, OnGpu, PredictorFactory, embedded_predictor
from vrpsam_app.web.more_panel import MorePanel, build_more_panel
from vrpsam_app.web.page_files import read_page_files
from vrpsam_app.web.session import Session, opening_session
from vrpsam_app.web.visitor import NewVisitor

MAX_WAITING = 64
OTHER_EVENTS_AT_ONCE = 8
PICTURES = ["image", ".tif", ".tiff"]
PICTURES_AND_MOVIES = [*PICTURES, ".mp4", ".m4v", ".mov", ".avi", ".webm", ".mkv"]

_MASTHEAD = """
<div class="masthead">
  <svg viewBox="0 0 32 32" aria-hidden="true">
    <rect x="1.5" y="1.5" width="29" height="29" rx="8"/>
    <circle cx="11.5" cy="12" r="5"/><circle cx="21" cy="20.5" r="5" class="found"/>
  </svg>
  <h1>VRP-SAM</h1>
  <p>Mark one. Find every one like it.</p>
  <button type="button">Begin again</button>
</div>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """The components that events connect.

    No event but that of a page that comes back returns the visitor: events change it, so that none
    undoes what another has done. `visit` holds the token by which a page comes back.

    `choose` takes reference pictures in the place of the example, `choose_beside` beside what is
    there, `mask_file` a mask for the one that is shown, `load_library` saved references; `add` and
    `add_folder` take targets. `download` is filled by the server and pressed by the page.
    """

    visitor: gr.State
    visit: gr.HTML
    canvas: gr.HTML
    choose: gr.UploadButton
    choose_beside: gr.UploadButton
    mask_file: gr.UploadButton
    load_library: gr.UploadButton
    save_library: gr.Button
    find: gr.Button
    stop: gr.Button
    status: gr.HTML
    board: gr.HTML
    add: gr.UploadButton
    add_folder: gr.UploadButton
    save_mask: gr.Button
    save_all: gr.Button
    download: gr.DownloadButton
    more: MorePanel


def build_app(
    predictor_factory: PredictorFactory = embedded_predictor, on_gpu: OnGpu | None = None
) -> gr.Blocks:
    """Put the page together; the model is made when it is first needed.

    Parameters
    ----------
    predictor_factory
        Gives the one predictor that all visitors share while they choose no other.
    on_gpu
        Lends a graphics card to a function while it runs, as the ``spaces`` package does.
    """
    shelf = ModelShelf(predictor_factory, on_gpu)
    with gr.Blocks(
        title="VRP-SAM", analytics_enabled=False, delete_cache=(300, 900), fill_width=True
    ) as app:
        page = _build_page()
        events.connect(app, page, shelf)
        events.serve_endpoint(shelf)
    app.queue(max_size=MAX_WAITING, default_concurrency_limit=OTHER_EVENTS_AT_ONCE)
    return app


def _build_page() -> Page:
    opening = opening_session()
    visitor = gr.State(None)
    visitor.value = NewVisitor()  # as an argument it would be copied now, once for all
    visit = gr.HTML(
        "",
        html_template=_MASTHEAD,
        js_on_load=read_page_files("visit.js"),
        apply_default_css=False,
    )
    with gr.Row(elem_id="desk"):
        with gr.Column(scale=5, min_width=320, elem_classes="card"):
            with gr.Row(elem_classes="card-head"):
                gr.HTML("<h2><b>1</b>Mark one</h2>", apply_default_css=False)
                choose = gr.UploadButton(
                    "Use my picture",
                    file_types=PICTURES,
                    file_count="multiple",
                    size="sm",
                    elem_id="choose-reference",
                )
            canvas = _canvas(opening)
            with gr.Row(elem_classes="go"):
                find = gr.Button("Find", variant="primary", elem_id="find")
                stop = gr.Button("Stop", elem_id="stop", visible=False)
            status = gr.HTML(
                events.status_line(view.READY), elem_id="status", apply_default_css=False
            )
        with gr.Column(scale=7, min_width=320, elem_classes="card"):
            with gr.Row(elem_classes="card-head"):
                gr.HTML("<h2><b>2</b>See every one like it</h2>", apply_default_css=False)
                with gr.Row(elem_classes="card-buttons"):
                    add = gr.UploadButton(
                        "Add pictures",
                        file_types=PICTURES_AND_MOVIES,
                        file_count="multiple",
                        size="sm",
                        elem_id="add-targets",
                    )
                    add_folder = gr.UploadButton(
                        "Add folder", file_count="directory", size="sm", elem_id="add-folder"
                    )
            board = result_board(
                view.board_pictures(opening),
                upload_selector="input:has(+ #add-targets)",
                find_selector="#find",
                status_selector="#status",
                saves={"shown": "#save-mask", "all": "#save-all"},
                elem_id="board",
            )
            with gr.Row(elem_classes="board-foot"):
                save_mask = gr.Button(
                    "Save this mask", size="sm", elem_id="save-mask", interactive=False
                )
                save_all = gr.Button(
                    "Save everything", size="sm", elem_id="save-all", interactive=False
                )
    more = build_more_panel()
    with gr.Row(elem_id="backstage"):
        choose_beside = gr.UploadButton(
            "Mark in another picture as well",
            file_types=PICTURES,
            file_count="multiple",
            size="sm",
            elem_id="choose-beside",
        )
        mask_file = gr.UploadButton(
            "Load a mask", file_types=PICTURES, size="sm", elem_id="load-mask"
        )
        load_library = gr.UploadButton(
            "Load references", file_types=[".zip"], size="sm", elem_id="load-library"
        )
        save_library = gr.Button("Save references", size="sm", elem_id="save-library")
        download = gr.DownloadButton(elem_id="download")
    return Page(
        visitor=visitor,
        visit=visit,
        canvas=canvas,
        choose=choose,
        choose_beside=choose_beside,
        mask_file=mask_file,
        load_library=load_library,
        save_library=save_library,
        find=find,
        stop=stop,
        status=status,
        board=board,
        add=add,
        add_folder=add_folder,
        save_mask=save_mask,
        save_all=save_all,
        download=download,
        more=more,
    )


def _canvas(opening: Session) -> gr.HTML:
    """Return the canvas, whose own buttons press those that nobody sees."""
    return marking_canvas(
        view.canvas_pictures(opening),
        view.canvas_given(opening),
        upload_selector="input:has(+ #choose-reference)",
        presses={
            "add": "#choose-beside",
            "mask": "#load-mask",
            "load": "#load-library",
            "save": "#save-library",
        },
        elem_id="canvas",
    )
