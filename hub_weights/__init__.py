"""Weights as files: which exist, where they are, whether they are whole.

Files, not models: this package knows names, folders and checksums, imports neither torch nor
``vrpsam_app``, and turns everything that goes wrong into one error with a cause and a remedy.

=====================  =====================================================
``registry``           the sets of weights the product knows by name
``weights_search``     a name of the registry -> a file
``model_search``       a name, a folder or a repository -> a model's folder
``model_folder``       a folder with ``config.json`` and ``model.safetensors``
``download``           asked, fetched, compared, handed out
``remote_file``        what the Hub says of a file before it is fetched
``cached_file``        files in the Hub's cache
``inventory``          what is here, and what can be had
``publish``            a model with its card -> the Hub
``model_card``         what a card says: only what was measured
``checksums``          SHA-256 sums beside the files they belong to
``file_names``         names from elsewhere that must not lead out of a folder
``hub_errors``         whatever huggingface_hub raises -> one of ours
``errors``             the exception tree
``embedded/``          the small model that ships with the product
=====================  =====================================================
"""

from hub_weights.download import LocalFile, download_file, download_weights, source_of
from hub_weights.download_progress import DownloadCallback, DownloadProgress, in_bytes
from hub_weights.errors import (
    CacheFolderError,
    ChecksumMismatchError,
    FileNotInRepositoryError,
    HubUnreachableError,
    HubWeightsError,
    NotOnThisComputerError,
    OtherModelError,
    PublishError,
    UnsafeNameError,
    WeightsAccessError,
    WeightsNotFoundError,
)
from hub_weights.file_names import RepoName, check_file_name
from hub_weights.folders import cache_folder, embedded_folder, foundation_folder, models_folder
from hub_weights.inventory import KnownWeights, list_weights, remove_weights
from hub_weights.model_folder import ModelFolder, own_models
from hub_weights.model_search import ask_about_model, find_model
from hub_weights.publish import Publication, note_facts, plan_publication, publish_model
from hub_weights.registry import REGISTRY, WeightsEntry, WeightsFile, entry_of, entry_with
from hub_weights.remote_file import RemoteFile, licence_of, look_up
from hub_weights.weights_search import find_weights

__all__ = [
    "REGISTRY",
    "CacheFolderError",
    "ChecksumMismatchError",
    "DownloadCallback",
    "DownloadProgress",
    "FileNotInRepositoryError",
    "HubUnreachableError",
    "HubWeightsError",
    "KnownWeights",
    "LocalFile",
    "ModelFolder",
    "NotOnThisComputerError",
    "OtherModelError",
    "Publication",
    "PublishError",
    "RemoteFile",
    "RepoName",
    "UnsafeNameError",
    "WeightsAccessError",
    "WeightsEntry",
    "WeightsFile",
    "WeightsNotFoundError",
    "ask_about_model",
    "cache_folder",
    "check_file_name",
    "download_file",
    "download_weights",
    "embedded_folder",
    "entry_of",
    "entry_with",
    "find_model",
    "find_weights",
    "foundation_folder",
    "in_bytes",
    "licence_of",
    "list_weights",
    "look_up",
    "models_folder",
    "note_facts",
    "own_models",
    "plan_publication",
    "publish_model",
    "remove_weights",
    "source_of",
]
