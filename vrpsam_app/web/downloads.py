"""Results to take away: from the original pictures, exactly as the command line makes them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.corrected import predict_corrected
from vrpsam_app.errors import ImageFileError
from vrpsam_app.image_files import write_mask
from vrpsam_app.library.reference_library import ReferenceLibrary
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.progress import CancelToken
from vrpsam_app.recipe import Recipe, TargetRecord
from vrpsam_app.references import Reference, labels_of
from vrpsam_app.review.project import AddedPicture, ReviewProject
from vrpsam_app.review.run import project_range, run_review
from vrpsam_app.segmenter import Prediction
from vrpsam_app.web.callbacks import NO_TARGET, predict_target, shown_target, tile_options
from vrpsam_app.web.collection import folder_of
from vrpsam_app.web.line import Line
from vrpsam_app.web.marked import Asked, marked_references, target_corrections
from vrpsam_app.web.model import WebPredictor
from vrpsam_app.web.pictures import Picture, decoded, new_folder
from vrpsam_app.web.result_files import ResultFiles, without_small_pieces
from vrpsam_app.web.session import Session

WHO = "web"
"""Who decided, in a project that comes from the page: visitors have no names."""

PAGE_FACT = "page"
"""Under which a project keeps the settings of the page."""


@dataclass(frozen=True, slots=True)
class Saving:
    """How far a zip file is.

    Parameters
    ----------
    done, total
        Numbers of targets.
    name
        What is being worked on.
    before
        People who are asked for first.
    path
        The file, at the end.
    failed
        A sentence for each target that is not in it.
    """

    done: int
    total: int
    name: str = ""
    before: int = 0
    path: Path | None = None
    failed: tuple[str, ...] = ()


def save_archive(
    predictor: WebPredictor,
    line: Line,
    session: Session,
    asked: Asked,
    cancel: CancelToken,
    objects: ObjectOptions | None = None,
) -> Iterator[Saving]:
    """Write everything into one zip file.

    It holds masks, overlays, numbered objects with their measurements, COCO annotations, cut-outs,
    the recipe, and the project that the page opens again. What was rejected is in the project only.

    Parameters
    ----------
    objects
        How masks are cut into objects; None cuts at necks and leaves specks out.

    Yields
    ------
    saving : Saving
        Before each target, while others are first, and at the end.

    Raises
    ------
    EmptyReferenceError, AnnotationError
        If nothing, or nothing sensible, is marked.
    ImageFileError
        If there is no target.
    Cancelled
        If that was asked for; nothing is left behind.
    """
    references = marked_references(session, asked)
    if not session.targets:
        raise ImageFileError(NO_TARGET)
    work = new_folder(folder_of(session))
    try:
        yield from _archived(predictor, line, session, asked, cancel, objects, references, work)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def save_mask(
    predictor: WebPredictor, line: Line, session: Session, asked: Asked, cancel: CancelToken
) -> Path:
    """Write the mask of the visible target: a PNG of 0 and 255 in the size of the original.

    Of several classes all are in it.

    Raises
    ------
    EmptyReferenceError, AnnotationError, ImageFileError, Cancelled
        As for :func:`save_archive`.
    """
    target = shown_target(session, asked.shown)
    if target is None:
        raise ImageFileError(NO_TARGET)
    masks = masks_of(predictor, line, session, asked, target, cancel)
    whole = np.logical_or.reduce(list(masks.values()))
    return write_mask(new_folder(folder_of(session)) / f"{target.path.stem}_mask.png", whole)


def masks_of(
    predictor: WebPredictor,
    line: Line,
    session: Session,
    asked: Asked,
    target: Picture,
    cancel: CancelToken,
) -> dict[str, NDArray[np.bool_]]:
    """Return the masks of a target by class, at its full size, without small pieces."""
    references = marked_references(session, asked)
    with line.join() as place:
        place.wait(cancel)
        found = predict_target(
            predictor, session, references, asked, target, cancel, asked.threshold
        )
    return {
        label: without_small_pieces(prediction.mask, asked.min_area)
        for label, prediction in found.predictions.items()
    }


def save_library(session: Session, asked: Asked) -> Path:
    """Write the references into a library, the file that every surface reads.

    Raises
    ------
    EmptyReferenceError, AnnotationError, ImageFileError
        If they cannot be built.
    """
    library = ReferenceLibrary.from_references(marked_references(session, asked))
    return library.save(new_folder(folder_of(session)) / "references.zip")


def _archived(
    predictor: WebPredictor,
    line: Line,
    session: Session,
    asked: Asked,
    cancel: CancelToken,
    objects: ObjectOptions | None,
    references: Sequence[Reference],
    work: Path,
) -> Iterator[Saving]:
    tiling = tile_options(session, asked)
    project, added = _new_project(session, references, asked, work / "project")
    files = ResultFiles(
        work / "results",
        [target.path for target in session.targets],
        labels_of(references),
        intensity_range=project_range(project, references),
        objects=objects or ObjectOptions(min_area=asked.min_area or None),
        reference_pixel_size=tiling.reference_pixel_size,
        smallest_piece=asked.min_area,
    )
    run = run_review(project, predictor, threshold=asked.threshold, tiling=tiling, cancel=cancel)
    failed: list[str] = []
    records = []
    for done, (target, entry) in enumerate(zip(session.targets, added, strict=True)):
        yield Saving(done, len(added), target.name)
        with line.join() as place:
            for before in place.waiting(cancel):
                yield Saving(done, len(added), target.name, before)
            predictions: tuple[Prediction, ...] = ()
            if entry.name is None:  # the same pixels as another one: asked for, not reviewed twice
                found = predict_target(
                    predictor, session, references, asked, target, cancel, asked.threshold
                )
                predictions = tuple(found.predictions.values())
            else:
                reviewed = next(run)
                if reviewed.error is not None:
                    failed.append(str(reviewed.error))
                    continue
                predictions = reviewed.predictions
                predictions = _corrected(
                    predictor, project, references, asked, target, entry.name, predictions, cancel
                )
        verdict = asked.decisions.get(target.id)
        if entry.name is not None:
            if verdict == "accept":
                project.accept([entry.name], who=WHO)
            elif verdict == "reject":
                project.reject([entry.name], who=WHO)
        if verdict != "reject":
            image = decoded.read(target)
            files.add(target.path, image, predictions, references)
            records.append(TargetRecord.from_image(target.name, image))
    recipe = Recipe.from_run(
        references,
        records,
        predictor.describe(),
        intensity_range=files.intensity_range,
        settings={
            "threshold": asked.threshold,
            "smallest_piece": asked.min_area,
            "corrections": {
                target.name: asked.corrections[target.id]
                for target in session.targets
                if target.id in asked.corrections
            },
        },
        sections={"tiling": tiling.to_json(), "objects": files.objects.to_json()},
    )
    path = files.finish(work / "vrpsam-results.zip", recipe, project)
    for name in ("project", "results"):
        shutil.rmtree(work / name, ignore_errors=True)
    yield Saving(len(added), len(added), path=path, failed=tuple(failed))


def _new_project(
    session: Session, references: Sequence[Reference], asked: Asked, folder: Path
) -> tuple[ReviewProject, list[AddedPicture]]:
    """Make a project of what the page holds."""
    project = ReviewProject.create(folder)
    project.add_references(references)
    added = list(project.add_pictures([target.path for target in session.targets], copy=True))
    decisions = {
        entry.name: asked.decisions[target.id]
        for target, entry in zip(session.targets, added, strict=True)
        if entry.name is not None and target.id in asked.decisions
    }
    corrections = {
        entry.name: asked.corrections[target.id]
        for target, entry in zip(session.targets, added, strict=True)
        if entry.name is not None and target.id in asked.corrections
    }
    project.state.keep_fact(
        PAGE_FACT,
        {
            "threshold": asked.threshold,
            "min_area": asked.min_area,
            "decisions": decisions,
            "corrections": corrections,
        },
    )
    return project, added


def _corrected(
    predictor: WebPredictor,
    project: ReviewProject,
    references: Sequence[Reference],
    asked: Asked,
    target: Picture,
    name: str,
    predictions: tuple[Prediction, ...],
    cancel: CancelToken,
) -> tuple[Prediction, ...]:
    """Ask again with a person's marks on the target, if there are any, and keep that as fixed."""
    marks = target_corrections(asked, target)
    if not marks:
        return predictions
    found = predict_corrected(
        predictor,
        decoded.read(target),
        references,
        marks,
        intensity_range=project_range(project, references),
        threshold=asked.threshold,
        cancel=cancel,
    )
    project.fix(name, {label: p.mask for label, p in found.predictions.items()}, who=WHO)
    return tuple(found.predictions.values())
