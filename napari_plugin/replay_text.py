"""A run as text that runs it again: Python, or a command; both read the recipe beside them."""

from __future__ import annotations

import shlex
from pathlib import Path

from napari_plugin.result_record import ResultRecord

UNNAMED = "stack.tif"
"""Stands for the file of an image that has none."""


def save_recipe(record: ResultRecord, path: Path) -> Path:
    """Write the recipe of a result; one that is there is replaced.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    return record.recipe().save(path, overwrite=True)


def as_command(record: ResultRecord, recipe: Path) -> str:
    """Return the command that replays a recipe.

    Parameters
    ----------
    recipe : where it was saved
    """
    choice, source = record.state.settings.choice, _source_of(record)
    words = ["vrpsam", "segment", "--recipe", str(recipe), "--target", str(source)]
    if record.planes.channels is not None:
        words += ["--channels", ",".join(map(str, record.planes.channels))]
    words += ["--out", f"{source.stem.removesuffix('.ome')}_results"]
    words += ["--model", choice.model, "--method", choice.method, "--device", _device(record)]
    if choice.sam:
        words += ["--sam", choice.sam]
    if choice.features:
        words += ["--features", choice.features]
    return shlex.join(words)


def as_python(record: ResultRecord, recipe: Path) -> str:
    """Return a script that replays a recipe; parameters as for :func:`as_command`."""
    settings, source = record.state.settings, _source_of(record)
    choice, out = settings.choice, f"{source.stem.removesuffix('.ome')}_labels.zarr"
    channels = record.planes.channels
    shown = "" if channels is None else f", channels={channels!r}"
    sam = f", sam={choice.sam!r}" if choice.sam else ""
    sam += f", features={choice.features!r}" if choice.features else ""
    objects = ""
    imports = ["from pathlib import Path", "", "from vrpsam_app import ("]
    names = ["Recipe", "TileOptions", "VRPSAMPredictor", "open_stack", "segment_stack"]
    if settings.objects is not None:
        names += ["LinkOptions", "ObjectOptions"]
        objects = (
            '    objects=ObjectOptions.from_json(recipe.sections["objects"]),\n'
            '    links=LinkOptions.from_json(recipe.sections["links"]),\n'
        )
    imports += [f"    {name}," for name in sorted(names)]
    imports += [")", "from vrpsam_app.methods import METHODS, MethodSources", ""]
    return "\n".join(imports) + (
        f"\nrecipe = Recipe.load(Path({str(recipe)!r}))\n"
        "sources = MethodSources.of(\n"
        f"    lambda: VRPSAMPredictor.from_pretrained({choice.model!r}, "
        f"device={_device(record)!r}){sam}\n"
        ")\n"
        f"segmenter = METHODS[{choice.method!r}](sources)\n"
        "segment_stack(\n"
        "    segmenter,\n"
        f"    open_stack({str(source)!r}{shown}),\n"
        "    recipe.references,\n"
        f"    {out!r},\n"
        '    tiling=TileOptions.from_json(recipe.sections["tiling"]),\n'
        "    intensity_range=recipe.intensity_range,\n"
        "    threshold=recipe.threshold,\n"
        f"{objects}"
        ")\n"
    )


def _source_of(record: ResultRecord) -> Path:
    return record.planes.source or Path(UNNAMED)


def _device(record: ResultRecord) -> str:
    return str(record.state.made_by.get("device") or record.state.settings.choice.device)
