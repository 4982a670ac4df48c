"""What an earlier run left in a folder of pictures: its recipe, and the results that go with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import get_args

from hub_weights.checksums import sha256_of
from vrpsam_app.batch import FileResult
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.output_paths import image_stem
from vrpsam_app.recipe import Recipe, TargetRecord
from vrpsam_app.replay_promise import differing_keys
from vrpsam_app.stack_runs.outputs import StackOutput
from vrpsam_app.stack_runs.targets import StackForm, result_path


@dataclass(frozen=True)
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

    def replaceable(self, targets: Sequence[Path]) -> list[Path]:
        """Return the files that may be removed once some of the pictures are found again."""
        names = {target.name for target in targets}
        records = [record for name in sorted(names) for record in self._named.get(name, ())]
        planes = [single_plane_result(target, self.path.parent) for target in targets]
        old = [path for o in planes if o is not None for path in (o.path, o.table, o.recipe)]
        return [*chain.from_iterable(self._results_of(record) for record in records), *old]

    def settled(
        self, result: FileResult, *, overwrite: bool, written: Collection[str]
    ) -> FileResult:
        """Return a result with its files on record, joined by those of an earlier run.

        Parameters
        ----------
        result : of a picture that could be read
        overwrite : whether the earlier files are removed instead, if they still are what was
            written
        written : names of the files of this run, case folded
        """
        if result.record is None:
            return result
        record, folder = result.record, self.path.parent
        try:
            files = [*result.outputs, *chain.from_iterable(result.objects.values())]
            record = replace(record, results={file.name: sha256_of(file) for file in files})
            earlier = _replaced_target(record, self._named.get(record.name, ()))
            if earlier is not None and not overwrite:
                record = replace(record, results={**earlier.results, **record.results})
            elif earlier is not None:
                self._remove(earlier, keep=written)
            plane = single_plane_result(result.outputs.target, folder) if overwrite else None
            if plane is not None:
                plane.clear(keep=written)
        except OSError as error:
            failed = OutputError(
                f"{error.filename or folder}: what an earlier run left of {record.name} cannot be "
                f"replaced ({error.strerror}). Check the rights, or choose another folder."
            )
            return FileResult(result.outputs, record=record, error=failed)
        return replace(result, record=record)

    def _remove(self, earlier: TargetRecord, keep: Collection[str]) -> None:
        """Remove the files of a record that still hold what was written to them."""
        for file in self._results_of(earlier):
            own = file.name.casefold() not in keep and file.is_file()
            if own and sha256_of(file) == earlier.results[file.name]:
                file.unlink()

    def _results_of(self, record: TargetRecord) -> Iterable[Path]:
        """Return the files of a record: beside the recipe, whatever it says."""
        own = (name for name in record.results if name == Path(name).name)
        return [self.path.with_name(name) for name in own if name not in ("", "..")]

    @cached_property
    def _named(self) -> dict[str, list[TargetRecord]]:
        return _by_name(() if self.recipe is None else self.recipe.targets)


def joined_targets(
    records: Sequence[TargetRecord], earlier: Sequence[TargetRecord]
) -> list[TargetRecord]:
    """Return the records of a run, then those of an earlier one that it has not replaced.

    Parameters
    ----------
    records, earlier : a name may come several times; each record replaces one of its name
    """
    left = _by_name(earlier)
    for record in records:
        named = left.get(record.name, [])
        if (replaced := _replaced_target(record, named)) is not None:
            named.remove(replaced)
    kept = {id(record) for named in left.values() for record in named}
    return [*records, *(record for record in earlier if id(record) in kept)]


def _by_name(records: Iterable[TargetRecord]) -> dict[str, list[TargetRecord]]:
    """Return records by their names, in order."""
    named: dict[str, list[TargetRecord]] = {}
    for record in records:
        named.setdefault(record.name, []).append(record)
    return named


def _replaced_target(record: TargetRecord, named: Sequence[TargetRecord]) -> TargetRecord | None:
    """Return which of the earlier records of its name a record replaces, None if none of them.

    It has the same pixels, or its results are written over: equal names may be those of pictures in
    several folders. Recipes of earlier releases do not say which files are results.
    """
    same = [earlier for earlier in named if earlier.sha256 == record.sha256]
    over = [e for e in same or named if e.results.keys() & record.results.keys()]
    return next(iter(over or same or [e for e in named if not e.results]), None)


def single_plane_result(target: Path, folder: Path) -> StackOutput | None:
    """Return the result of a picture that was written like that of a stack, None if there is none.

    So earlier releases wrote single planes of Zarr, NIfTI and others, and so is one written that
    was too large to be held in memory.
    """
    if not folder.is_dir():
        return None
    name = image_stem(target)
    paths = (result_path(folder, name, form) for form in get_args(StackForm))
    outputs = (StackOutput.of(path) for path in paths)
    for output in outputs:
        if not output.recipe.is_file():  # the same for all forms
            return None
        if output.begun() is not None:
            recipe = output.noted_recipe()
            plane = recipe is not None and recipe.sections.get("stack", {}).get("axes") == []
            own = recipe is not None and [t.name for t in recipe.targets] == [target.name]
            return output if plane and own else None
    return None
