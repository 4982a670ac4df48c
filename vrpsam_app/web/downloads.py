"""Results to take away: from the original pictures, exactly as the command line makes them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.corrected_targets import SECTION, CorrectedTargets
from vrpsam_app.errors import ImageFileError
from vrpsam_app.image_files import write_mask
from vrpsam_app.images import IntensityRange
from vrpsam_app.library.reference_library import ReferenceLibrary
from vrpsam_app.objects.instances import ObjectOptions, without_small_pieces
from vrpsam_app.recipe import Recipe, TargetRecord
from vrpsam_app.references import Reference, labels_of
from vrpsam_app.review.project import ReviewProject
from vrpsam_app.review.run import ReviewedPicture, project_range, run_review
from vrpsam_app.segmenter import Prediction
from vrpsam_app.web.callbacks import (
    NO_TARGET,
    predict_target,
    shown_target,
    specks_in,
    tile_options,
)
from vrpsam_app.web.collection import folder_of
from vrpsam_app.web.inquiry import Inquiry
from vrpsam_app.web.marked import Asked, as_mapping, marked_references, target_corrections
from vrpsam_app.web.opened_finding import OpenedFinding
from vrpsam_app.web.pictures import Picture, decoded, new_folder
from vrpsam_app.web.result_files import ResultFiles
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
    objects
        How many are in it, cut as was asked for.
    """

    done: int
    total: int
    name: str = ""
    before: int = 0
    path: Path | None = None
    failed: tuple[str, ...] = ()
    objects: int = 0


def save_archive(inquiry: Inquiry, objects: ObjectOptions | None = None) -> Iterator[Saving]:
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
    inquiry.check()
    if not inquiry.session.targets:
        raise ImageFileError(NO_TARGET)
    work = new_folder(folder_of(inquiry.session))
    try:
        yield from _archived(inquiry, objects, work)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def save_mask(inquiry: Inquiry) -> Path:
    """Write the mask of the visible target: a PNG of 0 and 255 in the size of the original.

    Of several classes all are in it.

    Raises
    ------
    EmptyReferenceError, AnnotationError, ImageFileError, Cancelled
        As for :func:`save_archive`.
    """
    target = shown_target(inquiry.session, inquiry.asked.shown)
    if target is None:
        raise ImageFileError(NO_TARGET)
    whole = np.logical_or.reduce(list(masks_of(inquiry, target).values()))
    folder = new_folder(folder_of(inquiry.session))
    return write_mask(folder / f"{target.path.stem}_mask.png", whole)


def masks_of(inquiry: Inquiry, target: Picture) -> dict[str, NDArray[np.bool_]]:
    """Return the masks of a target by class, at its full size, without small pieces."""
    inquiry.check()
    with inquiry.line.join() as place:
        place.wait(inquiry.cancel)
        found = place.do(partial(_found, inquiry, target))
    return {
        label: without_small_pieces(prediction.mask, inquiry.asked.min_area)
        for label, prediction in found.items()
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


def _archived(inquiry: Inquiry, objects: ObjectOptions | None, work: Path) -> Iterator[Saving]:
    session, asked, references = inquiry.session, inquiry.asked, inquiry.references
    tiling = tile_options(session, asked)
    project, names = _new_project(inquiry, work / "project")
    files = ResultFiles(
        work / "results",
        [target.path for target in session.targets],
        labels_of(references),
        intensity_range=project_range(project, references),
        objects=objects or ObjectOptions(min_area=asked.min_area or None),
        reference_pixel_size=tiling.reference_pixel_size,
        smallest_piece=asked.min_area,
    )
    run = run_review(
        project,
        inquiry.predictor,
        threshold=asked.threshold,
        tiling=tiling,
        leave=[name for t, name in names.items() if name is not None and inquiry.opened(t)],
        cancel=inquiry.cancel,
    )
    failed: list[str] = []
    records: list[TargetRecord] = []
    opened: list[tuple[OpenedFinding, TargetRecord]] = []
    corrected = CorrectedTargets()
    for done, (target, name) in enumerate(names.items()):
        yield Saving(done, len(names), target.name)
        with inquiry.line.join() as place:
            for before in place.waiting(inquiry.cancel):
                yield Saving(done, len(names), target.name, before)
            answer = place.do(partial(_answer, inquiry, project, run, target, name))
        if isinstance(answer, str):
            failed.append(answer)
            continue
        verdict = asked.decisions.get(target.id)
        if name is not None:
            if verdict == "accept":
                project.accept([name], who=WHO)
            elif verdict == "reject":
                project.reject([name], who=WHO)
        if verdict != "reject":
            image = decoded.read(target)
            files.add(target.path, image, answer, references)
            record = TargetRecord.from_image(target.name, image)
            if (finding := inquiry.opened(target)) is None:
                records.append(record)
            else:
                opened.append((finding, record))
            corrected = corrected.with_target(image, target_corrections(asked, target))
    if opened and not records:
        recipe = _recipe_of_opened(opened, references)
    else:
        recipe = Recipe.from_run(
            references,
            records,
            inquiry.predictor.describe(),
            intensity_range=files.intensity_range,
            settings={"threshold": asked.threshold},
            sections={"tiling": tiling.to_json()},
        )
    sections = {**recipe.sections, "objects": files.objects.to_json()}
    recipe = replace(
        recipe,
        settings={**recipe.settings, "smallest_piece": asked.min_area},
        sections=sections | ({SECTION: corrected.to_json()} if corrected else {}),
    )
    path = files.finish(work / "vrpsam-results.zip", recipe, project)
    for room in ("project", "results"):
        shutil.rmtree(work / room, ignore_errors=True)
    yield Saving(
        len(names), len(names), path=path, failed=tuple(failed), objects=files.object_count
    )


def _recipe_of_opened(
    opened: Sequence[tuple[OpenedFinding, TargetRecord]], references: Sequence[Reference]
) -> Recipe:
    """Return what the model was asked for results that came with a project, as far as is known.

    Of several questions it is the first one. No target is said of it that a person drew.
    """
    asked = next((finding for finding, _ in opened if finding.question is not None), None)
    if asked is None or (recipe := asked.recipe()) is None:
        return Recipe.from_run(references, [], {})
    same = [record for finding, record in opened if finding.question == asked.question]
    return replace(recipe, targets=tuple(same))


def _answer(
    inquiry: Inquiry,
    project: ReviewProject,
    run: Iterator[ReviewedPicture],
    target: Picture,
    name: str | None,
) -> tuple[Prediction, ...] | str:
    """Find every class in a target, or say why not; marks on it make it a fixed one.

    Parameters
    ----------
    run : over the project's pictures that were not opened, of which this target is the next
    name : of the target in the project; None if that has the same pixels already, and no second one
    """
    opened = inquiry.opened(target)
    if name is not None and opened is None:
        reviewed = next(run)
        if reviewed.error is not None:
            return str(reviewed.error)
        if not target_corrections(inquiry.asked, target):
            return reviewed.predictions
    found = _found(inquiry, target, project_range(project, inquiry.references))
    if name is not None:
        if opened is not None:
            opened.keep_in(project, name)
        else:
            project.fix(name, {label: p.mask for label, p in found.items()}, who=WHO)
    return tuple(found[label] for label in labels_of(inquiry.references))


def _found(
    inquiry: Inquiry, target: Picture, shown_in: IntensityRange | None = None
) -> Mapping[str, Prediction]:
    """Return what the page shows of a target, at its full size: opened with a project, or asked."""
    threshold = inquiry.asked.threshold
    if (opened := inquiry.opened(target)) is not None:
        return opened.at_full_size(threshold)
    return predict_target(inquiry, target, threshold, shown_in).predictions


def _new_project(inquiry: Inquiry, folder: Path) -> tuple[ReviewProject, dict[Picture, str | None]]:
    """Make a project of what the page holds; return it with the names of the targets there."""
    session, asked = inquiry.session, inquiry.asked
    project = ReviewProject.create(folder)
    project.add_references(inquiry.references)
    added = project.add_pictures([target.path for target in session.targets], copy=True)
    names = {t: entry.name for t, entry in zip(session.targets, added, strict=True)}
    named = {name: target for target, name in names.items() if name is not None}
    project.state.keep_fact(
        PAGE_FACT,
        {
            **_made_by(inquiry),
            "min_area": asked.min_area,
            "decisions": _of_targets(named, asked.decisions),
            "corrections": _of_targets(named, asked.corrections),
            "specks": {name: _specks(inquiry, target) for name, target in named.items()},
        },
    )
    return project, names


def _made_by(inquiry: Inquiry) -> dict[str, Any]:
    """Return the model, the method and the threshold of the results: of opened ones their own."""
    choice, threshold = inquiry.session.choice, inquiry.asked.threshold
    own = {"model": choice.model, "method": choice.method, "threshold": threshold}
    for target in inquiry.session.targets:
        if (opened := inquiry.opened(target)) is not None:
            page = as_mapping(opened.project.state.fact(PAGE_FACT, {}))
            return {name: page[name] for name in own if name in page}
    return own


def _of_targets(named: Mapping[str, Picture], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[t.id] for name, t in named.items() if t.id in values}


def _specks(inquiry: Inquiry, target: Picture) -> Mapping[str, float]:
    if (opened := inquiry.opened(target)) is not None:
        return {found.label: found.speck for found in opened.classes}
    return specks_in(inquiry, target)
