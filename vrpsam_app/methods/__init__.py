"""Everything that answers the same question as our model: peers to beat, guards to fail.

=======================  ======================================================================
name                     what it is
=======================  ======================================================================
``vrp_sam``              our model
``geometric_points``     the model asked by points instead of visual prompts; ``geometric_box``,
                         ``geometric_both`` likewise
``training_free_prior``  closed-form classifier on fixed filters, no training
``pixel_forest``         random forest on the marked pixels
``tuned_threshold``      best threshold on the references
``everything``           guards: all pixels, no pixel, the same pixels whatever is asked
``nothing``
``ignore_reference``
=======================  ======================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vrpsam_app.methods.geometric_prompts import PromptKind
    from vrpsam_app.predictor import VRPSAMPredictor
    from vrpsam_app.reference_segmenter import ReferenceSegmenter

__all__ = ["GUARDS", "METHODS", "PEERS"]

PredictorSource = Callable[[], "VRPSAMPredictor"]


def _vrp_sam(predictor: PredictorSource) -> ReferenceSegmenter:
    return predictor()


def _geometric(kind: PromptKind, predictor: PredictorSource) -> ReferenceSegmenter:
    from vrpsam_app.methods.geometric_prompts import GeometricPrompts

    return GeometricPrompts(predictor(), kind)


def _pixel_method(module: str, class_name: str, _: PredictorSource) -> ReferenceSegmenter:
    method: ReferenceSegmenter = getattr(import_module(f"{__name__}.{module}"), class_name)()
    return method


METHODS: Mapping[str, Callable[[PredictorSource], ReferenceSegmenter]] = MappingProxyType(
    {
        "vrp_sam": _vrp_sam,
        "geometric_points": partial(_geometric, "points"),
        "geometric_box": partial(_geometric, "box"),
        "geometric_both": partial(_geometric, "both"),
        "training_free_prior": partial(_pixel_method, "training_free_prior", "TrainingFreePrior"),
        "pixel_forest": partial(_pixel_method, "pixel_forest", "PixelForest"),
        "tuned_threshold": partial(_pixel_method, "tuned_threshold", "TunedThreshold"),
        "everything": partial(_pixel_method, "guards", "Everything"),
        "nothing": partial(_pixel_method, "guards", "Nothing"),
        "ignore_reference": partial(_pixel_method, "guards", "IgnoreReference"),
    }
)
"""Name -> builder. It takes a function that loads the model, and calls it only if it needs one."""

PEERS = ("pixel_forest", "tuned_threshold")
"""The better of these two on a data set is *the peer*: it asks for no training and no network."""

GUARDS = ("everything", "nothing", "ignore_reference")
"""A test that one of these passes tests nothing."""
