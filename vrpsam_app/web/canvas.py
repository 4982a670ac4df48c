"""The canvas a person marks on, as a Gradio component that gives vector marks in picture pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

_HERE = Path(__file__).parent


class MarkingCanvas(gr.HTML):
    """One picture and the marks on it.

    The value is ``{"image": id, "marks": [...]}``: the marks are in the JSON form of
    :mod:`vrpsam_app.annotations`, the id is the one given with the picture, so that a late answer
    of the page is never applied to another picture. Event ``stroke``: a mark was added, removed or
    undone, and the hand has rested.

    Parameters
    ----------
    picture
        ``{"id", "src", "width", "height", "marks"}``: `src` is a data URL of a version small enough
        to send, `width` and `height` are of the original, `marks` are shown from the start. Return
        ``gr.HTML(picture=...)`` from a callback to show another one.
    upload_selector
        CSS selector of the file input that receives what is dropped or pasted on the canvas.
    """

    # Parameters of one's own would stand in the page twice: gr.HTML takes all it does not know as
    # properties of the page, and Gradio adds what the signature names.
    def __init__(self, **kwargs: Any) -> None:
        picture: Mapping[str, Any] = kwargs["picture"]
        kwargs.setdefault("value", {"image": picture["id"], "marks": picture["marks"]})
        kwargs.update(
            html_template=(_HERE / "canvas.html").read_text(encoding="utf-8"),
            js_on_load=(_HERE / "canvas.js").read_text(encoding="utf-8"),
            apply_default_css=False,
        )
        super().__init__(**kwargs)

    def api_info(self) -> dict[str, Any]:
        """Describe the value to clients of the API."""
        return {"type": "object", "description": "image id and marks in picture pixels"}
