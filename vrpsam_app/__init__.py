"""Mark an object once in a reference image, and segment its like in every other image.

Examples
--------
>>> from skimage import data
>>> from vrpsam_app import Box, Reference, VRPSAMPredictor
>>> coins = data.coins()
>>> reference = Reference.from_annotations(coins[:152], [Box(top=34, left=21, bottom=75, right=67)])
>>> predictor = VRPSAMPredictor.from_pretrained()
>>> predictor.predict(coins[152:], reference).present
True

``docs/python.md`` has more, and ``help(vrpsam_app.Reference)`` all about a name. Names are loaded
when they are first used, so that ``import vrpsam_app`` is quick, without torch or a model.

Notes
-----
The map of the room, from the bottom up; a layer imports only what stands above it here:

==============================================  ====================================================
``errors``, ``config``                          what can go wrong; what a model is
``images``, ``geometry``, ``overlays``          arrays to RGB; resizing; drawing results
``annotations``, ``image_files``                marks of a person; pictures on disk
``stacks``, ``readers``                         planes along axes, lazily; files of all formats
``references``, ``segmenter``                   an annotated example; a prediction, and who gives it
``library``, ``exchange``                       named examples; objects as files of other programs
``corrections``, ``embeddings``                 marks on the target; embeddings found by content
``models``, ``data``                            torch modules; episodes to learn from
``reference_segmenter``                         what all that segment have in common
``predictor``, ``recipe``                       references + target -> prediction; what was run
``methods``                                     the predictor's peers, and guards
``tiles``, ``stack_runs``                       planes of any size; stacks, lazily or to disk
``objects``                                     single objects, through stacks, in numbers
``video``                                       films gone through in order, with a memory
``batch``, ``folder_run``                       many files; with a recipe that replays them
``training``, ``evaluation``                    learning; measuring
``review``                                      a folder of pictures on its way to a data set
``cli``, ``web``                                the command line; the web app
==============================================  ====================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vrpsam_app.annotations import Box, Mask, Point, Scribble
    from vrpsam_app.corrected import predict_corrected
    from vrpsam_app.corrections import Corrections
    from vrpsam_app.cutouts import CutoutOptions, cut_out
    from vrpsam_app.embeddings.store import DiskEmbeddingStore
    from vrpsam_app.errors import VRPSAMError
    from vrpsam_app.folder_run import FolderRun, replay
    from vrpsam_app.image_files import read_image
    from vrpsam_app.images import IntensityRange
    from vrpsam_app.library.reference_library import ReferenceLibrary
    from vrpsam_app.objects.finding import find_objects
    from vrpsam_app.objects.instances import ObjectOptions, instances_of
    from vrpsam_app.objects.linking import LinkOptions, link
    from vrpsam_app.objects.measurements import measure
    from vrpsam_app.overlays import overlay
    from vrpsam_app.predictor import VRPSAMPredictor
    from vrpsam_app.progress import CancelToken
    from vrpsam_app.recipe import Recipe
    from vrpsam_app.references import Reference
    from vrpsam_app.review.project import ReviewProject
    from vrpsam_app.run_settings import RunSettings
    from vrpsam_app.segmenter import ClassPredictions, Prediction, Segmenter
    from vrpsam_app.stack_runs.lazy_result import predict_stack
    from vrpsam_app.stack_runs.run import segment_stack
    from vrpsam_app.stacks.stack import PixelSize, Stack
    from vrpsam_app.stacks.stack_files import open_stack
    from vrpsam_app.tiles.plan import TileOptions
    from vrpsam_app.tiles.tiling import predict_tiled
    from vrpsam_app.video.options import MemoryOptions
    from vrpsam_app.video.predict import predict_video
    from vrpsam_app.video.run import segment_video

__version__ = "0.1.0"

__all__ = [
    "Box",
    "CancelToken",
    "ClassPredictions",
    "Corrections",
    "CutoutOptions",
    "DiskEmbeddingStore",
    "FolderRun",
    "IntensityRange",
    "LinkOptions",
    "Mask",
    "MemoryOptions",
    "ObjectOptions",
    "PixelSize",
    "Point",
    "Prediction",
    "Recipe",
    "Reference",
    "ReferenceLibrary",
    "ReviewProject",
    "RunSettings",
    "Scribble",
    "Segmenter",
    "Stack",
    "TileOptions",
    "VRPSAMError",
    "VRPSAMPredictor",
    "__version__",
    "cut_out",
    "find_objects",
    "instances_of",
    "link",
    "measure",
    "open_stack",
    "overlay",
    "predict_corrected",
    "predict_stack",
    "predict_tiled",
    "predict_video",
    "read_image",
    "replay",
    "segment_stack",
    "segment_video",
]

_MODULE_OF = {
    "Box": "annotations",
    "CancelToken": "progress",
    "ClassPredictions": "segmenter",
    "Corrections": "corrections",
    "CutoutOptions": "cutouts",
    "DiskEmbeddingStore": "embeddings.store",
    "FolderRun": "folder_run",
    "IntensityRange": "images",
    "LinkOptions": "objects.linking",
    "Mask": "annotations",
    "MemoryOptions": "video.options",
    "ObjectOptions": "objects.instances",
    "PixelSize": "stacks.stack",
    "Point": "annotations",
    "Prediction": "segmenter",
    "Recipe": "recipe",
    "Reference": "references",
    "ReferenceLibrary": "library.reference_library",
    "ReviewProject": "review.project",
    "RunSettings": "run_settings",
    "Scribble": "annotations",
    "Segmenter": "segmenter",
    "Stack": "stacks.stack",
    "TileOptions": "tiles.plan",
    "VRPSAMError": "errors",
    "VRPSAMPredictor": "predictor",
    "cut_out": "cutouts",
    "find_objects": "objects.finding",
    "instances_of": "objects.instances",
    "link": "objects.linking",
    "measure": "objects.measurements",
    "open_stack": "stacks.stack_files",
    "overlay": "overlays",
    "predict_corrected": "corrected",
    "predict_stack": "stack_runs.lazy_result",
    "predict_tiled": "tiles.tiling",
    "predict_video": "video.predict",
    "read_image": "image_files",
    "replay": "folder_run",
    "segment_stack": "stack_runs.run",
    "segment_video": "video.run",
}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value  # found at once the next time
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
