"""Starting the web app: the one door for the Space, the command line and ``make demo``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vrpsam_app.errors import MissingExtraError
from vrpsam_app.web.allocator import share_one_heap, use_small_pages
from vrpsam_app.web.limits import MEGAPIXELS_VARIABLE, limits, on_space

if TYPE_CHECKING:
    import gradio as gr

    from vrpsam_app.web.model import OnGpu, PredictorFactory

# Of one file that is sent: movies and stacks are large, strangers' ones less so.
MAX_FILE_SIZE = "2gb"
MAX_FILE_SIZE_ON_SPACE = "200mb"
# Visitors whose pages are remembered; the one who was away for longest is forgotten.
MOST_VISITORS = 500
# Events of which Gradio keeps a record; all that run or wait at once are fewer.
MAX_RECORDS = 200
FAVICON = Path(__file__).with_name("favicon.svg")


def launch_app(
    host: str | None = None,
    port: int | None = None,
    *,
    predictor_factory: PredictorFactory | None = None,
    max_megapixels: float | None = None,
    on_gpu: OnGpu | None = None,
    open_browser: bool = False,
    block: bool = True,
    quiet: bool = False,
) -> gr.Blocks:
    """Serve the web app.

    Parameters
    ----------
    host
        Address to listen on; None leaves it to ``GRADIO_SERVER_NAME``, else this computer only.
    port
        None leaves it to ``GRADIO_SERVER_PORT``, else the first free one from 7860.
    predictor_factory
        Gives the predictor; None takes the embedded model.
    max_megapixels
        Of a picture; larger ones are reduced when they are brought. None leaves it to
        ``VRPSAM_WEB_MAX_MEGAPIXELS``, else 100.
    on_gpu
        Lends a graphics card to a function while it runs, as ``spaces.GPU`` does.
    open_browser
        Whether to show the page at once.
    block
        Whether to return only when the server stops.
    quiet
        Whether to print nothing.

    Raises
    ------
    MissingExtraError
        If gradio is not installed.
    ConfigError
        If the limit makes no sense.
    """
    # Before gradio is imported: nothing about visitors or this computer is reported to anyone.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if max_megapixels is not None:
        os.environ[MEGAPIXELS_VARIABLE] = f"{max_megapixels:g}"
    # It keeps 10,000 records for a page of statistics that nobody can open here.
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", str(MAX_RECORDS))
    limits()
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            'The web app needs gradio, which is not installed. Run: pip install "vrpsam-app[web]".'
        ) from error
    from vrpsam_app.web.layout import build_app
    from vrpsam_app.web.model import embedded_predictor

    share_one_heap()
    use_small_pages()
    if block:
        _end_in_order()
    app = build_app(predictor_factory or embedded_predictor, on_gpu)
    if predictor_factory is None:
        # While the page is looked at, so that the first stroke is answered at once.
        threading.Thread(target=embedded_predictor, daemon=True).start()
    app.launch(
        server_name=host,
        server_port=port,
        inbrowser=open_browser,
        prevent_thread_lock=True,
        quiet=True,  # gradio would say how to let the whole world in
        **page_options(),
    )
    if not quiet:
        print(f"The web app: {app.local_url} (Ctrl-C ends it)", flush=True)
    if block:
        app.block_thread()
    return app


def _end_in_order() -> None:
    """Let a polite end of the process remove visitors' files, as Ctrl-C does."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def page_options() -> dict[str, Any]:
    """Return how the app is served: nothing is shared, recorded, monitored or fetched."""
    from vrpsam_app.web.theme import page_css, page_theme

    return {
        "theme": page_theme(),
        "css": page_css(),
        "favicon_path": FAVICON,
        "share": False,
        "ssr_mode": False,
        "run_history": False,
        "enable_monitoring": False,
        "pwa": False,
        "show_error": False,
        "max_file_size": MAX_FILE_SIZE_ON_SPACE if on_space() else MAX_FILE_SIZE,
        "state_session_capacity": MOST_VISITORS,
        "footer_links": ["api"],
    }
