"""The files of this folder that the browser gets: style, markup and scripts."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def read_page_files(*names: str) -> str:
    """Return files of this folder, one after the other."""
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)
