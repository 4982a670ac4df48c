"""Where weights lie on this computer: downloaded, made here, brought by a person."""

from __future__ import annotations

import os
from pathlib import Path


def embedded_folder() -> Path:
    """Return the folder of the model that ships with the product."""
    return Path(__file__).parent / "embedded"


def cache_folder() -> Path:
    """Return where the Hub's files are kept.

    As huggingface_hub decides it: ``HF_HUB_CACHE``, its older name ``HUGGINGFACE_HUB_CACHE``,
    ``HF_HOME/hub``, ``XDG_CACHE_HOME/huggingface/hub`` or ``~/.cache/huggingface/hub``.
    """
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if cache := os.environ.get(name):
            return _expanded(cache)
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return _expanded(os.environ.get("HF_HOME") or f"{caches}/huggingface") / "hub"


def models_folder() -> Path:
    """Return where models made on this computer are kept: ``VRPSAM_MODELS`` or the default."""
    return Path(os.environ.get("VRPSAM_MODELS", "~/.vrpsam/models")).expanduser()


def foundation_folder() -> Path:
    """Return where a person puts frozen weights: ``VRPSAM_FOUNDATION`` or beside the models."""
    given = os.environ.get("VRPSAM_FOUNDATION")
    return Path(given).expanduser() if given else models_folder().parent / "foundation"


def _expanded(path: str) -> Path:
    return Path(os.path.expandvars(path)).expanduser()
