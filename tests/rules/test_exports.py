"""The public names of vrpsam_app: complete, sorted, and each where it says."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import vrpsam_app

ROOT = Path(__file__).resolve().parents[2]
PUBLIC_ROOMS = sorted(
    ".".join(path.parent.relative_to(ROOT).parts)
    for room in ("vrpsam_app", "hub_weights", "napari_plugin")
    for path in (ROOT / room).rglob("__init__.py")
    if "__all__" in path.read_text(encoding="utf-8")
)


def test_public_names_are_sorted():
    assert vrpsam_app.__all__ == sorted(vrpsam_app.__all__)


@pytest.mark.parametrize("name", vrpsam_app.__all__)
def test_public_name_resolves(name: str):
    assert getattr(vrpsam_app, name) is not None
    assert name in dir(vrpsam_app)


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(vrpsam_app.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {name: f"vrpsam_app.{module}" for name, module in vrpsam_app._MODULE_OF.items()}
    assert set(seen) == set(vrpsam_app.__all__) - {"__version__"}


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Segment'"):
        _ = vrpsam_app.Segment


@pytest.mark.parametrize("room", PUBLIC_ROOMS)
def test_rooms_export_what_exists(room: str):
    module = importlib.import_module(room)
    missing = [name for name in module.__all__ if not hasattr(module, name)]
    assert missing == []
    assert len(set(module.__all__)) == len(module.__all__)
