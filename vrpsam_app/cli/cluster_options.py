"""Options that hand the work to several processes or machines, the same for all commands."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from vrpsam_app.stack_runs.cluster import Client


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers`` and ``--scheduler``."""
    cluster = parser.add_argument_group("several workers")
    cluster.add_argument("--workers", type=int, metavar="N", help="use N processes of this machine")
    cluster.add_argument(
        "--scheduler", metavar="ADDRESS", help="use a dask cluster, such as tcp://10.0.0.5:8786"
    )


def connection(options: argparse.Namespace) -> AbstractContextManager[Client | None]:
    """Return the cluster that was asked for, None if the work is done here."""
    if options.workers is None and options.scheduler is None:
        return nullcontext()
    from vrpsam_app.stack_runs.cluster import connect

    return connect(options.scheduler, options.workers)
