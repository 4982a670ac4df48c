"""What an earlier run left in a folder of pictures: its recipe, and the results that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vrpsam_app.batch import object_paths
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.output_paths import OutputPaths, plan_outputs
from vrpsam_app.recipe import Recipe, TargetRecord
from vrpsam_app.replay_promise import differing_keys


@dataclass(frozen=True, slots=True)
class BegunPictures:
    """The recipe of the pictures in a folder, as it was before a run.

    Attributes
    ----------
    path : where the recipe is, or would be
    recipe : None if there is none
    error : why it cannot be read; None if it can, or there is none
    """

    path: Path
    recipe: Recipe | None = None
    error: ConfigError | None = None

    @classmethod
    def in_folder(cls, path: Path) -> BegunPictures:
        """Read the recipe at `path`, if there is one."""
        if not path.is_file():
            return cls(path)
        try:
            return cls(path, Recipe.load(path))
        except ConfigError as error:
            return cls(path, error=error)

    def targets(self, asked: Recipe, *, resume: bool, overwrite: bool) -> Sequence[TargetRecord]:
        """Return the pictures in the folder of which the same was asked.

        Raises
        ------
        OutputError
            If the run is to go on and something else was asked.
        ConfigError
            If the recipe cannot be read and is not to be replaced.
        """
        if self.error is not None and not overwrite:
            raise self.error
        if self.recipe is None:
            return ()
        differing = differing_keys(self.recipe.question(), asked.question())
        if differing and resume:
            raise OutputError(
                f"{self.path}: the pictures were begun with another {', '.join(differing)}. "
                "Go on with the same, replace them by overwrite, or choose another folder."
            )
        return () if differing else self.recipe.targets

    @property
    def has_overlays(self) -> bool:
        """Whether the results were drawn as well."""
        sections = {} if self.recipe is None else self.recipe.sections
        return bool(sections.get("drawn", {}).get("overlay"))

    def files(self, targets: Sequence[Path]) -> dict[Path, list[Path]]:
        """Return every file that was written for some of the pictures, as the recipe tells it."""
        if self.recipe is None:
            return {}
        labels = list(dict.fromkeys(r.label for r in self.recipe.references if not r.is_not_this))
        written = {record.name for record in self.recipe.targets}
        plan = plan_outputs(targets, self.path.parent, labels, overlay=self.has_overlays)
        return {
            outputs.target: result_files(outputs, objects="objects" in self.recipe.sections)
            for outputs in plan
            if outputs.target.name in written
        }


def result_files(outputs: OutputPaths, *, objects: bool) -> list[Path]:
    """Return every file that is written for a picture, objects among them if they are cut."""
    files = list(outputs)
    if objects:
        files += [file for paths in object_paths(outputs).values() for file in paths]
    return files
