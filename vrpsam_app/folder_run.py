"""Pictures and stacks segmented into one folder, with recipes that replay it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vrpsam_app.batch import FileResult, object_paths, segment_files, shared_intensity_range
from vrpsam_app.begun_pictures import BegunPictures, joined_targets, single_plane_result
from vrpsam_app.errors import Cancelled, OutputError, VRPSAMError
from vrpsam_app.image_files import MAX_PIXELS, find_files, write_whole
from vrpsam_app.images import IntensityRange
from vrpsam_app.output_paths import OutputPaths, check_outputs, plan_outputs, prepare_folder
from vrpsam_app.progress import CancelToken, ProgressCallback
from vrpsam_app.recipe import Recipe, TargetRecord
from vrpsam_app.reference_segmenter import References, as_sequence
from vrpsam_app.references import Reference, labels_of
from vrpsam_app.run_settings import RunSettings
from vrpsam_app.segmenter import Segmenter
from vrpsam_app.stack_runs.run import StackResult, segment_stack
from vrpsam_app.stack_runs.targets import (
    StackForm,
    StackReading,
    StackTarget,
    UnopenedTarget,
    sort_targets,
)
from vrpsam_app.video.pictures import StackPictures, check_drawable
from vrpsam_app.video.run import segment_video

if TYPE_CHECKING:
    from vrpsam_app.stack_runs.cluster import Client


@dataclass(frozen=True, eq=False)
class StackOutcome:
    """What became of one stack.

    Attributes
    ----------
    target : the stack, and where its labels went
    result : what was found; None if it failed
    error : why it failed; None if it did not
    """

    target: StackTarget
    result: StackResult | None = None
    error: Exception | None = None


@dataclass(frozen=True, eq=False)
class FolderRun:
    """A run that is planned: what is segmented, and the files that will be written.

    Attributes
    ----------
    references, settings : what is asked
    folder : where results go
    pictures : targets with the files of each
    stacks : targets with the name of their labels
    unopened : targets that could not be opened, and why
    reading : how targets are opened
    overwrite, resume : replace earlier results, or go on with those of the same question
    overlay : whether movies of stacks with what was found drawn in are written as well
    mask_frames : whether labels of stacks are written as a folder of PNGs as well
    """

    references: tuple[Reference, ...]
    settings: RunSettings
    folder: Path
    pictures: Sequence[OutputPaths]
    stacks: Sequence[StackTarget]
    unopened: Sequence[UnopenedTarget]
    reading: StackReading
    overwrite: bool = False
    resume: bool = False
    overlay: bool = False
    mask_frames: bool = False

    @classmethod
    def of(
        cls,
        references: References,
        targets: Sequence[str | Path],
        folder: str | Path,
        settings: RunSettings | None = None,
        *,
        inputs: Sequence[Path] = (),
        reading: StackReading | None = None,
        stack_format: StackForm | None = None,
        overlay: bool = False,
        mask_frames: bool = False,
        overwrite: bool = False,
        resume: bool = False,
    ) -> FolderRun:
        """Find the targets, name the results, and make sure that nothing is lost by writing them.

        Parameters
        ----------
        references : Reference or sequence of Reference
        targets : pictures, stacks, folders of pictures or patterns
        folder : where results go; made if need be
        settings : None takes the usual ones
        inputs : other files that must not be written over
        reading : how targets are opened
        stack_format : of the results of stacks; None takes TIFF for TIFF and OME-Zarr for all else
        overlay : whether a picture of each result is written as well, a movie of a stack
        mask_frames : whether the labels of stacks are written as a folder of PNGs as well
        overwrite, resume : replace earlier results, or go on with those of the same question; not
            both. Pictures are asked about again then, stacks are not.

        Raises
        ------
        ImageFileError
            If there is no such target, or none can be opened.
        ConfigError
            If a stack is to be drawn that has several axes.
        OutputError
            If a result exists, is one of the inputs, or the folder cannot be made; if pictures
            are to go on, and nobody knows what was asked of them. Stacks know it by themselves:
            where there are some, only the pictures fail, each with this error.
        """
        asked, reading = tuple(as_sequence(references)), reading or StackReading()
        folder = Path(folder).expanduser()
        found = sort_targets(find_files(targets), folder, reading, stack_format)
        if found.unopened and not (found.pictures or found.stacks):
            raise found.unopened[0].error
        if overlay or mask_frames:
            check_drawable(target.stack for target in found.stacks)
        plan = plan_outputs(found.pictures, folder, labels_of(asked), overlay=overlay)
        run = cls(
            references=asked,
            settings=settings or RunSettings(),
            folder=folder,
            pictures=plan,
            stacks=found.stacks,
            unopened=found.unopened,
            reading=replace(reading, plain=found.plain),
            overwrite=overwrite,
            resume=resume,
            overlay=overlay,
            mask_frames=mask_frames,
        )
        taken, again = [*inputs, *found.pictures], overwrite or resume
        check_outputs(run.picture_files(), taken, overwrite=again, may_resume=True)
        if not run.stacks and (unknown := run._unknown_results()) is not None:
            raise unknown
        prepare_folder(folder)
        return run

    @property
    def recipe_path(self) -> Path:
        """Where the recipe of the pictures goes; each stack has its own."""
        return self.folder / "recipe.json"

    def picture_files(self) -> list[Path]:
        """Return every file that is written for pictures, or removed to replace what it was of."""
        if not self.pictures:
            return []
        files = [self.recipe_path, *self._written()]
        if self.overwrite:
            targets = [outputs.target for outputs in self.pictures]
            files += BegunPictures.in_folder(self.recipe_path).replaceable(targets)
        return files

    def _written(self) -> Iterator[Path]:
        """Yield the results of all pictures."""
        for outputs in self.pictures:
            yield from outputs
            if self.settings.objects is not None:
                yield from chain(*object_paths(outputs).values())

    @cached_property
    def picture_range(self) -> IntensityRange | None:
        """The one range of all pictures, and of planes that are too large to be held in memory."""
        given = self.settings.intensity_range or self.settings.picture_range
        return given or shared_intensity_range(
            self.references,
            [outputs.target for outputs in self.pictures],
            reading=self.reading,
            large=[target.stack for target in self.stacks if not target.stack.axes],
        )

    def segment_pictures(
        self,
        segmenter: Segmenter,
        *,
        client: Client | None = None,
        cancel: CancelToken | None = None,
        progress: ProgressCallback | None = None,
    ) -> Iterator[FileResult]:
        """Segment the pictures and write their recipe: at once, so that no stop leaves none.

        Parameters
        ----------
        segmenter : with ``describe()``, as all of this package have it
        client, cancel, progress : as for :func:`vrpsam_app.batch.segment_files`

        Yields
        ------
        result : FileResult
            One for each picture, in order, failed ones with their error.

        Raises
        ------
        OutputError
            If the run is to go on and the recipe in the folder asks for something else.
        """
        if not self.pictures:
            return
        if (unknown := self._unknown_results()) is not None:
            yield from (FileResult(outputs, error=unknown) for outputs in self.pictures)
            return
        settings, records, earlier = self.settings, list[TargetRecord](), list[TargetRecord]()
        smallest, shared = settings.smallest_piece, self.picture_range
        begun = BegunPictures.in_folder(self.recipe_path)

        def recipe() -> Recipe:
            made_by: dict[str, object] = getattr(segmenter, "describe", dict)()
            return Recipe.from_run(
                self.references,
                joined_targets(records, earlier),
                made_by,
                intensity_range=shared,
                range_given=settings.intensity_range is not None,
                settings={"threshold": settings.threshold, "smallest_piece": smallest},
                sections={**settings.sections(), **self._reading_section()},
            )

        earlier += begun.targets(recipe(), resume=self.resume, overwrite=self.overwrite)
        written = {path.name.casefold() for path in self._written()}
        results = segment_files(
            segmenter,
            self.references,
            self.pictures,
            intensity_range=shared,
            threshold=settings.threshold,
            overwrite=self.overwrite or self.resume,
            tiling=settings.tiling,
            objects=settings.objects,
            reading=self.reading,
            corrections=settings.corrections,
            smallest_piece=smallest,
            client=client,
            cancel=cancel,
            progress=progress,
        )
        before = self.recipe_path.read_bytes() if self.recipe_path.is_file() else None
        recipe().save(self.recipe_path, overwrite=self.overwrite or self.resume)
        try:
            for found in results:
                result = begun.settled(found, overwrite=self.overwrite, written=written)
                if result.record is not None:
                    records.append(result.record)
                yield result
        finally:
            if records:
                recipe().save(self.recipe_path, overwrite=True)
            elif before is not None:
                write_whole(self.recipe_path, before, overwrite=True)
            elif not any(path.exists() for outputs in self.pictures for path in outputs):
                self.recipe_path.unlink(missing_ok=True)

    def _unknown_results(self) -> OutputError | None:
        """Return why the pictures cannot go on: what was asked of them stands in the recipe."""
        if not self.resume:
            return None
        named = (single_plane_result(outputs.target, self.folder) for outputs in self.pictures)
        if (plane := next(filter(None, named), None)) is not None:
            return OutputError(
                f"{plane.path} holds what was found in a single plane as of a stack. It is a "
                "picture now, with a PNG for its mask: the pictures cannot go on. Move it away, "
                "replace it by overwrite (--overwrite), or choose another folder."
            )
        if self.recipe_path.is_file():
            return None
        there = next((path for path in self.picture_files() if path.exists()), None)
        if there is None:
            return None
        return OutputError(
            f"{there} exists already, and there is no {self.recipe_path} that tells what was "
            "asked: the pictures cannot go on. Move their results away, replace them by "
            "overwrite (--overwrite), or choose another folder."
        )

    def segment_stack(
        self,
        segmenter: Segmenter,
        target: StackTarget,
        *,
        client: Client | None = None,
        cancel: CancelToken | None = None,
        progress: ProgressCallback | None = None,
    ) -> StackOutcome:
        """Segment one of the stacks; a failure is told and does not stop the others.

        With a memory, the work is done here and not by the cluster: each plane needs the one
        before it.

        Raises
        ------
        Cancelled
            If that was asked for. What is stored is kept.
        """
        settings = self.settings
        shown = StackPictures(target, self.overlay, self.mask_frames, self.overwrite or self.resume)
        same: dict[str, Any] = {
            "tiling": settings.tiling,
            "threshold": settings.threshold,
            "sections": self._reading_section(),
            "resume": self.resume,
            "overwrite": self.overwrite,
            "cancel": cancel,
            "progress": progress,
        }
        asked = (segmenter, target.stack, self.references, target.out)
        try:
            shown.check()
            given = settings.intensity_range
            same["intensity_range"] = given if target.stack.axes else self.picture_range
            if settings.memory is not None and target.stack.axes:
                result = segment_video(*asked, memory=settings.memory, **same)
            else:
                result = segment_stack(
                    *asked, objects=settings.objects, links=settings.links, client=client,
                    range_given=given is not None, **same,
                )  # fmt: skip
            shown.write(result)
        except Cancelled:
            raise
        except (VRPSAMError, OSError, MemoryError) as error:
            return StackOutcome(target, error=error)
        return StackOutcome(target, result)

    def _reading_section(self) -> dict[str, Mapping[str, Any]]:
        said = self.reading.to_json()
        return {"reading": said} if said else {}

    def carry_out(
        self,
        segmenter: Segmenter,
        *,
        client: Client | None = None,
        cancel: CancelToken | None = None,
        progress: ProgressCallback | None = None,
    ) -> Iterator[FileResult | StackOutcome | UnopenedTarget]:
        """Name what cannot be opened, segment the pictures and then the stacks.

        Parameters are those of :meth:`segment_pictures` and :meth:`segment_stack`.
        """
        yield from self.unopened
        yield from self.segment_pictures(segmenter, client=client, cancel=cancel, progress=progress)
        for target in self.stacks:
            yield self.segment_stack(
                segmenter, target, client=client, cancel=cancel, progress=progress
            )


def reading_of(recipe: Recipe, *, max_pixels: int = MAX_PIXELS) -> StackReading:
    """Return how the targets of an earlier run were opened."""
    return StackReading.from_json(recipe.sections.get("reading", {}), max_pixels=max_pixels)


def replay(
    recipe: Recipe | str | Path,
    segmenter: Segmenter,
    targets: str | Path | Sequence[str | Path],
    folder: str | Path,
    **choices: Any,
) -> list[FileResult | StackOutcome | UnopenedTarget]:
    """Run a recipe again, on the same targets or on others.

    Parameters
    ----------
    recipe : Recipe, or the file of one
    segmenter : of the same method and model; :meth:`Recipe.promise` says how equal results will be
    targets : pictures, stacks, folders of pictures or patterns
    folder : where results go
    choices : `reading`, `overlay`, `overwrite` and others of :meth:`FolderRun.of`

    Returns
    -------
    results : one for each target, pictures before stacks; failed ones with their error

    Examples
    --------
    >>> replay("results/recipe.json", predictor, "plate/", "again/")  # doctest: +SKIP
    """
    loaded = recipe if isinstance(recipe, Recipe) else Recipe.load(Path(recipe).expanduser())
    named = [targets] if isinstance(targets, str | Path) else targets
    choices.setdefault("reading", reading_of(loaded))
    run = FolderRun.of(loaded.references, named, folder, RunSettings.of_recipe(loaded), **choices)
    return list(run.carry_out(segmenter))
