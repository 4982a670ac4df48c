"""The searched pictures and what was found in them, as a Gradio component.

What goes over the border, all of it JSON.

Pictures, from Python: ``[{"id", "name", "src", "width", "height"}]``, as for the canvas.

Answers, from Python: ``[{"id", "state", "note", "fixed", "classes"}]``, one for each picture of
which there is something to say; pictures without one wait. A callback returns
``gr.update(answers=[...])``, or ``gr.update(pictures=[...], answers=[...])``. `state` is
``searching``, ``done`` or ``failed``; `note` is a sentence for a person, or empty. `fixed`,
optional: the masks are the same at every threshold, whose slider rests while there are such
answers. `classes`: ``[{"label", "score", "presence", "present", "levels", "speck"}]`` in the order
in which they were asked for, empty unless the state is ``done``. `speck`, optional: pieces of fewer
pixels of the original are drawn but not counted, as
:class:`~vrpsam_app.objects.instances.ObjectOptions` counts by itself. `levels` is a data URL of an
8-bit grey PNG, a whole fraction of the picture's size or as large as `src`: each pixel is the
number of steps k / 100, k = 1 to 99, that lie below its probability, so the mask at step k is
``levels >= k`` exactly. It is sent once: the browser cuts, filters, counts and paints. A picture
whose answer goes away without a new one keeps its last result, pale, as one that is out of date.

Given, from Python: ``{"serial", "shown", "threshold", "min_area", "decisions", "corrections"}``,
all but the serial optional: a new serial makes the board take what is there in the place of its
own, decisions together with all the rest but `shown`. For projects, and a page that is loaded
again.

Value, from the browser: ``{"shown", "threshold", "min_area", "label", "decisions", "corrections",
"about"}``.

- `shown`: the id of the large picture, or None. `about`: the id that the last event is about.
- `threshold`: 0.01 to 0.99. `min_area`: connected pieces of fewer pixels of the original are left
  out.
- `label`: the class that corrections go to.
- `decisions`: id -> ``accept``, ``fix`` or ``reject``; pictures that were not decided are not
  there, nor are accepted ones whose result became another.
- `corrections`: id -> label -> marks on that target, in pixels of the original, in the JSON form of
  :mod:`vrpsam_app.annotations` (points and at most one positive box). Empty ones are not there, nor
  are those of classes that the canvas has no more; they follow a class that is called another name.

Events: ``pick``, another picture was made large; ``remove``, `about` was taken out; ``correct``,
the corrections of `about` changed and the hand has rested; ``reuse``, the result of `about` is to
become a reference. Of the sliders and of decisions nobody is told: the value has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from vrpsam_app.web.canvas import class_colours
from vrpsam_app.web.page_files import read_page_files

DEFAULT_THRESHOLD = 0.5

_SCRIPTS = (
    "png_pixels.js",
    "mark_shapes.js",
    "zoom_stage.js",
    "pause.js",
    "dropped_pictures.js",
    "board_state.js",
    "result_painting.js",
    "corrections.js",
    "correction_keys.js",
    "decisions.js",
    "board_strip.js",
    "board_controls.js",
    "board.js",
)


def result_board(
    pictures: Sequence[Mapping[str, Any]],
    *,
    upload_selector: str,
    find_selector: str,
    status_selector: str,
    saves: Mapping[str, str],
    elem_id: str,
) -> gr.HTML:
    """Return a component that shows one picture large and all of them small below it.

    Parameters
    ----------
    pictures
        What it opens with, as the module describes.
    upload_selector
        CSS selector of the file input that receives what is dropped or pasted on the board.
    find_selector
        CSS selector of the button that asks for results: where the board is out of sight, as on a
        phone, pressing it brings the board there.
    status_selector
        CSS selector of the line that may hold an element with ``data-found``: a link to the result
        that is shown, which the board puts into words.
    saves
        CSS selectors of the buttons that save what is ``shown`` and ``all``: they rest until there
        is an answer.
    """
    return gr.HTML(
        value=opening_value(pictures),
        html_template=read_page_files("board.html"),
        js_on_load=read_page_files(*_SCRIPTS),
        apply_default_css=False,
        elem_id=elem_id,
        pictures=list(pictures),
        answers=[],
        given={"serial": ""},
        palette=class_colours(),
        upload_selector=upload_selector,
        find_selector=find_selector,
        status_selector=status_selector,
        saves=dict(saves),
    )


def opening_value(pictures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the board's value while nobody has touched it."""
    return {
        "shown": pictures[0]["id"] if pictures else None,
        "threshold": DEFAULT_THRESHOLD,
        "min_area": 0,
        "label": None,
        "decisions": {},
        "corrections": {},
        "about": None,
    }
