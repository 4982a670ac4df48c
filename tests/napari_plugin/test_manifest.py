"""The manifest is valid, its commands exist, and nothing heavy comes with it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from npe2 import PluginManifest

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = PluginManifest.from_file(ROOT / "napari_plugin" / "napari.yaml")
COMMANDS = {c.id: str(c.python_name) for c in MANIFEST.contributions.commands}


def test_its_name_is_that_of_the_distribution():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert MANIFEST.name == project["name"]
    assert project["entry-points"]["napari.manifest"] == {
        project["name"]: "napari_plugin:napari.yaml"
    }
    assert all(c.id.startswith(f"{MANIFEST.name}.") for c in MANIFEST.contributions.commands)


def test_npe2_finds_it_valid():
    path = ROOT / "napari_plugin" / "napari.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", MANIFEST.contributions.commands, ids=lambda command: command.id)
def test_its_commands_exist(command):
    module, _, name = str(command.python_name).partition(":")
    assert callable(getattr(import_module(module), name))


def test_preferences_are_those_of_the_plugin():
    from dataclasses import asdict

    from napari_plugin.preferences import Preferences

    properties = {
        name: field.default
        for section in MANIFEST.contributions.configurations.values()
        for name, field in section.properties.items()
    }
    assert properties == asdict(Preferences())


def test_opening_the_widgets_module_loads_no_torch():
    script = (
        "import sys, napari_plugin, napari_plugin.segment_widget, napari_plugin.session\n"
        "assert 'torch' not in sys.modules\n"
        "assert 'napari' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_its_widgets_open_as_the_menu_opens_them_and_share_a_place(viewer, qtbot):
    import npe2
    from qtpy.QtWidgets import QDockWidget, QMainWindow

    if MANIFEST.name not in npe2.PluginManager.instance():
        npe2.PluginManager.instance().register(MANIFEST)
    docks: list[QDockWidget] = []
    for contribution in MANIFEST.contributions.widgets:
        dock, widget = viewer.window.add_plugin_dock_widget(
            MANIFEST.name, contribution.display_name
        )
        module, _, name = COMMANDS[contribution.command].partition(":")
        assert isinstance(widget, getattr(import_module(module), name))
        docks.append(dock)
    window = docks[0].parent()
    assert isinstance(window, QMainWindow)
    qtbot.waitUntil(
        lambda: set(window.tabifiedDockWidgets(docks[0])) == set(docks[1:]), timeout=5000
    )
