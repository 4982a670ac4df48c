"""A folder that holds one model: ``config.json``, ``model.safetensors`` and their checksums."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from hub_weights.checksums import SUMS_NAME, verify
from hub_weights.errors import WeightsNotFoundError
from hub_weights.folders import models_folder
from hub_weights.registry import REGISTRY

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"

SCHEMA_VERSION = 1
"""Of the configurations that this release reads."""

_CHANGED = (
    "it was changed by hand, or is damaged. Take the change back, or fetch the folder again. A "
    "licence and what a model learned from are written there by `vrpsam weights publish` with "
    "--license and --trained-on; to keep another change to a model of your own, remove the line of "
    f"{CONFIG_NAME} from {SUMS_NAME}."
)


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
        """Check that the folder is complete and its files are the recorded ones.

        Raises
        ------
        WeightsNotFoundError
            If the folder or one of its files does not exist.
        ChecksumMismatchError
            If configuration or weights differ from the recorded sum.
        """
        if not path.is_dir():
            raise WeightsNotFoundError(
                f"{path} is neither a model's folder nor a known name. {known_models()}"
            )
        if not (path / CONFIG_NAME).is_file():
            raise WeightsNotFoundError(
                f"{path} holds no {CONFIG_NAME}: expected a model folder with {CONFIG_NAME} and "
                f"{WEIGHTS_NAME}. {known_models()}"
            )
        verify(path, CONFIG_NAME, otherwise=_CHANGED)
        return cls(path, verify(path, WEIGHTS_NAME))


def is_model_folder(path: Path) -> bool:
    """Whether a folder holds a model of this product, and not, say, one of transformers."""
    try:
        content = json.loads((path / CONFIG_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "schema_version" in content


def own_models() -> tuple[str, ...]:
    """Return the names of the models made on this computer, in alphabetical order."""
    return tuple(sorted(p.parent.name for p in models_folder().glob(f"*/{CONFIG_NAME}")))


def known_models() -> str:
    """Say, as the end of an error, which names of complete models are known here."""
    coming = ", ".join(name for name, entry in REGISTRY.items() if entry.kind == "model")
    made = ", ".join(own_models()) or "none"
    return (
        f"With the program comes {coming}; made on this computer: {made}. `vrpsam weights list` "
        "shows all."
    )
