"""Make the pictures of docs/napari.md: every panel of the napari plugin, in use, in a real viewer.

Run ``python docs/make_napari_pictures.py`` on a screen, or with ``xvfb-run -a -s "-screen 0
1600x1200x24"`` before it where there is none. All data are drawn, or lie in scikit-image's wheel;
nothing is fetched. The embedded model answers, so a run takes a minute or two.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The pictures show the plugin as it is installed, whatever a person has set.
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp(prefix="napari-")) / "settings.yaml")

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

FOLDER = Path(__file__).with_name("images")
_SIZE = (1320, 860)
_LONGEST = 300.0  # seconds that an answer may take


def main() -> int:
    """Make all pictures."""
    FOLDER.mkdir(exist_ok=True)
    make_stack_pictures()
    make_time_lapse_picture()
    return 0


def make_stack_pictures() -> None:
    """Show the way of a stack: marked, segmented, reviewed, measured."""
    from napari_plugin.measure_widget import MeasureWidget
    from napari_plugin.references_widget import ReferencesWidget
    from napari_plugin.review_widget import ReviewWidget

    viewer = opened("nuclei_stack")
    segment, dock = docked(viewer)
    settle(lambda: not busy(segment))
    go_to(viewer, 12)
    settle(lambda: not busy(segment))
    go_to(viewer, 11)  # by now the answer to the slice is drawn around the marks
    settle(lambda: not busy(segment))
    save(viewer, "napari_segment.png")

    segment.segment_all()
    settle(lambda: not busy(segment))
    segment.form.live.setChecked(False)
    viewer.layers["Marks"].visible = False
    go_to(viewer, 17)
    settle(lambda: not busy(segment))
    save(viewer, "napari_stack.png")
    viewer.window.remove_dock_widget(dock)

    review = ReviewWidget(viewer)
    dock = viewer.window.add_dock_widget(review, name="Review a result", area="right")
    settle()
    for _ in range(3):
        review.accept()
        settle()
    review.plus.click()
    review.clicks.layer.add([[*review.index, *missed_place(viewer, review)]])
    settle(lambda: len(review.record.edited) > 3)
    save(viewer, "napari_review.png")
    review.plus.click()
    viewer.window.remove_dock_widget(dock)

    measure = MeasureWidget(viewer)
    dock = viewer.window.add_dock_widget(measure, name="Measure and export", area="right")
    measure.link()
    settle(lambda: not measure.busy)
    measure.measure()
    settle(lambda: not measure.busy)
    measure.show_table()
    go_to(viewer, 12)
    settle()
    save(viewer, "napari_measure.png")
    viewer.window.remove_dock_widget("all")

    viewer.layers.selection.active = viewer.layers["Marks"]
    viewer.layers["Marks"].visible = True
    viewer.layers["Nuclei among rods objects"].visible = False
    references = ReferencesWidget(viewer)
    viewer.window.add_dock_widget(references, name="References", area="right")
    for item in references.session.references:
        references.session.keep_reference(item)
    settle()
    references.cards[1].not_this.click()  # rods, against nuclei
    go_to(viewer, 11)
    settle()
    save(viewer, "napari_references.png")
    viewer.close()


def missed_place(viewer: Any, review: Any) -> Any:
    """Return the middle of the nucleus of which most was missed."""
    from scipy import ndimage

    truth = np.asarray(viewer.layers["Truth: nucleus"].data[review.index])
    missed = np.where(np.asarray(review.record.layer.data[review.index]) == 1, 0, truth)
    depth = ndimage.distance_transform_edt(missed == np.bincount(missed.ravel())[1:].argmax() + 1)
    return np.unravel_index(depth.argmax(), depth.shape)


def make_time_lapse_picture() -> None:
    """Show objects that keep their numbers while they move."""
    from napari_plugin.measure_widget import MeasureWidget
    from napari_plugin.references_widget import ReferencesWidget

    viewer = opened("nuclei_time_lapse")
    segment, dock = docked(viewer)
    settle(lambda: not busy(segment))
    references = ReferencesWidget(viewer)
    for item in references.session.references:
        references.session.keep_reference(item)
    settle()
    references.cards[1].not_this.click()  # rods, against nuclei
    references.end()
    viewer.layers.remove("Marks")
    segment.segment_all()
    settle(lambda: not busy(segment))
    viewer.window.remove_dock_widget(dock)
    measure = MeasureWidget(viewer)
    viewer.window.add_dock_widget(measure, name="Measure and export", area="right")
    measure.measure()
    settle(lambda: not measure.busy)
    save(viewer, "napari_time_lapse.png")
    viewer.close()


def opened(sample: str) -> Any:
    """Return a viewer with a sample in it, as File > Open Sample opens it."""
    from napari_plugin import sample_data

    viewer = napari.Viewer()
    viewer.window.resize(*_SIZE)
    for data, arguments, kind in getattr(sample_data, sample)():
        getattr(viewer, f"add_{kind}")(data, **arguments)
    return viewer


def docked(viewer: Any) -> tuple[Any, Any]:
    """Return the segment widget and its dock."""
    from napari_plugin.segment_widget import SegmentWidget

    widget = SegmentWidget(viewer)
    dock = viewer.window.add_dock_widget(widget, name="Segment from a reference", area="right")
    settle()
    viewer.reset_view()  # the dock has taken room from the picture
    return widget, dock


def busy(segment: Any) -> bool:
    """Whether the segment widget has something left to do."""
    return bool(segment.marks.waits or segment.preview.busy or segment.workers.running)


def go_to(viewer: Any, plane: int) -> None:
    """Move the first slider."""
    viewer.dims.set_current_step(0, plane)


def settle(done: Callable[[], bool] = lambda: True, pause: float = 0.5) -> None:
    """Let the window work until something is done, and a moment longer so that it is drawn."""
    began = time.monotonic()
    while time.monotonic() - began < pause or not done():
        QApplication.processEvents()
        time.sleep(0.01)
        if time.monotonic() - began > _LONGEST:
            raise TimeoutError(f"Nothing came for {_LONGEST:.0f} s.")
    drawn = time.monotonic()
    while time.monotonic() - drawn < pause:
        QApplication.processEvents()
        time.sleep(0.01)


def save(viewer: Any, name: str) -> None:
    """Write the whole window as a picture."""
    viewer.screenshot(str(FOLDER / name), canvas_only=False, flash=False)
    print(FOLDER / name)


if __name__ == "__main__":
    raise SystemExit(main())
