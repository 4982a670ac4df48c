"""Files of the product as layers, and a Labels layer as files: the plugin's reader and writer.

Labels are read together with the recipe that stands beside them, and written with it, so that
whoever gets the file can see how it was made and make it again.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_plugin.number_classes import (
    CLASS,
    INDEX,
    as_metadata,
    holds_measured,
    without_measured,
)
from napari_plugin.placement import SETTING, placed, placement_of
from napari_plugin.result_record import METADATA_KEY, ROWS_COLS
from vrpsam_app.references import Reference
from vrpsam_app.stacks.stack import Stack

LayerData = tuple[Any, dict[str, Any], str]

_LIBRARY_DOCUMENT = "library.json"
_RECIPE_ENDING = "recipe.json"
# References lie side by side, with a gap of this share of the widest one.
_GAP = 0.1
_MOST_BYTES_IN_MEMORY = 2**28


def reader_of(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return what reads a path, None for files of others.

    Parameters
    ----------
    path : labels with a recipe beside them, a reference library, or a recipe
    """
    if not isinstance(path, str):
        return None
    file = Path(path)
    if file.name.endswith(_RECIPE_ENDING) and file.is_file():
        return read_recipe
    if file.suffix.lower() == ".zip" and _is_library(file):
        return read_library
    from vrpsam_app.objects.saved_labels import is_saved_result

    return read_result if is_saved_result(file) else None


def read_result(path: str) -> list[LayerData]:
    """Return labels as a layer: where it lay, with the recipe and, where there is one, their table.

    Raises
    ------
    VRPSAMError
        If the labels, the recipe or the table is damaged.
    """
    from vrpsam_app.objects.saved_labels import SavedLabels

    found = SavedLabels.open(path)
    said: dict[str, Any] = {}
    settings = {} if found.recipe is None else found.recipe.settings
    data, arguments, rows_cols = placed(found.stack, settings.get(SETTING))
    arguments["name"] = found.stack.name
    if found.recipe is not None:
        classes = tuple(
            dict.fromkeys(r.label for r in found.recipe.references if not r.is_not_this)
        )
        said = {
            "recipe": found.recipe.to_json(),
            "classes": list(classes),
            "edited": settings.get("edited_planes", []),
            "path": str(path),
            ROWS_COLS: rows_cols,
        }
    cut = found.recipe is None or "objects" in found.recipe.sections
    if cut and len(set(found.classes.values())) > 1:
        said["numbers"] = as_metadata(found.classes)
    if said:
        arguments["metadata"] = {METADATA_KEY: said}
    if found.table is not None:
        arguments["features"] = from_table(found.table)
    # Small ones can then be painted on at once; napari paints on no lazy array.
    if data.nbytes <= _MOST_BYTES_IN_MEMORY:
        data = data.compute()
    return [(data, arguments, "labels")]


def read_library(path: str) -> list[LayerData]:
    """Return the references of a library as layers, side by side, each with its marks.

    Raises
    ------
    ConfigError
        If the file is damaged.
    """
    from vrpsam_app.library.reference_library import ReferenceLibrary

    library = ReferenceLibrary.load(Path(path))
    return list(_side_by_side([(e.name, e.reference) for e in library.entries]))


def read_recipe(path: str) -> list[LayerData]:
    """Return the references of a recipe as layers, side by side, each with its marks.

    Raises
    ------
    ConfigError
        If the file is no recipe.
    """
    from vrpsam_app.recipe import Recipe

    recipe = Recipe.load(Path(path))
    return list(_side_by_side([(r.label, r) for r in recipe.references]))


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a Labels layer with its recipe and what was measured.

    Parameters
    ----------
    path : a name that ends in .tif, .zarr or .ome.zarr; napari has asked whether to replace it
    data : of the layer
    attributes : of the layer, as napari gives them to writers

    Returns
    -------
    paths : of what was written; the table is made now if the layer has none of these pixels

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from napari.layers import Labels

    from napari_plugin.measure_work import classes_of_layer, planes_of

    kept = (
        "name", "scale", "translate", "rotate", "shear", "affine", "units", "axis_labels",
        "multiscale", "metadata", "features",
    )  # fmt: skip
    layer = Labels(data, **{k: attributes[k] for k in kept if attributes.get(k) is not None})
    planes = planes_of(layer, None)
    said = layer.metadata.get(METADATA_KEY) or {}
    where = placement_of(layer, planes)
    return save(path, planes.stack, said, layer.features, classes_of_layer(layer, None), where)


def save(
    path: str | Path,
    labels: Stack,
    said: Any,
    features: Any,
    classes: Mapping[int, str] | str | None,
    where: Mapping[str, Any],
) -> list[str]:
    """Write labels with what their layer says about them.

    Parameters
    ----------
    labels : of the layer
    said : what the layer's metadata hold under the plugin's name
    features : of the layer
        Where they hold nothing that was measured, or what was measured of other pixels, the table
        is measured now; what a person wrote stays in it.
    classes : of the numbers, or of all
    where : the layer lies, see :func:`napari_plugin.placement.placement_of`
    """
    from dataclasses import replace

    from napari.utils.notifications import show_info

    from vrpsam_app.objects.saved_labels import recipe_of_metadata, save_labels
    from vrpsam_app.objects.tables import measure_stack, name_classes

    recipe = recipe_of_metadata(said.get("recipe"))
    if recipe is not None:
        settings = {**recipe.settings, SETTING: where}
        if said.get("edited"):
            settings["edited_planes"] = [list(i) for i in said["edited"]]
        recipe = replace(recipe, settings=settings)
    sizes = measure_stack(labels, classes=classes, shapes=False).objects
    written = without_measured(features)
    table = to_table(features) if holds_measured(features) else None
    if table is None or not _agree(table, sizes):
        measured = sizes if labels.axes else measure_stack(labels, classes=classes).objects
        anew = with_written(measured, written)
        if table is not None and set(table.columns) - set(anew.columns):
            show_info(f"{labels.name} was measured anew, without intensities: its pixels changed.")
        table = anew
    elif classes is not None:
        name_classes(table, classes)
    written = save_labels(path, labels, recipe=recipe, table=table, overwrite=True)
    return [str(file) for file in written]


def from_table(table: Any) -> Any:
    """Return a table of objects as features: ``index`` says which label a row is of."""
    return table.rename(columns={"label": INDEX})


def to_table(features: Any) -> Any:
    """Return a layer's features as a table of objects, None where they are none."""
    if features is None or not len(features) or INDEX not in features:
        return None
    return features.rename(columns={INDEX: "label"})


def with_written(measured: Any, written: Any) -> Any:
    """Return a table of objects with the features that a person wrote of them, None for none."""
    table = to_table(written)
    if table is None:
        return measured
    table = table.drop(columns=CLASS, errors="ignore")
    keys = [name for name in table.columns if name in measured.columns]
    return measured.merge(table.drop_duplicates(keys), on=keys, how="left")


def _agree(table: Any, measured: Any) -> bool:
    """Tell whether the sizes in a table, if this program measured any, are those of now."""
    numbers = table.select_dtypes("number").columns
    shared = [name for name in measured.columns if name in numbers]
    if not any(name.endswith("area_px") for name in shared):
        return True
    before, now = (each[shared].to_numpy(float) for each in (table, measured))
    return before.shape == now.shape and np.allclose(before, now, rtol=1e-6, equal_nan=True)


def _is_library(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return _LIBRARY_DOCUMENT in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def _side_by_side(named: Sequence[tuple[str, Reference]]) -> Iterator[LayerData]:
    """Yield an image and its marks for each reference; 1 marks the object, 2 what it is not."""
    widest = max((r.image.shape[1] for _, r in named), default=0)
    left = 0.0
    for name, reference in named:
        beside = {"translate": (0.0, left)}
        rgb = reference.image.ndim == 3
        yield reference.image, {"name": name, "rgb": rgb, **beside}, "image"
        marks = reference.positive.astype(np.uint8)
        marks[reference.negative] = 2
        features = {"index": [1, 2], "class": [reference.label, f"not {reference.label}"]}
        arguments = {"name": f"{name}: marks", "opacity": 0.5, "features": features, **beside}
        yield marks, arguments, "labels"
        left += reference.image.shape[1] + _GAP * widest
