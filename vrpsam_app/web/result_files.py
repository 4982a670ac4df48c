"""The files of a zip of results: which there are, where they lie, what people read first."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.cutouts import cut_out
from vrpsam_app.exchange.formats import export_objects
from vrpsam_app.exchange.object_plane import ObjectPlane
from vrpsam_app.image_files import write_image, write_mask
from vrpsam_app.images import IntensityRange, to_rgb
from vrpsam_app.objects.files import write_objects
from vrpsam_app.objects.finding import find_objects
from vrpsam_app.objects.instances import ObjectOptions, without_small_pieces
from vrpsam_app.objects.paths import ObjectPaths
from vrpsam_app.output_paths import plan_outputs, prepare_folder
from vrpsam_app.overlays import overlay
from vrpsam_app.recipe import Recipe
from vrpsam_app.references import Reference
from vrpsam_app.review.archive import pack_project
from vrpsam_app.review.project import ReviewProject
from vrpsam_app.segmenter import Prediction
from vrpsam_app.stack_runs.targets import StackReading, common_pixel_size
from vrpsam_app.stacks.stack import PixelSize

MOST_CUTOUTS = 2000
"""In one zip; whoever needs more has them cut out by the command line."""

_README = """\
What was found, by VRP-SAM (vrpsam-app).

masks/            0 and 255, in the size of each picture; of several classes one mask each, and
                  <name>_labels.png with 1 for the first class, 2 for the second, ...
overlays/         the results drawn into the pictures
objects/          <name>_objects.tif: the objects' numbers, 16 bits (ImageJ, napari, Cellpose)
                  <name>_objects.csv: size, shape, place and brightness of each object
measurements.csv  all of these tables, one below the other
annotations.json  all objects in COCO's format
cutouts/          each object on a transparent ground{cutouts}
recipe.json       what was run; do it again with
                  vrpsam segment --recipe recipe.json --target FOLDER --out RESULTS
project/          pictures, references, masks and decisions: open this zip again in the app, or
                  unpack it and go on with vrpsam batch
"""

_STORED = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".zip")


class ResultFiles:
    """Results, written target by target into a folder, and then into a zip.

    Parameters
    ----------
    folder
        Where they are collected; it is made.
    targets
        Files of all targets, for names that never collide.
    labels
        The classes.
    intensity_range
        In which the pictures were shown to the model.
    objects
        How masks are cut into objects.
    reference_pixel_size
        Of the marked pictures, if it is known.
    smallest_piece
        Connected pieces of fewer pixels are left out of the masks; 0 leaves all in.
    """

    def __init__(
        self,
        folder: Path,
        targets: Sequence[Path],
        labels: Sequence[str],
        *,
        intensity_range: IntensityRange | None,
        objects: ObjectOptions,
        reference_pixel_size: PixelSize | None = None,
        smallest_piece: int = 0,
    ) -> None:
        self.folder = folder
        self.intensity_range = intensity_range
        self.objects = objects
        self._pixel_size = reference_pixel_size
        self._smallest = smallest_piece
        self._plan = {
            outputs.target: outputs
            for outputs in plan_outputs(
                targets, folder / "masks", labels, overlay=True, by_folder=False
            )
        }
        self._planes: list[ObjectPlane] = []
        self._tables: list[tuple[str, Path]] = []
        self.object_count = 0
        self._cutouts = 0
        self._left_out = 0
        for name in ("masks", "overlays", "objects", "cutouts"):
            prepare_folder(folder / name)

    def add(
        self,
        target: Path,
        image: NDArray[Any],
        predictions: Sequence[Prediction],
        references: Sequence[Reference],
    ) -> None:
        """Write what was found in one target.

        Parameters
        ----------
        target : one of those that were named
        image : its pixels
        predictions : one for each class, competing
        references : what was asked by; their size tells that of a typical object
        """
        outputs = self._plan[target]
        cleaned = [
            replace(p, mask=without_small_pieces(p.mask, self._smallest)) for p in predictions
        ]
        for path, prediction in zip(outputs.masks.values(), cleaned, strict=True):
            write_mask(path, prediction.mask)
        numbers = np.zeros(image.shape[:2], np.uint8 if len(cleaned) < 256 else np.uint16)
        for number, prediction in enumerate(cleaned, start=1):
            numbers[prediction.mask] = number
        if outputs.labels is not None:
            write_image(outputs.labels, numbers)
        if outputs.overlay is not None:
            found = cleaned[0].mask if len(cleaned) == 1 else numbers
            drawn = overlay(to_rgb(image, self.intensity_range), found)
            write_image(self.folder / "overlays" / outputs.overlay.name, drawn)
        self._add_objects(outputs.target, image, cleaned, references)

    def finish(self, path: Path, recipe: Recipe, project: ReviewProject) -> Path:
        """Write the zip, with the project beside the results.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        recipe.save(self.folder / "recipe.json")
        if self._planes:
            pictures = {str(i): [plane] for i, plane in enumerate(self._planes)}
            export_objects(self.folder, pictures, "coco")
        self._join_tables(self.folder / "measurements.csv")
        more = f" (the first {MOST_CUTOUTS})" if self._left_out else ""
        (self.folder / "README.txt").write_text(_README.format(cutouts=more), encoding="utf-8")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(p for p in self.folder.rglob("*") if p.is_file()):
                kind = zipfile.ZIP_STORED if file.suffix in _STORED else zipfile.ZIP_DEFLATED
                archive.write(file, file.relative_to(self.folder).as_posix(), kind)
            pack_project(project, archive)
        return path

    def _add_objects(
        self,
        target: Path,
        image: NDArray[Any],
        predictions: Sequence[Prediction],
        references: Sequence[Reference],
    ) -> None:
        """Write the objects of all classes of a target: numbered, measured, cut out."""
        pixel_size = common_pixel_size([target], StackReading())
        height, width = image.shape[:2]
        labels = np.zeros((height, width), np.int32)
        classes: dict[int, str] = {}
        scores: dict[int, float] = {}
        for prediction in predictions:
            found = find_objects(
                prediction,
                self.objects,
                image=image,
                references=references,
                intensity_range=self.intensity_range,
                pixel_size=pixel_size,
                reference_pixel_size=self._pixel_size,
            )
            last = len(classes)
            inside = found.instance_labels > 0
            labels[inside] = found.instance_labels[inside] + last
            for number, score in found.scores_by_id().items():
                classes[last + number] = prediction.label
                scores[last + number] = score
        self.object_count += len(classes)
        stem = self._plan[target].masks[predictions[0].label].stem.removesuffix("_mask")
        if len(predictions) > 1:
            stem = (self._plan[target].labels or target).stem.removesuffix("_labels")
        paths = ObjectPaths.of(self.folder / "objects", stem, stack=False)
        write_objects(
            paths,
            [labels],
            plane_hw=(height, width),
            images=[image],
            pixel_size=pixel_size,
            classes=classes,
            scores=[scores],
        )
        self._tables.append((target.name, paths.table))
        self._planes.append(ObjectPlane(labels, target.name, classes, scores))
        self._cut_out(stem, image, labels, predictions)

    def _cut_out(
        self,
        stem: str,
        image: NDArray[Any],
        labels: NDArray[np.int32],
        predictions: Sequence[Prediction],
    ) -> None:
        room = MOST_CUTOUTS - self._cutouts
        alone = predictions[0] if len(predictions) == 1 else None
        chosen = np.where(labels > room, 0, labels)
        self._left_out += int(labels.max(initial=0) > room)
        if not chosen.any():
            return
        for cutout in cut_out(
            image,
            chosen,
            probability=None if alone is None else alone.probability,
            threshold=0.5 if alone is None else alone.threshold,
            intensity_range=self.intensity_range,
        ):
            write_image(self.folder / "cutouts" / f"{stem}_{cutout.label:04d}.png", cutout.rgba)
            self._cutouts += 1

    def _join_tables(self, path: Path) -> None:
        """Write all tables of objects as one, with the picture's name before each line."""
        rows: list[Mapping[str, str]] = []
        columns: dict[str, None] = {"picture": None}
        for name, table in self._tables:
            with table.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                columns |= dict.fromkeys(reader.fieldnames or ())
                rows += [{"picture": name, **row} for row in reader]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(columns), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
