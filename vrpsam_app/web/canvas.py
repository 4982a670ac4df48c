"""The canvas a person marks on, as a Gradio component that gives vector marks in picture pixels.

What goes over the border, all of it JSON.

Pictures, from Python: ``[{"id", "name", "src", "width", "height"}]``, the pictures that carry
marks, in the order of the thumbnails. `src` is a data URL of a version small enough to send;
`width` and `height` are those of the original, and all coordinates are in its pixels, (x, y). A
callback returns ``gr.update(pictures=[...])`` to add or take out some: marks on those that stay are
kept, marks on those that are gone are dropped, and the first new one is shown.

Given marks, from Python: ``{"serial", "replace", "shown", "references"}``. `references` has the
form of the value below. A `serial` that is new to the page makes it take them: added to what is
there as one step that can be undone, or with ``replace`` true in the place of everything. `shown`
is the id of the picture to turn to, or None. A callback returns ``gr.update(given={...})``, alone
or together with `pictures`; a mask file, a library, a project and "use as example" arrive like
this.

Value, from the browser: ``{"shown", "label", "references", "about"}``.

- `references`: ``[{"image", "label", "exhaustive", "marks"}]``, one for each picture and class with
  at least one mark; `image` is the id of a picture, `label` the name of the class, `exhaustive`
  whether everything of this class in this picture is marked. Classes come in the order in which
  they were made, so the first label is the class that was there first. A reference whose marks are
  all negative is one that says "not this".
- `marks`: the JSON form of :mod:`vrpsam_app.annotations`: ``point``, ``box``, ``scribble`` (`width`
  in pixels) and ``mask`` (`png`: base64 of a PNG of the picture's size, one bit a pixel, without
  the data-URL prefix). And ``{"type": "kept", "key", "positive"}``: pixels that stayed on the
  server under `key`. Given by Python with two fields more, `name` for the list of marks and `png`
  (data URL of a mask of the picture's shape, any size) to draw it by; the browser sends neither
  back.
- `shown`, `label`: the picture and the class that are being worked on.
- `about`: the id of the picture that the event ``remove_reference`` is about, else None.

Events: ``stroke``, marks, labels or `exhaustive` changed and the hand has rested;
``remove_reference``, the cross of a thumbnail was pressed; ``bring_back``, a step back from before
the first mark: the pictures are wanted whose place others have taken. If they come, the canvas has
their marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from vrpsam_app.overlays import NEGATIVE_COLOR, PALETTE
from vrpsam_app.web.page_files import read_page_files

_SCRIPTS = (
    "png_pixels.js",
    "painted_masks.js",
    "mark_shapes.js",
    "zoom_stage.js",
    "pause.js",
    "dropped_pictures.js",
    "mark_history.js",
    "marking_tools.js",
    "mark_list.js",
    "reference_strip.js",
    "canvas_keys.js",
    "canvas.js",
)


# A function and not a subclass of gr.HTML: for those Gradio writes stubs beside the source.
def marking_canvas(
    pictures: Sequence[Mapping[str, Any]],
    given: Mapping[str, Any],
    *,
    upload_selector: str,
    presses: Mapping[str, str],
    elem_id: str,
) -> gr.HTML:
    """Return a component that shows pictures, one of them large, and the marks on them.

    Parameters
    ----------
    pictures, given
        What it opens with, as the module describes.
    upload_selector
        CSS selector of the file input that receives what is dropped or pasted on the canvas.
    presses
        CSS selectors of the buttons that its own ``add``, ``mask``, ``load`` and ``save`` press.
    """
    return gr.HTML(
        value=opening_value(given),
        html_template=read_page_files("canvas.html"),
        js_on_load=read_page_files(*_SCRIPTS),
        apply_default_css=False,
        elem_id=elem_id,
        pictures=list(pictures),
        given=dict(given),
        palette=class_colours(),
        upload_selector=upload_selector,
        presses=dict(presses),
    )


def opening_value(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the canvas' value while nobody has touched it."""
    references = [dict(reference) for reference in given["references"]]
    label = references[0]["label"] if references else "object"
    return {"shown": given["shown"], "label": label, "references": references, "about": None}


def class_colours() -> list[str]:
    """Return the colours of classes in their order, as CSS; the one for "not this" is left out."""
    return ["#{:02x}{:02x}{:02x}".format(*c) for c in PALETTE if c != NEGATIVE_COLOR]
