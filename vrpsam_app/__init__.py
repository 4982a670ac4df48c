"""Mark an object once in a reference image, and segment its like in every other image.

The map of the room, from the bottom up; a layer imports only what stands above it here:

==============================================  ====================================================
``errors``, ``config``                          what can go wrong; what a model is
``images``, ``geometry``, ``overlays``          arrays to RGB; resizing; drawing results
``annotations``, ``image_files``                marks of a person; pictures on disk
``references``, ``segmenter``                   an annotated example; a prediction, and who gives it
``corrections``, ``embedding_store``            marks on the target; embeddings found by content
``models``, ``data``                            torch modules; episodes to learn from
``reference_segmenter``                         what all that segment have in common
``predictor``, ``recipe``                       references + target -> prediction; what was run
``methods``                                     the predictor's peers, and guards
``batch``, ``training``, ``evaluation``         many files; learning; measuring
``cli``, ``web``                                the command line; the web app
==============================================  ====================================================

The names below are loaded when they are first used, so that ``import vrpsam_app`` is quick and
needs neither torch nor a model.

Examples
--------
>>> from vrpsam_app import Box, Reference, VRPSAMPredictor, read_image
>>> predictor = VRPSAMPredictor.from_pretrained()  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vrpsam_app.annotations import Box, Mask, Point, Scribble
    from vrpsam_app.corrections import Corrections
    from vrpsam_app.errors import VRPSAMError
    from vrpsam_app.image_files import read_image
    from vrpsam_app.images import IntensityRange
    from vrpsam_app.overlays import overlay
    from vrpsam_app.predictor import VRPSAMPredictor
    from vrpsam_app.recipe import Recipe
    from vrpsam_app.references import Reference
    from vrpsam_app.segmenter import ClassPredictions, Prediction, Segmenter

__version__ = "0.1.0"

__all__ = [
    "Box",
    "ClassPredictions",
    "Corrections",
    "IntensityRange",
    "Mask",
    "Point",
    "Prediction",
    "Recipe",
    "Reference",
    "Scribble",
    "Segmenter",
    "VRPSAMError",
    "VRPSAMPredictor",
    "__version__",
    "overlay",
    "read_image",
]

_MODULE_OF = {
    "Box": "annotations",
    "ClassPredictions": "segmenter",
    "Corrections": "corrections",
    "IntensityRange": "images",
    "Mask": "annotations",
    "Point": "annotations",
    "Prediction": "segmenter",
    "Recipe": "recipe",
    "Reference": "references",
    "Scribble": "annotations",
    "Segmenter": "segmenter",
    "VRPSAMError": "errors",
    "VRPSAMPredictor": "predictor",
    "overlay": "overlays",
    "read_image": "image_files",
}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value  # found at once the next time
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
