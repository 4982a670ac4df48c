"""Open napari with the plugin beside the image."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

SEGMENT = "Segment from a reference"


def open_viewer(files: Sequence[str] = (), *, sample: bool = False, show: bool = True) -> Any:
    """Return a viewer with images and the segment widget.

    Parameters
    ----------
    files : images and stacks, opened by napari's readers
    sample : whether the made-up stack of nuclei is opened, with one slice marked
    show : whether the window is shown at once
    """
    import napari

    from napari_plugin.segment_widget import SegmentWidget

    viewer = napari.Viewer(title="VRP-SAM", show=show)
    if sample:
        from napari_plugin.sample_data import nuclei_stack

        for data, arguments, kind in nuclei_stack():
            getattr(viewer, f"add_{kind}")(data, **arguments)
        marks = viewer.layers[-1]
        painted = marks.data.reshape(len(marks.data), -1).any(axis=1)
        viewer.dims.set_point(0, float(painted.argmax() * marks.scale[0]))
    for file in files:
        viewer.open(file)
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name=SEGMENT, area="right")
    return viewer


def main(arguments: Sequence[str] | None = None) -> int:
    """Open a window, and wait until it is closed."""
    parser = argparse.ArgumentParser(prog="python -m napari_plugin")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--sample", action="store_true")
    options = parser.parse_args(arguments)
    import napari

    open_viewer(options.files, sample=options.sample)
    napari.run()
    return 0
