"""What is said of a chosen image: only what a person could take wrongly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_plugin.image_choice import ImageChoice
from napari_plugin.image_words import image_words

HIDDEN = "Marks go to 'below', which is hidden by 'above'."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, HIDDEN),
        ({"blending": "opaque"}, HIDDEN),
        ({"blending": "additive"}, ""),
        ({"opacity": 0.5}, ""),
        ({"visible": False}, ""),
        ({"translate": (0, 30)}, ""),  # beside it
        ({"scale": (0.2, 0.2)}, ""),  # in a corner
    ],
)
def test_an_image_that_hides_the_chosen_one_is_named(arguments: dict[str, Any], said: str):
    viewer = ViewerModel()
    below = viewer.add_image(np.zeros((20, 20)), name="below")
    above = viewer.add_image(np.zeros((20, 20)), name="above", **arguments)
    viewer.add_labels(np.zeros((20, 20), int))
    assert image_words(viewer, below, ImageChoice()) == said
    assert image_words(viewer, above, ImageChoice()) == ("" if above.visible else
        "Marks go to 'above', which is hidden by 'below'.")  # fmt: skip
    assert image_words(viewer, below, ImageChoice(more_images=("above",))) == ""
    viewer.layers.move(1, 0)
    assert image_words(viewer, below, ImageChoice()) == ""
    viewer.layers.remove(below)
    assert image_words(viewer, below, ImageChoice()) == ""


@pytest.mark.parametrize(
    ("channels", "said"),
    [
        (None, "4 channels as one image."),
        ((0, 1, 2), "Of 4 channels 0, 1, 2 as one image; others under Advanced."),
        ((3,), "Of 4 channels only 3; others under Advanced."),
    ],
)
def test_channels_are_counted(channels: Any, said: str):
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((4, 6, 8, 9)))
    assert image_words(viewer, layer, ImageChoice(channel_axis=0, channels=channels)) == said
