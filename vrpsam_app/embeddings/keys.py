"""Names by which embeddings are found again: what they depend on, and nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from vrpsam_app.config import ModelConfig
from vrpsam_app.environment import ENCODING_CODE, code_version, machine_name

if TYPE_CHECKING:
    import torch


def model_origin(
    config: ModelConfig, device: torch.device, sha256: str, precision: str = "fp32"
) -> str:
    """Return what embeddings depend on besides the image: model, code, device, precision.

    Parameters
    ----------
    config : of the model; names the foundation's files too, if there are any
    sha256 : of the model's own weights
    precision : in which pictures are encoded

    Notes
    -----
    The number of threads is not among them: what it changes is below what results promise for it.
    """
    import torch

    digest = hashlib.sha256(json.dumps(config.to_json(), sort_keys=True).encode())
    where = f"{device.type} {machine_name()}"
    if device.type == "cuda":
        where = f"cuda {torch.cuda.get_device_name(device)}"
    return (
        f"model={sha256}/config={digest.hexdigest()[:16]}/code={code_version(ENCODING_CODE)}"
        f"/torch={torch.__version__}/device={where}/precision={precision}"
    )
