"""Pictures that objects belong to, found by their names."""

from __future__ import annotations

import glob
from pathlib import Path

from vrpsam_app.image_files import IMAGE_SUFFIXES
from vrpsam_app.output_paths import image_stem, may_name_results_of


def pictures_named(folder: Path, stem: str) -> list[Path]:
    """Return the pictures of a name in a folder, in any depth.

    Parameters
    ----------
    folder : nothing is found where there is none
    stem : a name without ending, or what results are called where several pictures share it
    """
    alike = [file for file in _pictures(folder, f"{glob.escape(stem)}.*") if _stem(file) == stem]
    return alike or [file for file in _pictures(folder, "*") if may_name_results_of(stem, file)]


def _pictures(folder: Path, pattern: str) -> list[Path]:
    return [file for file in sorted(folder.rglob(pattern)) if file.suffix.lower() in IMAGE_SUFFIXES]


def _stem(file: Path) -> str:
    return image_stem(file).removesuffix(".ome")
