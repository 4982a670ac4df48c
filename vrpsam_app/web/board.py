"""The searched pictures and what was found in them, as a Gradio component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import gradio as gr

from vrpsam_app.web.page_files import read_page_files


def result_board(
    tiles: Sequence[Mapping[str, str]], *, upload_selector: str, elem_id: str
) -> gr.HTML:
    """Return a component that shows one picture large and all of them small below it.

    Its value is ``{"shown": id, "removed": id or None}``. Events: ``pick``, another picture was
    made large; ``remove``, one was taken out.

    Parameters
    ----------
    tiles
        ``{"id", "name", "src", "state", "badge", "caption", "detail"}`` for each picture; `state`
        is ``waiting``, ``searching``, ``found`` or ``absent``, `src` a data URL. A callback returns
        ``gr.HTML(tiles=...)`` to show others.
    upload_selector
        CSS selector of the file input that receives what is dropped or pasted on the board.
    """
    return gr.HTML(
        value={"shown": tiles[0]["id"] if tiles else None, "removed": None},
        html_template=read_page_files("board.html"),
        js_on_load=read_page_files("board.js", "dropped_pictures.js"),
        apply_default_css=False,
        elem_id=elem_id,
        tiles=list(tiles),
        upload_selector=upload_selector,
    )
