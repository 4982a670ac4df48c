"""The web app: mark an object in the browser, see every one like it in other pictures.

``launch`` serves it; ``layout`` says what stands where (``canvas``, ``board``, ``theme``),
``events`` what answers to what; ``endpoint`` is for programs. These know gradio. What happens is
in functions of plain values that do not: ``callbacks`` asks the model, ``collection`` holds the
pictures, ``downloads`` writes results, ``view`` says what to show, ``session`` is what one visitor
has on the page.
"""
