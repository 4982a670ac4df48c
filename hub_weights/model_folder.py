"""A folder that holds one model: ``config.json``, ``model.safetensors`` and their checksums."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hub_weights.checksums import verify
from hub_weights.errors import WeightsNotFoundError
from hub_weights.registry import REGISTRY

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A verified model folder.

    Attributes
    ----------
    path : folder
        Holds ``config.json`` and ``model.safetensors``.
    sha256 : hexadecimal
        Sum of the weight file: with the code version it says which model it is.
    """

    path: Path
    sha256: str

    @property
    def config(self) -> Path:
        """Path of the configuration."""
        return self.path / CONFIG_NAME

    @property
    def weights(self) -> Path:
        """Path of the weights."""
        return self.path / WEIGHTS_NAME

    @classmethod
    def open(cls, path: Path) -> ModelFolder:
        """Check that the folder is complete and its weights are the recorded ones.

        Raises
        ------
        WeightsNotFoundError
            If the folder or one of its files does not exist.
        ChecksumMismatchError
            If the weights differ from the recorded sum.
        """
        if not (path / CONFIG_NAME).is_file():
            raise WeightsNotFoundError(
                f"{path} holds no {CONFIG_NAME}: expected a model folder with {CONFIG_NAME} and "
                f"{WEIGHTS_NAME}. Give its path, or one of the names {', '.join(REGISTRY)}."
            )
        return cls(path, verify(path, WEIGHTS_NAME))


def embedded_folder() -> Path:
    """Return the folder of the model that ships with the product."""
    return Path(__file__).parent / "embedded"


def cache_folder() -> Path:
    """Return where the Hub's files are kept: ``HF_HUB_CACHE``, ``HF_HOME/hub`` or the default."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    home = os.environ.get("HF_HOME", "~/.cache/huggingface")
    return Path(home).expanduser() / "hub"


def models_folder() -> Path:
    """Return where models made on this computer are kept: ``VRPSAM_MODELS`` or the default."""
    return Path(os.environ.get("VRPSAM_MODELS", "~/.vrpsam/models")).expanduser()


def own_models() -> tuple[str, ...]:
    """Return the names of the models made on this computer, in alphabetical order."""
    return tuple(sorted(p.parent.name for p in models_folder().glob(f"*/{CONFIG_NAME}")))


def find_model(name_or_folder: str | Path) -> ModelFolder:
    """Find a model by its registry name, the name it was given on this computer, or its folder.

    Raises
    ------
    WeightsNotFoundError
        If it is neither.
    ChecksumMismatchError
        If the weights differ from the recorded sum.
    """
    if name_or_folder == "embedded":
        return ModelFolder.open(embedded_folder())
    if str(name_or_folder) in own_models():
        return ModelFolder.open(models_folder() / name_or_folder)
    path = Path(name_or_folder).expanduser()
    if not path.is_dir():
        raise WeightsNotFoundError(
            f"{str(name_or_folder)!r} is neither a folder nor a known name. Known names: "
            f"{', '.join((*REGISTRY, *own_models()))}."
        )
    return ModelFolder.open(path)
