"""Segment the pictures of a review project: what is done is kept, what failed is named."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotations import Annotation
from vrpsam_app.batch import FileResult, segment_files, shared_intensity_range
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import ConfigError, EmptyReferenceError
from vrpsam_app.image_files import (
    MAX_PIXELS,
    read_header,
    read_image,
    remove_half_written,
    write_mask,
    write_whole,
)
from vrpsam_app.images import IntensityRange
from vrpsam_app.output_paths import OutputPaths, prepare_folder
from vrpsam_app.progress import CancelToken, ProgressCallback
from vrpsam_app.recipe import Recipe
from vrpsam_app.references import Reference, labels_of, references_for
from vrpsam_app.review.project import ReviewProject, is_eight_bit, other_pixels
from vrpsam_app.review.state import ClassFinding, PictureState, Status
from vrpsam_app.segmenter import Prediction, Segmenter
from vrpsam_app.tiles.plan import TileOptions

if TYPE_CHECKING:
    from vrpsam_app.stack_runs.cluster import Client

# Pictures that a run segments without being asked to; the waiting ones if the question is another.
_UNDECIDED: tuple[Status, ...] = ("new", "failed", "waiting")
# What of the segmenter makes a question another one; a graphics card does not.
_WHO = ("method", "model", "sha256", "precision")


@dataclass(frozen=True, eq=False)
class Question:
    """What the pictures of a project are asked: the same question is never asked twice of one.

    Attributes
    ----------
    references, labels : what to look for; the classes in the order of their first reference
    intensity_range : of all pictures and references; None where all have 8 bits
    threshold, tiling : as for :func:`vrpsam_app.tiles.tiling.predict_tiled`
    made_by : what the segmenter says of itself
    """

    references: tuple[Reference, ...]
    labels: tuple[str, ...]
    intensity_range: IntensityRange | None
    threshold: float
    tiling: TileOptions
    made_by: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Hash of all that can change an answer, the machine aside."""
        versions = self.made_by.get("versions")
        intensity = self.intensity_range
        content = {
            "references": [(r.label, r.content_key) for r in self.references],
            "intensity_range": None if intensity is None else [intensity.low, intensity.high],
            "threshold": self.threshold,
            "tiling": self.tiling.to_json(),
            "made_by": {name: self.made_by.get(name) for name in _WHO},
            "release": versions.get("vrpsam_app") if isinstance(versions, Mapping) else None,
        }
        text = json.dumps(content, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def recipe(self) -> Recipe:
        """Return the question as a recipe without targets."""
        return Recipe.from_run(
            self.references,
            [],
            self.made_by,
            intensity_range=self.intensity_range,
            settings={"threshold": self.threshold},
            sections={"tiling": self.tiling.to_json()},
        )


@dataclass(frozen=True, eq=False)
class ReviewedPicture:
    """What a run made of one picture: its state afterwards, or why it failed.

    Attributes
    ----------
    picture : as the project knows it now
    error : why it failed; None if it did not
    predictions : what the segmenter answered, one for each class; empty if it failed
    """

    picture: PictureState
    error: Exception | None = None
    predictions: tuple[Prediction, ...] = ()


def run_review(
    project: ReviewProject,
    segmenter: Segmenter,
    *,
    threshold: float = 0.5,
    tiling: TileOptions | None = None,
    redo: Collection[Status] = (),
    leave: Collection[str] = (),
    max_pixels: int = MAX_PIXELS,
    client: Client | None = None,
    cancel: CancelToken | None = None,
    progress: ProgressCallback | None = None,
) -> Iterator[ReviewedPicture]:
    """Segment what is not decided and was not asked this question yet.

    A picture is written while the next one is asked about. A run that was killed is gone on with by
    calling this again: nothing that was kept is segmented twice, and no half-written file stays.

    Parameters
    ----------
    segmenter : with ``describe()``, as all of this package have it
    threshold : probability above which a pixel belongs to a mask
    tiling : how large pictures are cut; None takes the rule
    redo : decided pictures that are to be segmented again as well; masks that a person drew stay
    leave : names of pictures that are not asked about, whatever is known of them
    client : of a cluster whose workers see the pictures, as for `segment_files`
    cancel, progress : looked at, and told, after each picture

    Yields
    ------
    reviewed : ReviewedPicture
        One for each picture that was worked on, in the order in which they were added.

    Raises
    ------
    EmptyReferenceError, AnnotationError
        If there is no reference, or a class has only "not this" ones.
    Cancelled
        If that was asked for.
    """
    references = project.library.references()
    if not references:
        raise EmptyReferenceError(
            f"The project {project.folder} has no reference: add one that shows the object."
        )
    project.number_classes(r.label for r in references)  # the library may come from elsewhere
    remove_half_written(project.folder / "results")
    wanted = {*_UNDECIDED, *redo}
    question = Question(
        references,
        labels_of(references),
        project_range(project, references, max_pixels=max_pixels),
        threshold,
        tiling or TileOptions(),
        getattr(segmenter, "describe", dict)(),
    )
    key = _kept_question(project, question)
    unasked = [
        picture
        for picture in project.state.pictures()
        if picture.status in wanted
        and picture.name not in leave
        and not (picture.status == "waiting" and _has_answer(project, picture, key))
    ]
    if unasked:
        prepare_folder(project.folder / "results")
    results = segment_files(
        segmenter,
        references,
        [_outputs(project, picture, question.labels, key) for picture in unasked],
        intensity_range=question.intensity_range,
        threshold=threshold,
        max_pixels=max_pixels,
        overwrite=True,  # what a run that was killed has left
        tiling=question.tiling,
        client=client,
        cancel=cancel,
        progress=progress,
    )
    for picture, result in zip(unasked, results, strict=True):
        error = result.error or _keep(project, picture, result, key, max_pixels)
        if error is not None:
            project.state.keep_failure(picture.id, str(error) or type(error).__name__)
        yield ReviewedPicture(project.state.picture(picture.name), error, result.predictions)


def take_result(
    project: ReviewProject, name: str, other: ReviewProject, picture: PictureState
) -> None:
    """Keep what another project knows of the same picture: a person's masks, or an answer.

    Parameters
    ----------
    name : of the picture in `project`, which has no result yet
    picture : as `other` knows it, with masks of classes that `project` has; what was decided of an
        answer is not taken along

    Raises
    ------
    ImageFileError
        If a mask is missing or damaged.
    """
    masks = other.masks_of(picture)
    if picture.status == "fixed" or picture.question is None:
        project.fix(name, masks, who=picture.who, note=picture.note or "")
        return
    mine = project.state.picture(name)
    prepare_folder(project.folder / "results")
    paths = _outputs(project, mine, tuple(masks), picture.question).masks
    for label, path in paths.items():
        write_mask(path, masks[label], overwrite=True)
    if (asked := recipe_path(other, picture.question)).is_file():
        prepare_folder(project.folder / "questions")
        write_whole(recipe_path(project, picture.question), asked.read_bytes(), overwrite=True)
    kept = {label: path.relative_to(project.folder) for label, path in paths.items()}
    project.state.keep_result(mine.id, picture.question, kept, picture.classes)


def project_range(
    project: ReviewProject, references: Sequence[Reference], *, max_pixels: int = MAX_PIXELS
) -> IntensityRange | None:
    """Return the range in which a project shows its pictures: found once, then kept.

    Other references do not change it, so that what was encoded is found again.
    """
    if (kept := project.state.fact("intensity_range")) is not None:
        return IntensityRange(*kept)
    deep = [project.path_of(p) for p in project.state.pictures() if p.eight_bit is not True]
    found = shared_intensity_range(references, deep, max_pixels=max_pixels)
    if found is not None:
        project.state.keep_fact("intensity_range", [found.low, found.high])
    return found


def corrected_masks(
    project: ReviewProject,
    segmenter: Segmenter,
    name: str,
    annotations: Sequence[Annotation],
    *,
    label: str | None = None,
    threshold: float | None = None,
) -> dict[str, NDArray[np.bool_]]:
    """Ask again for one class of a picture, with marks on the picture itself, which is shown whole.

    Parameters
    ----------
    annotations : points, strokes and at most one box in (row, column) of the picture
    label : the class they are about; may be left out where there is only one
    threshold : probability above which a pixel belongs to the mask; None takes that of the answer
        which the picture has, 0.5 without one

    Returns
    -------
    masks : class to mask, ready for :meth:`ReviewProject.fix`

    Raises
    ------
    ConfigError
        If the picture or the class is unknown, or what the picture was asked cannot be read.
    AnnotationError
        If the marks cannot be used.
    ImageFileError
        If the picture cannot be read.
    """
    picture = project.state.picture(name)
    references = project.library.references()
    labels = labels_of(references)
    chosen = labels[0] if label is None and len(labels) == 1 else label
    if chosen is None or chosen not in labels:
        raise ConfigError(
            f"The marks on {name!r} belong to the class {label!r}: expected one of the classes "
            f"that have references ({', '.join(labels) or 'none'})."
        )
    if threshold is None:
        asked = picture.question
        threshold = 0.5 if asked is None else Recipe.load(recipe_path(project, asked)).threshold
    prediction = segmenter.predict(
        read_image(project.path_of(picture)),
        references_for(references, chosen),
        corrections=Corrections(tuple(annotations)),
        intensity_range=project_range(project, references),
        threshold=threshold,
    )
    return {chosen: prediction.mask}


def _outputs(
    project: ReviewProject, picture: PictureState, labels: Sequence[str], key: str
) -> OutputPaths:
    """Name the files of an answer; with the question in their names they can be of no other."""
    stem = project.folder / "results" / f"{picture.name}-{key[:8]}"
    masks = {
        label: stem.with_name(f"{stem.name}-class{project.classes.index(label) + 1}.png")
        for label in labels
    }
    several = stem.with_name(f"{stem.name}-labels.png") if len(labels) > 1 else None
    return OutputPaths(project.path_of(picture), masks, several, overlay=None)


def _keep(
    project: ReviewProject, picture: PictureState, result: FileResult, key: str, max_pixels: int
) -> Exception | None:
    """Keep what is known of an answer whose files are written; say what is wrong with it."""
    outputs, record = result.outputs, result.record
    if outputs.labels is not None:  # follows from the masks
        outputs.labels.unlink(missing_ok=True)
    if record is None or picture.sha256 not in (None, record.sha256):
        for path in outputs.masks.values():
            path.unlink(missing_ok=True)
        return other_pixels(outputs.target)
    if picture.sha256 is None:  # could not be read when it was added
        dtype = read_header(outputs.target, max_pixels=max_pixels).dtype
        project.state.add_picture(
            picture.name,
            picture.path,
            outputs.target.stat().st_size,
            sha256=record.sha256,
            shape=record.shape,
            eight_bit=is_eight_bit(dtype),
        )
    findings = {
        label: ClassFinding(
            score=float(prediction.score),
            presence=float(prediction.presence),
            present=bool(prediction.present),
            share=float(prediction.mask.mean()),
        )
        for label, prediction in zip(outputs.masks, result.predictions, strict=True)
    }
    kept = {label: path.relative_to(project.folder) for label, path in outputs.masks.items()}
    project.state.keep_result(picture.id, key, kept, findings)
    if picture.status != "fixed":  # the masks of which are a person's
        for old in set(picture.masks.values()) - set(kept.values()):
            with contextlib.suppress(OSError):
                (project.folder / old).unlink()
    return None


def _kept_question(project: ReviewProject, question: Question) -> str:
    """Keep the question as a recipe, and return its key."""
    key = question.key
    path = recipe_path(project, key)
    if not path.exists():
        prepare_folder(path.parent)
        question.recipe().save(path, overwrite=True)
    return key


def recipe_path(project: ReviewProject, question: str) -> Path:
    """Return where the recipe of a question lies."""
    return project.folder / "questions" / f"{question}.json"


def _has_answer(project: ReviewProject, picture: PictureState, question: str) -> bool:
    return picture.question == question and all(
        (project.folder / mask).is_file() for mask in picture.masks.values()
    )
