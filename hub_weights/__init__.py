"""Weights as files: which exist, where they are, whether they are whole.

Files, not models: this package knows names, folders and checksums, imports neither torch nor
``vrpsam_app``, and turns everything that goes wrong into one error with a cause and a remedy.

===================  =====================================================
``registry``         the sets of weights the product knows by name
``model_folder``     a folder with ``config.json`` and ``model.safetensors``
``checksums``        SHA-256 sums beside the files they belong to
``errors``           the exception tree
``embedded/``        the small model that ships with the product
===================  =====================================================
"""

from hub_weights.errors import ChecksumMismatchError, HubWeightsError, WeightsNotFoundError
from hub_weights.model_folder import (
    ModelFolder,
    cache_folder,
    embedded_folder,
    find_model,
    models_folder,
    own_models,
)
from hub_weights.registry import REGISTRY, WeightsEntry

__all__ = [
    "REGISTRY",
    "ChecksumMismatchError",
    "HubWeightsError",
    "ModelFolder",
    "WeightsEntry",
    "WeightsNotFoundError",
    "cache_folder",
    "embedded_folder",
    "find_model",
    "models_folder",
    "own_models",
]
