"""Results to take away: from the original pictures, exactly as the command line makes them."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from vrpsam_app import batch, output_paths
from vrpsam_app.errors import ImageFileError
from vrpsam_app.images import IntensityRange
from vrpsam_app.recipe import Recipe
from vrpsam_app.references import Reference, labels_of
from vrpsam_app.web.callbacks import NO_TARGET, marked_reference, shown_target
from vrpsam_app.web.model import WebPredictor
from vrpsam_app.web.pictures import Picture, new_folder
from vrpsam_app.web.session import Session


def save_archive(
    predictor: WebPredictor, session: Session, canvas: object, exhaustive: bool, threshold: float
) -> Path:
    """Write masks, overlays and the recipe of all targets into one zip file."""
    results = _save(predictor, session, session.targets, canvas, exhaustive, threshold)
    archive = results.parent / "vrpsam-results.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path in sorted(results.iterdir()):
            bundle.write(path, path.name)
    shutil.rmtree(results)
    return archive


def save_mask(
    predictor: WebPredictor,
    session: Session,
    canvas: object,
    exhaustive: bool,
    threshold: float,
    shown: object,
) -> Path:
    """Write the mask of the visible target: a PNG of 0 and 255 in the size of the original."""
    target = shown_target(session, shown)
    targets = [] if target is None else [target]
    results = _save(predictor, session, targets, canvas, exhaustive, threshold)
    return next(results.glob("*_mask.png"))


def run_to_folder(
    predictor: WebPredictor,
    reference: Reference,
    targets: Sequence[Path],
    folder: Path,
    *,
    intensity_range: IntensityRange | None,
    threshold: float,
) -> list[Path]:
    """Segment files into `folder`, with overlays and a recipe.

    Returns
    -------
    masks : list of Path
        In the order of `targets`.

    Raises
    ------
    VRPSAMError
        For the first target that failed.
    """
    plan = output_paths.plan_outputs(targets, folder, labels_of([reference]), overlay=True)
    records = []
    for result in batch.segment_files(
        predictor, [reference], plan, intensity_range=intensity_range, threshold=threshold
    ):
        if result.error is not None:
            raise result.error
        if result.record is not None:
            records.append(result.record)
    Recipe.from_run(
        [reference],
        records,
        predictor.describe(),
        intensity_range=intensity_range,
        settings={"threshold": threshold},
    ).save(folder / "recipe.json")
    return [path for outputs in plan for path in outputs.masks.values()]


def _save(
    predictor: WebPredictor,
    session: Session,
    targets: Sequence[Picture],
    canvas: object,
    exhaustive: bool,
    threshold: float,
) -> Path:
    """Run into a new folder of this visitor and return it."""
    if not targets:
        raise ImageFileError(NO_TARGET)
    reference = marked_reference(session, canvas, exhaustive)
    results = output_paths.prepare_folder(new_folder(session.folder) / "results")
    run_to_folder(
        predictor,
        reference,
        [target.path for target in targets],
        results,
        intensity_range=session.intensity_range,
        threshold=threshold,
    )
    return results
