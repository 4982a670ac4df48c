"""Who may import whom: the layers that ARCHITECTURE.md draws, and one door per third party."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("vrpsam_app", "hub_weights", "napari_plugin")

# Third party -> the only places that may import it.
DOORS = {
    "av": ("vrpsam_app.movie_files",),
    "cloudpickle": ("vrpsam_app.stack_runs.cluster",),
    "dask": (
        "vrpsam_app.stacks.lazy_planes",
        "vrpsam_app.stacks.stack",
        "vrpsam_app.stacks.axes",
        "vrpsam_app.stack_runs.lazy_result",
    ),
    "distributed": ("vrpsam_app.stack_runs.cluster",),
    "gradio": ("app", "vrpsam_app.web"),
    "huggingface_hub": ("hub_weights",),
    "liffile": ("vrpsam_app.readers.lif",),
    "magicgui": ("napari_plugin",),
    "matplotlib": ("vrpsam_app.training.curves",),
    "napari": ("napari_plugin",),
    "nd2": ("vrpsam_app.readers.nd2_file",),
    "nibabel": ("vrpsam_app.readers.nifti",),
    "onnx": ("vrpsam_app.models.onnx_graphs",),
    "onnxscript": ("vrpsam_app.models.onnx_graphs",),
    "pandas": ("vrpsam_app.cli.objects", "vrpsam_app.objects"),
    "pycocotools": ("vrpsam_app.exchange.coco_masks",),
    "pydicom": ("vrpsam_app.readers.dicom",),
    "pylibCZIrw": ("vrpsam_app.readers.czi",),
    "qtpy": ("napari_plugin",),
    "roifile": ("vrpsam_app.exchange.imagej_rois",),
    "segment_anything": ("vrpsam_app.models",),
    "sklearn": ("vrpsam_app.methods",),
    "spaces": ("app",),
    "superqt": ("napari_plugin",),
    "tifffile": ("vrpsam_app.stack_runs.result_tiff", "vrpsam_app.tiff_files"),
    "timm": ("vrpsam_app.models",),
    "torchvision": ("vrpsam_app.models",),
    "yaml": ("vrpsam_app.exchange.yolo",),
    "zarr": (
        "vrpsam_app.embeddings.files",
        "vrpsam_app.readers.zarr_arrays",
        "vrpsam_app.stack_runs.result_array",
    ),
}


def layers() -> list[list[str]]:
    """Read the layers of vrpsam_app from ARCHITECTURE.md, the highest first."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    block = re.search(r"## Who may import whom.*?```text\n(.*?)```", page, re.DOTALL)
    assert block, "ARCHITECTURE.md has no drawing of the layers"
    return [
        [name.strip() for name in line.split(",")] for line in block.group(1).strip().splitlines()
    ]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def source_files() -> list[Path]:
    files = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return [*files, *ROOT.glob("app.py")]


def imports_of(path: Path) -> Iterator[str]:
    """Yield the dotted names a file imports, at the top, inside functions and for types only."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        yield from names_imported_by(node)


def run_time_imports_of(path: Path) -> Iterator[str]:
    """Yield the names that importing a file imports: at its top, and not for types only."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        yield from names_imported_by(node)


def names_imported_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "an import is relative: write the whole name"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_in(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


FILES = source_files()
IMPORTS = {module_name(path): sorted(set(imports_of(path))) for path in FILES}


def unit_of(name: str) -> str:
    """Return the file or room directly below vrpsam_app that a dotted name belongs to."""
    return name.split(".")[1] if name.count(".") else ""


def test_every_module_has_a_layer():
    known = {unit for layer in layers() for unit in layer}
    units = {unit_of(name) for name in IMPORTS if is_in(name, "vrpsam_app")} - {""}
    assert units == known, "ARCHITECTURE.md and vrpsam_app/ name different modules"


def test_layers_import_only_downwards():
    height = {unit: -i for i, layer in enumerate(layers()) for unit in layer}
    upward = [
        f"{name} imports {imported}"
        for name, imports in IMPORTS.items()
        for imported in imports
        if is_in(name, "vrpsam_app") and unit_of(name)
        if is_in(imported, "vrpsam_app") and unit_of(imported) in height
        if height[unit_of(name)] < height[unit_of(imported)]
    ]
    assert upward == []


def test_no_import_circles():
    graph = {
        name: {
            known
            for imported in run_time_imports_of(path)
            # A module, or the module that holds the name.
            if (known := imported if imported in IMPORTS else imported.rpartition(".")[0])
            in IMPORTS
            # The package's own file holds the version and loads the rest only when asked.
            if known not in (name, "vrpsam_app")
        }
        for name, path in zip(IMPORTS, FILES, strict=True)
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"These modules import each other: {' -> '.join(error.args[1])}")


def test_rooms_keep_their_direction():
    forbidden = {
        "hub_weights": ("vrpsam_app", "napari_plugin", "app", "torch"),
        "vrpsam_app": ("napari_plugin", "app"),
    }
    wrong = [
        f"{name} imports {imported}"
        for name, imports in IMPORTS.items()
        for imported in imports
        for room, others in forbidden.items()
        if is_in(name, room) and any(is_in(imported, other) for other in others)
    ]
    assert wrong == []


@pytest.mark.parametrize("package", DOORS)
def test_third_party_has_one_door(package: str):
    wrong = [
        f"{name} imports {imported}"
        for name, imports in IMPORTS.items()
        for imported in imports
        if is_in(imported, package) and not any(is_in(name, door) for door in DOORS[package])
    ]
    assert wrong == []


def test_the_two_lowest_layers_know_no_torch():
    low = {unit for layer in layers()[-2:] for unit in layer}
    wrong = [
        name
        for name, imports in IMPORTS.items()
        if is_in(name, "vrpsam_app") and unit_of(name) in low
        if any(is_in(imported, "torch") for imported in imports)
    ]
    assert wrong == []


def test_importing_the_package_loads_no_heavy_module():
    """Nor do the parser of the command line and the JSON side of recipes need torch."""
    script = """
import sys
import hub_weights, vrpsam_app, vrpsam_app.cli
vrpsam_app.cli.build_parser()
assert not {"numpy", "torch", "gradio"} & set(sys.modules), "import vrpsam_app is not light"
import vrpsam_app.recipe, vrpsam_app.segmenter, vrpsam_app.overlays, vrpsam_app.config
assert "torch" not in sys.modules, "a numpy-only module imports torch"
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
