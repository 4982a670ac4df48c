"""Pictures that objects belong to, found by their names."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from vrpsam_app.image_files import IMAGE_SUFFIXES
from vrpsam_app.output_paths import by_result_stem, image_stem


class PictureFolder:
    """The pictures in a folder, in any depth, listed when they are first asked for.

    Parameters
    ----------
    folder : nothing is found where there is none
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def pictures(self) -> list[Path]:
        """All of them, sorted."""
        files = sorted(self.folder.rglob("*"))
        return [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]

    def named(self, stem: str) -> list[Path]:
        """Return the pictures of a name.

        Parameters
        ----------
        stem : a name without ending, or what results are called where several pictures share it
        """
        return self._by_stem.get(stem) or self._by_result_stem.get(stem, [])

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for file in self.pictures:
            found.setdefault(image_stem(file).removesuffix(".ome"), []).append(file)
        return found

    @cached_property
    def _by_result_stem(self) -> dict[str, list[Path]]:
        return by_result_stem(self.pictures)
