"""Options that say where embeddings are kept on disk, the same for all commands."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from vrpsam_app.errors import ConfigError

if TYPE_CHECKING:
    from vrpsam_app.embeddings.store import DiskEmbeddingStore

GIGABYTE = 10**9


def add_store_options(parser: argparse.ArgumentParser, *, default: str) -> None:
    """Add ``--store`` and ``--store-size``.

    Parameters
    ----------
    default : "default" or "off"
    """
    parser.add_argument(
        "--store",
        default=default,
        metavar="FOLDER",
        help="keep embeddings in this folder, so that other references and later runs need not "
        "encode the same images again; default: the user's cache folder, off: nowhere "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--store-size",
        type=_gigabytes,
        metavar="GB",
        help="most that the store takes on disk; the least recently used goes first (default: 10)",
    )


def open_store(options: argparse.Namespace) -> DiskEmbeddingStore | None:
    """Open the store that was asked for, None for "off".

    Raises
    ------
    OutputError
        If its folder cannot be made.
    ConfigError
        If it is off and has a size.
    """
    from vrpsam_app.embeddings.files import DEFAULT_MAX_DISK_BYTES
    from vrpsam_app.embeddings.store import DiskEmbeddingStore

    if options.store == "off":
        if options.store_size is not None:
            raise ConfigError("--store-size goes with a store: leave it out, or name a --store.")
        return None
    folder = None if options.store == "default" else options.store
    return DiskEmbeddingStore(folder, max_disk_bytes=options.store_size or DEFAULT_MAX_DISK_BYTES)


def _gigabytes(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of gigabytes such as 20")
    return round(value * GIGABYTE)
