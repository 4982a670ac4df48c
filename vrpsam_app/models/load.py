"""From a folder of weights to a model ready to predict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hub_weights import DownloadCallback, ModelFolder, find_model
from vrpsam_app.config import ModelConfig
from vrpsam_app.errors import WeightsError
from vrpsam_app.models.build import build_model
from vrpsam_app.models.filling import fill
from vrpsam_app.models.foundation import PARTS, find_files, load_foundation
from vrpsam_app.models.vrp_sam import VRPSAM
from vrpsam_app.weights_errors import weights_errors


def load_model(
    name_or_folder: str | Path,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    progress: DownloadCallback | None = None,
) -> tuple[VRPSAM[Any, Any], ModelFolder]:
    """Find, verify, build and fill a model, in evaluation mode; download what is not here.

    Frozen parts that the model's folder leaves out are filled from the files that its configuration
    names; see :func:`~vrpsam_app.models.foundation.find_files`.

    Parameters
    ----------
    name_or_folder : str or Path
        As for :func:`hub_weights.find_model`, with the other options.

    Raises
    ------
    WeightsError
        If there is no such model or its files cannot be read, or a file it stands on is not there.
    ChecksumMismatchError
        If the weights are not the recorded bytes.
    WeightsMismatchError
        If the file's tensors are not the ones the configuration asks for.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not isinstance(name_or_folder, str | Path):
        raise WeightsError(
            f"The model is {name_or_folder!r}: expected a name such as 'embedded', a folder, or "
            "organisation/name on the Hub."
        )
    with weights_errors():
        folder = find_model(
            name_or_folder,
            revision=revision,
            token=token,
            local_files_only=local_files_only,
            progress=progress,
        )
    config = ModelConfig.load(folder.path)
    files = find_files(
        config,
        folder.path,
        token=token,
        local_files_only=local_files_only,
        progress=progress,
    )
    model = build_model(config)
    try:
        weights = load_file(folder.weights)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{folder.weights} cannot be read as safetensors ({error}). Fetch it again."
        ) from error
    load_foundation(model, files)
    fill(
        model,
        {k: v.float() for k, v in weights.items()},
        str(folder.weights),
        elsewhere=tuple(PARTS[part] for part in files),
    )
    return model.eval().requires_grad_(False), folder
