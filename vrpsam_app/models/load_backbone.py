"""A backbone alone, from its file of weights: which one it is stands in the weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from hub_weights.checksums import sha256_of
from vrpsam_app.config import SemanticEncoderName, VRPEncoderConfig
from vrpsam_app.errors import WeightsMismatchError
from vrpsam_app.models.foundation import fill_part, read_weights, weight_file
from vrpsam_app.models.official_keys import backbone_key
from vrpsam_app.models.semantic_encoder import SemanticEncoder, build_semantic_encoder

# Tensors by which files are told apart, and their shapes.
_SIGNS: Mapping[SemanticEncoderName, tuple[str, tuple[int, ...]]] = {
    "dinov2_b14": ("patch_embed.proj.weight", (768, 3, 14, 14)),
    "resnet101_v2": ("layer3.22.conv1.weight", (256, 1024, 1, 1)),
    "resnet50_v2": ("conv3.weight", (128, 64, 3, 3)),
    "resnet50": ("conv1.weight", (64, 3, 7, 7)),
    "vgg16_bn": ("features.41.running_mean", (512,)),
}


def load_backbone(path: str | Path) -> tuple[SemanticEncoder, SemanticEncoderName, str]:
    """Load a backbone, in evaluation mode.

    Parameters
    ----------
    path : str or Path
        A file of weights as its makers publish it, or a folder with one such file.

    Returns
    -------
    encoder : SemanticEncoder
    name : which one it is
    sha256 : of the file, hexadecimal

    Raises
    ------
    WeightsError
        If there is no such file, or it cannot be read.
    WeightsMismatchError
        If it is none of the backbones that are known.
    """
    file = weight_file(Path(path))
    weights = read_weights(file)
    name = backbone_name_of(weights, file)
    encoder = build_semantic_encoder(VRPEncoderConfig(semantic_encoder=name))
    translated = {
        ours: value.float()
        for key, value in weights.items()
        if (ours := backbone_key(name, key)) is not None
    }
    fill_part(encoder, translated, file)
    return encoder, name, sha256_of(file)


def backbone_name_of(weights: Mapping[str, Tensor], file: Path) -> SemanticEncoderName:
    """Tell which backbone weights belong to.

    Raises
    ------
    WeightsMismatchError
        If it is none that is known.
    """
    for name, (key, shape) in _SIGNS.items():
        if key in weights and tuple(weights[key].shape) == shape:
            # Only the deep stem has a third convolution; ResNet-101 is known with it alone.
            if name == "resnet101_v2" and "conv3.weight" not in weights:
                continue
            return name
    raise WeightsMismatchError(
        f"{file} is none of the backbones {', '.join(_SIGNS)}: expected the weights of one of "
        "them as they are published, such as dinov2_vitb14_pretrain.pth."
    )
