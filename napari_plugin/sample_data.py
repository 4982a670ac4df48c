"""Samples for File > Open Sample: made-up stacks with their truth, and photographs, all marked.

Nothing is fetched: the stacks are drawn when they are opened, and the photographs lie in
scikit-image's wheel. Each comes with a layer of marks, so that one button shows an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_plugin.layer_annotations import CLASS, POSITIVE
from napari_plugin.result_record import METADATA_KEY

if TYPE_CHECKING:
    from vrpsam_app.data.lookalike_scenes import LookalikeScene

LayerData = tuple[Any, dict[str, Any], str]

MARKS_NAME = "Marks"
_MARK_COLOUR = "#ffd23f"
# A coin in the second row of the plate, as napari counts: pixel centres at whole numbers.
_COIN_ROWS, _COIN_COLS = (103.5, 145.5), (24.5, 66.5)
# A stroke through the round gland, and one through the tissue around it.
_GLAND = ((332.0, 300.0), (372.0, 312.0), (420.0, 318.0), (466.0, 344.0))
_STROMA = ((268.0, 210.0), (284.0, 330.0))
_STROKE_WIDTH = 14.0


def nuclei_stack() -> list[LayerData]:
    """Return a z-stack of nuclei among equally bright rods; its middle slice is marked."""
    from vrpsam_app.data.lookalike_scenes import nuclei_among_rods

    scene = nuclei_among_rods()
    return _scene_layers(scene, "Nuclei among rods", (len(scene.image) - 1) // 2)


def nuclei_time_lapse() -> list[LayerData]:
    """Return a time lapse of drifting nuclei and rods; the frame in its middle is marked."""
    from vrpsam_app.data.lookalike_scenes import drifting_nuclei

    scene = drifting_nuclei()
    return _scene_layers(scene, "Drifting nuclei", (len(scene.image) - 1) // 2)


def coins() -> list[LayerData]:
    """Return scikit-image's photograph of Greek coins; one of them is marked by an ellipse."""
    from skimage import data

    (top, bottom), (left, right) = _COIN_ROWS, _COIN_COLS
    corners = np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
    return [
        (data.coins(), {"name": "Coins"}, "image"),
        _shapes([corners], ["ellipse"], edge_width=1.5, classes=["coin"], positive=[True]),
    ]


def glands() -> list[LayerData]:
    """Return scikit-image's stained tissue; a stroke marks a gland, another what is none."""
    from skimage import data

    return [
        (data.immunohistochemistry(), {"name": "Glands", "rgb": True}, "image"),
        _shapes(
            [np.array(_GLAND), np.array(_STROMA)],
            ["path", "path"],
            edge_width=_STROKE_WIDTH,
            classes=["gland", "gland"],
            positive=[True, False],
        ),
    ]


def _scene_layers(scene: LookalikeScene, name: str, marked: int) -> list[LayerData]:
    """Return image, marks on one plane and the hidden truth of a scene."""
    from napari.utils.colormaps import DirectLabelColormap

    from napari_plugin.result_layers import class_colours
    from vrpsam_app.data.lookalike_scenes import KINDS, MINUTES

    size = scene.pixel_size
    along_z = scene.axis == "z"
    placed = {
        "scale": (size.plane if along_z else MINUTES, size.row, size.col),
        "units": (size.unit if along_z else "minute", size.unit, size.unit),
        "axis_labels": (scene.axis, "y", "x"),
    }
    classes = np.array([0, *range(1, len(KINDS) + 1)], np.uint8)[scene.kinds + 1]
    marks = np.zeros(scene.image.shape, np.uint8)
    marks[marked] = classes[scene.labels[marked]]
    said = {"classes": dict(enumerate(KINDS, start=1)), "all_marked": True}
    low, high = (float(v) for v in np.percentile(scene.image[marked], (0.5, 99.9)))
    return [
        (scene.image, {"name": name, **placed, "contrast_limits": (low, high)}, "image"),
        (
            scene.labels_of(KINDS[0]),
            {"name": f"Truth: {KINDS[0]}", **placed, "visible": False, "opacity": 0.5},
            "labels",
        ),
        (
            marks,
            {
                "name": MARKS_NAME,
                **placed,
                "opacity": 0.5,
                "colormap": DirectLabelColormap(color_dict=class_colours(len(KINDS))),
                "metadata": {METADATA_KEY: {"marks": said}},
            },
            "labels",
        ),
    ]


def _shapes(
    shapes: list[Any],
    kinds: list[str],
    *,
    edge_width: float,
    classes: list[str],
    positive: list[bool],
) -> LayerData:
    """Return a layer of marks with what they say."""
    colours = [_MARK_COLOUR if sign else "#e4572e" for sign in positive]
    arguments = {
        "name": MARKS_NAME,
        "shape_type": kinds,
        "edge_width": edge_width,
        "edge_color": colours,
        "face_color": "transparent",
        "features": {CLASS: classes, POSITIVE: positive},
        "metadata": {METADATA_KEY: {"marks": {"all_marked": False}}},
    }
    return shapes, arguments, "shapes"
