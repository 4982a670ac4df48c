"""The searched pictures and what was found in them, as a Gradio component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

_HERE = Path(__file__).parent


class ResultBoard(gr.HTML):
    """One picture large, all of them small below it.

    The value is ``{"shown": id, "removed": id or None}``. Events: ``pick``, another picture was
    made large; ``remove``, one was taken out.

    Parameters
    ----------
    tiles
        ``{"id", "name", "src", "state", "badge", "caption", "detail"}`` for each picture; `state` is
        ``waiting``, ``searching``, ``found`` or ``absent``, `src` a data URL. Return
        ``gr.HTML(tiles=...)`` from a callback to show others.
    upload_selector
        CSS selector of the file input that receives what is dropped or pasted on the board.
    """

    # No parameters of its own, for the reason that stands in MarkingCanvas.
    def __init__(self, **kwargs: Any) -> None:
        tiles: Sequence[Mapping[str, Any]] = kwargs["tiles"]
        kwargs.setdefault("value", {"shown": tiles[0]["id"] if tiles else None, "removed": None})
        kwargs.update(
            html_template=(_HERE / "board.html").read_text(encoding="utf-8"),
            js_on_load=(_HERE / "board.js").read_text(encoding="utf-8"),
            apply_default_css=False,
        )
        super().__init__(**kwargs)

    def api_info(self) -> dict[str, Any]:
        """Describe the value to clients of the API."""
        return {"type": "object", "description": "which picture is shown"}
