"""Components that an answer has replaced, let go: Gradio keeps all while a page is open.

An update makes a new component with a number of its own. When the component is next asked for its
value, Gradio (6.31) files it under that number too, where nothing ever looks for it again: a whole
answer, with its pictures, for every answer that a visitor was given.
"""

from __future__ import annotations

from gradio.context import LocalContext

KEPT = 4
"""Newest ones of each page, which an event that has just begun may be about to look at."""


def forget_replaced() -> int:
    """Let go of the components that answers on all open pages have replaced.

    Called from within an event, where Gradio says which app it belongs to.

    Returns
    -------
    forgotten : int
    """
    app = LocalContext.blocks.get(None)
    holder = getattr(app, "state_holder", None)
    if app is None or holder is None:
        return 0
    own = app.blocks.keys()
    forgotten = 0
    for session in list(holder.session_data.values()):
        filed = session.blocks_config.blocks
        for number in sorted(filed.keys() - own)[:-KEPT]:
            filed.pop(number, None)
            session.config_values.pop(number, None)
            forgotten += 1
    return forgotten
