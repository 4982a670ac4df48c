"""A SAM alone, from its file of weights or out of a model that holds one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hub_weights.checksums import sha256_of
from hub_weights.model_folder import is_model_folder
from vrpsam_app.config import ModelConfig
from vrpsam_app.errors import WeightsMismatchError
from vrpsam_app.models.foundation import fill_part, read_sam, sam_config_of, weight_file
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.load import load_model


def load_sam(path: str | Path) -> tuple[FrozenSAM, str]:
    """Load a SAM, in evaluation mode.

    Parameters
    ----------
    path : str or Path
        A file of weights under the names of segment-anything, transformers or MobileSAM, a folder
        with one such file, a name such as ``sam_vit_b``, ``organisation/name`` on the Hub, or the
        folder of a model that was trained on a SAM.

    Returns
    -------
    sam : FrozenSAM
    sha256 : hexadecimal
        Of the file, or of the model's own weights.

    Raises
    ------
    WeightsError
        If there is no such file, or it cannot be read.
    WeightsMismatchError
        If it is none of the SAMs that are known, or the model has an image encoder of its own kind.
    """
    given = Path(path).expanduser()
    if is_model_folder(given):
        if ModelConfig.load(given).sam.image_encoder == "conv":
            raise WeightsMismatchError(
                f"The model in {given} has no SAM that answers prompts on its own. Give a file of "
                "SAM's weights, such as sam_vit_b_01ec64.pth."
            )
        model, folder = load_model(given)
        whole: Any = model
        return whole.sam, folder.sha256
    file = weight_file(given)
    weights = read_sam(file)
    sam = FrozenSAM(sam_config_of(file, weights))
    fill_part(sam, weights, file)
    return sam, sha256_of(file)
