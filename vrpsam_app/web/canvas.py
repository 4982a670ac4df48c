"""The canvas a person marks on, as a Gradio component that gives vector marks in picture pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from vrpsam_app.web.page_files import read_page_files


# A function and not a subclass of gr.HTML: for those Gradio writes stubs beside the source.
def marking_canvas(picture: Mapping[str, Any], *, upload_selector: str, elem_id: str) -> gr.HTML:
    """Return a component that shows one picture and the marks on it.

    Its value is ``{"image": id, "marks": [...]}``: the marks are in the JSON form of
    :mod:`vrpsam_app.annotations`, the id is the one given with the picture, so that a late answer
    of the page is never applied to another picture. Event ``stroke``: a mark was added, removed or
    undone, and the hand has rested.

    Parameters
    ----------
    picture
        ``{"id", "src", "width", "height", "marks"}``: `src` is a data URL of a version small enough
        to send, `width` and `height` are of the original, `marks` are shown from the start. A
        callback returns ``gr.HTML(picture=...)`` to show another one.
    upload_selector
        CSS selector of the file input that receives what is dropped or pasted on the canvas.
    """
    return gr.HTML(
        value={"image": picture["id"], "marks": picture["marks"]},
        html_template=read_page_files("canvas.html"),
        js_on_load=read_page_files("canvas.js", "mark_shapes.js", "dropped_pictures.js"),
        apply_default_css=False,
        elem_id=elem_id,
        picture=picture,
        upload_selector=upload_selector,
    )
