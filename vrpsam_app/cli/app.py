"""``vrpsam app``: open the web app in a browser."""

from __future__ import annotations

import argparse

from vrpsam_app.errors import ConfigError


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "app",
        help="open the web app",
        description="Serve the web app on this computer, until Ctrl-C. Nothing leaves it.",
    )
    parser.add_argument(
        "--port", type=_port, help="where to listen (default: the first free one from 7860)"
    )
    parser.add_argument(
        "--host",
        help="address to listen on; 0.0.0.0 lets other computers in (default: this computer only)",
    )
    parser.add_argument(
        "--max-megapixels",
        type=float,
        metavar="N",
        help="reduce larger pictures when they are brought (default: 100)",
    )
    parser.add_argument("--open", action="store_true", help="show the page in the browser at once")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from vrpsam_app.web.launch import launch_app

    try:
        launch_app(
            options.host,
            options.port,
            max_megapixels=options.max_megapixels,
            open_browser=options.open,
        )
    except OSError as error:
        where = f"port {options.port}" if options.port else "any port from 7860"
        raise ConfigError(
            f"The web app cannot listen on {where} of {options.host or 'this computer'}: it is in "
            "use, or not ours to use. Choose another --port or --host."
        ) from error
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 1 to 65535")
    return int(text)
