"""The web app: mark an object in the browser, see every one like it in other pictures.

``layout`` puts the page together and is, with ``canvas``, ``board``, ``theme`` and ``launch``, the only
place that knows gradio. ``callbacks`` holds what happens, as functions of plain values; ``session`` what
one visitor has on the page; ``pictures`` reads files; ``painting`` draws what the page shows.
"""
