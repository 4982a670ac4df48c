"""Labels together with what stands beside them on disk: the recipe that made them, their table."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError, ImageError, OutputError
from vrpsam_app.image_files import MAX_PIXELS
from vrpsam_app.label_files import open_labels
from vrpsam_app.label_images import check_labels
from vrpsam_app.objects.label_tiff import label_tiff
from vrpsam_app.objects.measurements import read_table, write_table
from vrpsam_app.objects.tables import classes_in
from vrpsam_app.output_paths import file_names, image_stem
from vrpsam_app.progress import ProgressMeter
from vrpsam_app.recipe import Recipe
from vrpsam_app.stack_runs.outputs import StackOutput
from vrpsam_app.stack_runs.result_array import ResultArray, ResultLayout, read_manifest
from vrpsam_app.stacks.stack import Stack

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class LabelFiles:
    """The files that labels, their recipe and their table are written to.

    Attributes
    ----------
    labels : a name that ends in .tif, .zarr or .ome.zarr
    recipe : ``<name>_recipe.json``
    table : ``<name>.csv``, a line for each object
    """

    labels: Path
    recipe: Path
    table: Path

    @classmethod
    def of(cls, path: str | Path) -> LabelFiles:
        """Name the files after that of the labels.

        Raises
        ------
        OutputError
            If the ending is none of these, or the folder does not exist.
        """
        output = StackOutput.of(path)
        return cls(output.path, output.recipe, output.path.with_name(f"{output.stem}.csv"))

    def found_recipe(self) -> Path | None:
        """Return the recipe that is there; objects may have that of the masks they were cut from.

        ``cells_objects.tif`` was made together with ``cells_labels.tif``, and where there are
        several classes ``cells_rod_objects.tif`` as well.
        """
        name = self.recipe.name.removesuffix("_recipe.json")
        if (path := self._recipe_named(name)) is not None or not name.endswith("_objects"):
            return path
        name = name.removesuffix("_objects")
        if (path := self._recipe_of(name)) is not None:
            return path
        parts = name.split("_")
        for end in range(len(parts) - 1, 0, -1):
            path = self._recipe_of("_".join(parts[:end]))
            if path is not None and "_".join(parts[end:]) in _class_names(path):
                return path
        return None

    def _recipe_of(self, stack: str) -> Path | None:
        return self._recipe_named(f"{stack}_labels") or self._recipe_named(stack)

    def _recipe_named(self, name: str) -> Path | None:
        path = self.recipe.with_name(f"{name}_recipe.json")
        return path if path.is_file() else None


def _class_names(path: Path) -> Iterable[str]:
    """Return the classes of a recipe as they are spelled in names of files."""
    recipe = _recipe_at(path)
    return () if recipe is None else file_names(_classes_of(recipe)).values()


def _recipe_at(path: Path) -> Recipe | None:
    try:
        return Recipe.load(path)
    except ConfigError:
        return None


def _classes_of(recipe: Recipe) -> tuple[str, ...]:
    return tuple(dict.fromkeys(r.label for r in recipe.references if not r.is_not_this))


def label_classes(path: str | Path) -> tuple[str, ...]:
    """Return the classes that the numbers of labels stand for, 1 for the first.

    Parameters
    ----------
    path : of labels
        Empty unless a run of this program for several classes wrote them and its recipe is there;
        empty too if their numbers are objects, that is if each label was followed as one object, or
        there is a table of objects.
    """
    path = Path(path)
    stem = image_stem(path)
    name = stem.removesuffix("_labels")
    if name == stem:
        return ()
    picture = path.suffix.lower() == ".png"
    recipe = _recipe_at(path.with_name("recipe.json" if picture else f"{stem}_recipe.json"))
    if recipe is None:
        return ()
    classes = _classes_of(recipe)
    if picture:
        masks = (path.with_name(f"{name}_{s}_mask.png") for s in file_names(classes).values())
        numbered = not all(mask.is_file() for mask in masks)
    else:
        followed = recipe.sections.get("memory", {}).get("follow") == "object"
        numbered = followed or path.with_name(f"{stem}.csv").is_file()
    return () if numbered or len(classes) < 2 else classes


@dataclass(frozen=True, eq=False)
class SavedLabels:
    """Labels as they were found on disk.

    Attributes
    ----------
    stack : the numbers, lazily, with axes and pixel size
    recipe : None if there is none beside them
    table : None if there is none, or it has no column ``label``
    """

    stack: Stack
    recipe: Recipe | None = None
    table: pd.DataFrame | None = None

    @property
    def classes(self) -> dict[int, str]:
        """Class of each object by its number, as the table says; empty if it does not."""
        return {} if self.table is None else classes_in(self.table)

    @classmethod
    def open(cls, path: str | Path, *, max_pixels: int = MAX_PIXELS) -> SavedLabels:
        """Open labels and what stands beside them.

        Parameters
        ----------
        path : that of the labels
        max_pixels : of a plane

        Raises
        ------
        ImageFileError, ImageError
            If these are no labels.
        ConfigError
            If the recipe or the table is damaged.
        """
        files = LabelFiles.of(path)
        stack = open_labels(files.labels, max_pixels=max_pixels)
        recipe = files.found_recipe()
        table = read_table(files.table) if files.table.is_file() else None
        if table is not None and "label" not in table.columns:
            table = None
        return cls(stack, None if recipe is None else Recipe.load(recipe), table)


def is_saved_result(path: str | Path) -> bool:
    """Tell whether a path is that of labels with a recipe beside them; no pixel is read."""
    try:
        files = LabelFiles.of(path)
    except OutputError:
        return False
    return files.labels.exists() and files.found_recipe() is not None


def save_labels(
    path: str | Path,
    labels: Stack,
    *,
    recipe: Recipe | None = None,
    table: pd.DataFrame | None = None,
    overwrite: bool = False,
    meter: ProgressMeter | None = None,
) -> list[Path]:
    """Write labels, and beside them how they were made and what was measured.

    Parameters
    ----------
    path : a name that ends in .tif, .zarr or .ome.zarr
    labels : whole numbers, 0 for background; read plane by plane
    recipe : of the run that found them; None writes none
    table : of the objects; None writes none
    overwrite : replace files that exist, and Zarr folders that this program wrote
    meter : told after each plane

    Returns
    -------
    paths : of what was written

    Raises
    ------
    OutputError
        If a file exists, or cannot be written.
    ImageError
        If these are no labels.
    """
    if labels.color or labels.dtype.kind not in "bui":
        raise ImageError(
            f"{labels.name} holds {'colours' if labels.color else labels.dtype}: expected whole "
            "numbers, 0 for background."
        )
    files = LabelFiles.of(path)
    wanted = [
        files.labels,
        *([] if recipe is None else [files.recipe]),
        *([] if table is None else [files.table]),
    ]
    if not overwrite and (taken := [file for file in wanted if file.exists()]):
        raise OutputError(f"{taken[0]} exists: choose another name, or say that it is replaced.")
    if StackOutput.of(path).form == "tiff":
        with label_tiff(
            files.labels,
            plane_hw=labels.plane_hw,
            axes=labels.axes,
            leading_shape=labels.leading_shape,
            pixel_size=labels.pixel_size,
            overwrite=overwrite,
            meter=meter,
        ) as passing:
            for _ in passing.keep(_planes_of(labels)):
                pass
    else:
        _write_zarr(files.labels, labels, meter)
    # The labels are new: what an earlier file said of others must not stand beside them.
    for file, given in ((files.recipe, recipe), (files.table, table)):
        if given is None and overwrite:
            file.unlink(missing_ok=True)
    if recipe is not None:
        recipe.save(files.recipe, overwrite=overwrite)
    if table is not None:
        write_table(files.table, table, overwrite=overwrite)
    return wanted


def _planes_of(labels: Stack) -> Iterator[NDArray[np.integer[Any]]]:
    for index in labels.indices():
        yield check_labels(labels.plane(index), name=labels.name).astype(np.int32, copy=False)


def _write_zarr(path: Path, labels: Stack, meter: ProgressMeter | None) -> None:
    """Write a Zarr beside the one that is there, and then in its place."""
    if path.exists() and read_manifest(path) is None:
        raise OutputError(
            f"{path} exists and was not written by this program: it is not replaced. Choose "
            "another name."
        )
    layout = ResultLayout(
        labels.axes,
        labels.leading_shape,
        labels.plane_hw,
        np.dtype(np.int32),
        labels.pixel_size,
        ome=StackOutput.of(path).form == "ome-zarr",
    )
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        result = ResultArray.create(part, layout, {"kind": "labels"})
        planes = _planes_of(labels)
        for index, plane in zip(labels.indices(), planes, strict=True):
            for block in range(layout.blocks):
                result.write(index, block, plane[layout.rows(block)])
            if meter is not None:
                meter.finished()
        if path.exists():
            shutil.rmtree(path)
        part.rename(path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror or error}). Check the folder's rights and "
            "the free space."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def recipe_of_metadata(data: object) -> Recipe | None:
    """Return the recipe that a layer or file carries as plain values, None where it has none.

    Raises
    ------
    ConfigError
        If there is one and it is damaged.
    """
    if data is None:
        return None
    try:
        return Recipe.from_json(data)
    except ConfigError as error:
        raise ConfigError(f"The recipe that the layer carries is damaged: {error}") from error
