"""Where the result of a stack goes, in which form, and what stands beside it."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.image_files import write_whole
from vrpsam_app.objects.paths import ObjectPaths
from vrpsam_app.output_paths import file_names
from vrpsam_app.recipe import Recipe
from vrpsam_app.stack_runs.journal import PlaneNotes, notes_from_lines
from vrpsam_app.stack_runs.result_array import (
    ResultArray,
    ResultLayout,
    abandoned_name,
    read_manifest,
    remove_abandoned,
)
from vrpsam_app.stack_runs.result_tiff import write_result_tiff
from vrpsam_app.tiles.rows import Verdict

Index = tuple[int, ...]
Form = Literal["ome-zarr", "zarr", "tiff"]

_FORMS: Mapping[str, Form] = {
    ".ome.zarr": "ome-zarr",
    ".zarr": "zarr",
    ".ome.tiff": "tiff",
    ".ome.tif": "tiff",
    ".tiff": "tiff",
    ".tif": "tiff",
}


@dataclass(frozen=True, slots=True)
class PlaneResult:
    """What was found in one plane.

    Attributes
    ----------
    index : of the plane
    verdicts : of each class
    """

    index: Index
    verdicts: Mapping[str, Verdict]


@dataclass(frozen=True, slots=True)
class StackOutput:
    """The names under which a result is written.

    Attributes
    ----------
    path : what the caller asked for
    form : by its ending
    stem : the name without it
    """

    path: Path
    form: Form
    stem: str

    @classmethod
    def of(cls, path: str | Path) -> StackOutput:
        """Read the form from the name.

        Raises
        ------
        OutputError
            If the ending is none of .ome.zarr, .zarr, .tif, .tiff, or the folder does not exist.
        """
        path = Path(path).expanduser()
        ending = next((e for e in _FORMS if path.name.lower().endswith(e)), None)
        if ending is None or len(path.name) == len(ending):
            raise OutputError(
                f"{path}: expected a name that ends in .ome.zarr, .zarr or .tif for the result of "
                "a stack."
            )
        if not path.parent.is_dir():
            raise OutputError(f"{path} cannot be written: the folder {path.parent} does not exist.")
        return cls(path, _FORMS[ending], path.name[: -len(ending)])

    @property
    def folder(self) -> Path:
        """The Zarr folder that is filled; for a TIFF it lasts as long as the run."""
        return self.path if self.form != "tiff" else self.path.with_name(f"{self.path.name}.part")

    @property
    def table(self) -> Path:
        """One line for each plane and class."""
        return self.path.with_name(f"{self.stem}_planes.csv")

    @property
    def recipe(self) -> Path:
        """What was run."""
        return self.path.with_name(f"{self.stem}_recipe.json")

    @property
    def note(self) -> Path:
        """What a finished TIFF was made with, and of; a Zarr holds that itself."""
        return self.path.with_name(f"{self.stem}_run.json")

    @property
    def object_folder(self) -> Path:
        """Objects of each plane, as long as the run lasts."""
        return self.path.with_name(f"{self.stem}_objects.part")

    @property
    def overlay(self) -> Path:
        """A movie of the stack with what was found drawn in."""
        return self._beside("_overlay.mp4")

    @property
    def mask_frames(self) -> Path:
        """A folder of PNGs, one for each plane."""
        return self._beside("_masks")

    def _beside(self, ending: str) -> Path:
        """Return a name that is the stack's with another ending."""
        return self.path.with_name((self.stem.removesuffix("_labels") or self.stem) + ending)

    def objects(self, labels: Sequence[str], *, axes: bool) -> dict[str, ObjectPaths]:
        """Return where the objects of each class go, named after the stack.

        Parameters
        ----------
        labels : of the classes
        axes : whether there is more than one plane
        """
        stem = self._beside("").name
        return {
            label: ObjectPaths.of(
                self.path.parent, stem if len(labels) == 1 else f"{stem}_{name}", stack=axes
            )
            for label, name in file_names(labels).items()
        }

    @property
    def is_finished_tiff(self) -> bool:
        """Whether a TIFF is there and its intermediate folder is not."""
        return self.form == "tiff" and self.path.is_file() and not self.folder.exists()

    def begun(self) -> dict[str, Any] | None:
        """Return what the run under this name was begun with, None if there is none."""
        if not self.is_finished_tiff:
            return read_manifest(self.folder)
        manifest = self._noted().get("run")
        return manifest if isinstance(manifest, dict) else None

    def noted_planes(self) -> dict[Index, PlaneNotes]:
        """Return what is known about the planes of a finished TIFF."""
        lines = self._noted().get("planes")
        return notes_from_lines(lines if isinstance(lines, list) else [])

    def _noted(self) -> dict[str, Any]:
        try:
            noted = json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}

    def begin(self, layout: ResultLayout, manifest: Mapping[str, Any]) -> ResultArray:
        """Make an empty result."""
        remove_abandoned(self.folder)
        return ResultArray.create(self.folder, layout, manifest)

    def clear(self, keep: Collection[str] = ()) -> None:
        """Remove what an earlier run wrote under this name, with all that was made of it.

        Parameters
        ----------
        keep : names of files that are of something else by now, case folded

        Raises
        ------
        OutputError
            If it is nothing that this program wrote.
        """
        begun = self.begun()
        if self.path.exists() and begun is None:
            raise OutputError(
                f"{self.path} exists and was not written by this program: it is not replaced. "
                "Choose another name."
            )
        recipe = self.noted_recipe()
        if recipe is not None and recipe.sections.get("drawn", {}).get("overlay"):
            self.overlay.unlink(missing_ok=True)
        if frames := self.drawn_frames:
            remove_mask_frames(self.mask_frames, frames)
        for path in (self.path, self.folder, self.object_folder):
            if path.is_dir():
                remove_result(path)
        for path in (self.path, self.table, self.recipe, self.note):
            path.unlink(missing_ok=True)
        if begun is None or not begun.get("objects"):
            return
        labels = dict.fromkeys(label for label, _ in begun["references"])
        for objects in self.objects(list(labels), axes=True).values():
            for path in objects:
                if path.name.casefold() not in keep:
                    path.unlink(missing_ok=True)

    @property
    def drawn_frames(self) -> int:
        """How many PNGs an earlier run drew of its planes, as its recipe tells it."""
        recipe = self.noted_recipe()
        if recipe is None or not recipe.sections.get("drawn", {}).get("mask_frames"):
            return 0
        return next((target.shape[0] for target in recipe.targets), 0)

    def note_drawn(self, drawn: Mapping[str, Any]) -> None:
        """Say in the recipe, if there is one, which pictures are drawn of the result as well.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        recipe = self.noted_recipe()
        if recipe is None or drawn.items() <= recipe.sections.get("drawn", {}).items():
            return
        named = {**recipe.sections.get("drawn", {}), **drawn}
        sections = {**recipe.sections, "drawn": named}
        replace(recipe, sections=sections).save(self.recipe, overwrite=True)

    def noted_recipe(self) -> Recipe | None:
        """Return the recipe of an earlier run, None if there is none that can be read."""
        try:
            return Recipe.load(self.recipe)
        except ConfigError:
            return None

    def finish(
        self, result: ResultArray, planes: Sequence[PlaneResult], lines: Sequence[str]
    ) -> None:
        """Write what is made of a complete result; to do so twice changes nothing.

        Parameters
        ----------
        planes : in order
        lines : of the journal, settled
        """
        write_whole(self.table, _table(result.layout, planes), overwrite=True)
        if self.form != "tiff":
            return
        noted = {"run": read_manifest(self.folder), "planes": list(lines)}
        text = json.dumps(noted, indent=1, sort_keys=True) + "\n"
        write_result_tiff(self.path, result, text)
        write_whole(self.note, text.encode(), overwrite=True)

    def remove_folder(self) -> None:
        """Remove the intermediate folder of a TIFF that is complete."""
        if self.form == "tiff":
            remove_result(self.folder)


def mask_frame(number: int) -> str:
    """Return the name of a plane's PNG in the folder of them."""
    return f"{number:05d}.png"


def remove_mask_frames(folder: Path, planes: int) -> None:
    """Remove the PNGs of so many planes, and their folder if there is nothing else in it."""
    for number in range(planes):
        path = folder / mask_frame(number)
        if not path.is_dir():
            path.unlink(missing_ok=True)
    with suppress(OSError):  # not empty
        folder.rmdir()


def remove_result(folder: Path) -> None:
    """Remove a folder; if that is interrupted, what is left is no longer taken for a result."""
    abandoned = folder.with_name(abandoned_name(folder))
    folder.rename(abandoned)
    shutil.rmtree(abandoned)


def _table(layout: ResultLayout, planes: Sequence[PlaneResult]) -> bytes:
    """Return the table as CSV: indices, class, whether and how surely it is there, its pixels."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*layout.axes, "label", "present", "presence", "score", "pixels", "share"])
    for plane in planes:
        for label, found in plane.verdicts.items():
            share = found.pixels / math.prod(layout.plane_hw)
            writer.writerow(
                [
                    *plane.index,
                    label,
                    int(found.present),
                    f"{found.presence:.4f}",
                    f"{found.score:.4f}",
                    found.pixels,
                    f"{share:.6f}",
                ]
            )
    return text.getvalue().encode()
