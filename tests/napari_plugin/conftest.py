"""A real viewer on a screen of its own, and a segmenter that answers at once."""

from __future__ import annotations

import atexit
import gc
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.colour_segmenter import ColourSegmenter

# napari keeps its settings in the user's folders unless it is told otherwise.
_SETTINGS = tempfile.TemporaryDirectory(prefix="napari-settings-")
os.environ["NAPARI_CONFIG"] = str(Path(_SETTINGS.name) / "settings.yaml")
os.environ["NAPARI_ASYNC"] = "0"


def _start_screen() -> None:
    """Start a virtual screen where there is none, so that plain ``pytest`` finds one."""
    if sys.platform != "linux" or os.environ.get("DISPLAY"):
        return
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1200x24", "-nolisten", "tcp"],
        pass_fds=(write,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(server.wait, 10)
    atexit.register(server.terminate)
    os.close(write)
    with os.fdopen(read) as told:
        os.environ["DISPLAY"] = f":{told.readline().strip()}"


_start_screen()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # napari's own, of its dependencies, when it is imported
    import napari
    import napari.layers
    import napari.qt.threading
    import napari.settings
    import napari.viewer

    napari.Viewer  # noqa: B018 - a lazy name: brings what the first window needs


class GreySegmenter(ColourSegmenter):
    """Finds what is as grey as what was marked; counts pictures and can be slow."""

    input_side = 4096
    score = 0.8
    made_by = MappingProxyType({**ColourSegmenter.made_by, "model": "grey"})

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.prepared = 0
        self.seconds = 0.0

    @property
    def ranges(self) -> list[Any]:
        return [call["intensity_range"] for call in self.calls]

    def prepare(self, image: NDArray[Any], *, intensity_range: Any = None) -> None:
        self.prepared += 1

    def predict(self, target: NDArray[Any], references: Sequence[Any], **arguments: Any) -> Any:
        self.asked += 1
        time.sleep(self.seconds)
        return super().predict(target, references, **arguments)


def discs(planes: int = 6, hw: tuple[int, int] = (48, 64), dtype: Any = np.uint8) -> NDArray[Any]:
    """Return a dark stack with bright discs that drift by a pixel a plane."""
    rows, cols = np.mgrid[: hw[0], : hw[1]]
    stack = np.full((planes, *hw), 20, dtype)
    for z in range(planes):
        for row, col in ((14, 14 + z), (32, 40 - z)):
            stack[z][(rows - row) ** 2 + (cols - col) ** 2 <= 36] = 200
    return stack


@pytest.fixture
def grey() -> GreySegmenter:
    return GreySegmenter()


@pytest.fixture
def make_discs() -> Callable[..., NDArray[Any]]:
    return discs


@pytest.fixture
def disc_stack() -> NDArray[np.uint8]:
    return discs()


@pytest.fixture
def make_viewer(qtbot: Any) -> Iterator[Callable[[], Any]]:
    """Make viewers that are closed at the end; nothing of them may be left running."""
    from qtpy.QtWidgets import QApplication

    made: list[Any] = []

    def make() -> Any:
        made.append(napari.Viewer(show=False))
        return made[-1]

    yield make
    for viewer in made:
        viewer.close()
    QApplication.processEvents()


@pytest.fixture(scope="session")
def one_viewer(qapp: Any) -> Iterator[Any]:
    """Open a window that tests use one after the other, because opening one takes long."""
    viewer = napari.Viewer(show=False)
    # napari collects garbage with every layer that goes; what came with the imports and the window
    # need not be looked at each time.
    gc.collect()
    gc.freeze()
    yield viewer
    gc.unfreeze()
    viewer.close()


@pytest.fixture
def viewer(one_viewer: Any, qtbot: Any) -> Iterator[Any]:
    """Return a viewer without layers, widgets or a session."""
    from napari_plugin.session import _SESSIONS

    yield one_viewer
    for widget in list(one_viewer.window.dock_widgets.values()):
        widget.close()
        one_viewer.window.remove_dock_widget(widget)
    one_viewer.layers.clear()
    one_viewer.dims.order = (0, 1)
    one_viewer.dims.ndisplay = 2
    _SESSIONS.pop(one_viewer, None)


@pytest.fixture
def make_widget(grey: GreySegmenter, tmp_path: Path) -> Callable[..., Any]:
    """Dock the segment widget in a viewer, with the grey segmenter in the place of the model."""
    from dataclasses import replace

    from napari_plugin.segment_widget import SegmentWidget
    from napari_plugin.session import Session

    def make(viewer: Any, segmenter: Any = None, **preferences: Any) -> SegmentWidget:
        session = Session.of(viewer)
        session.preferences = replace(
            session.preferences, folder=str(tmp_path / "results"), cache_gb=0.0, **preferences
        )
        session.shelf.put(session.choice, grey if segmenter is None else segmenter)
        widget = SegmentWidget(viewer)
        viewer.window.add_dock_widget(widget, name="VRP-SAM")
        return widget

    return make


@pytest.fixture
def settle(qtbot: Any) -> Callable[..., None]:
    """Let the event loop run until a widget has nothing left to do."""

    def wait(widget: Any, timeout: int = 60_000) -> None:
        def idle() -> bool:
            busy = widget.marks.waits or widget.preview.busy
            return not (busy or widget.flow.running or widget.workers.running)

        qtbot.waitUntil(idle, timeout=timeout)

    return wait
