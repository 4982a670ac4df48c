"""Names of the same weights elsewhere: published VRP-SAM checkpoints and pretrained backbones."""

from __future__ import annotations

import re

from vrpsam_app.config import SemanticEncoderName
from vrpsam_app.models.semantic_encoder import VGG16_BN_STAGES

# Published checkpoints were saved from a distributed wrapper that put this before every key.
_WRAPPER = "module."

_PREFIXES = {
    "downsample_query.": "feature_augmenter.reduce.",
    "merge_1.": "feature_augmenter.merge.",
    "transformer_decoder.supp_q_feat.": "prompt_generator.prompt_queries.",
}
# The layers with the suffix _0 come first: found by replaying the published code's outputs.
_LAYERS = {
    "transformer_cross_attention_layers_0.0": "reference_cross",
    "transformer_self_attention_layers_0.0": "reference_self",
    "transformer_cross_attention_layers.0": "target_cross",
    "transformer_self_attention_layers.0": "target_self",
}
_ATTENTION = re.compile(
    r"transformer_decoder\.(?P<layer>transformer_\w+_attention_layers(?:_0)?\.0)\."
    r"(?:(?:self_attn|multihead_attn)\.(?P<attention>.+)|(?P<norm>norm\..+))"
)
_STAGE = re.compile(r"layer[0-4]\..+")

# Stems of ImageNet ResNets as they are published, in the numbering of ``layer0``.
_STEMS = {
    "resnet50": {"conv1": 0, "bn1": 1},
    "resnet50_v2": {"conv1": 0, "bn1": 1, "conv2": 3, "bn2": 4, "conv3": 6, "bn3": 7},
}
_STEMS["resnet101_v2"] = _STEMS["resnet50_v2"]


def official_key(key: str) -> str:
    """Translate a key of a published VRP-SAM checkpoint to ours.

    Parameters
    ----------
    key : str
        With or without the leading ``module.``.

    Returns
    -------
    key : str
        Key of :class:`~vrpsam_app.models.vrp_encoder.VRPEncoder`'s state dict.

    Raises
    ------
    KeyError
        If the published encoder has no such key.

    Examples
    --------
    >>> official_key("module.merge_1.0.weight")
    'feature_augmenter.merge.0.weight'
    """
    bare = key.removeprefix(_WRAPPER)
    for theirs, ours in _PREFIXES.items():
        if bare.startswith(theirs):
            return ours + bare.removeprefix(theirs)
    if match := _ATTENTION.fullmatch(bare):
        name = f"attention.{match['attention']}" if match["attention"] else match["norm"]
        return f"prompt_generator.{_LAYERS[match['layer']]}.{name}"
    if _STAGE.fullmatch(bare):
        return f"semantic_encoder.{bare}"
    raise KeyError(
        f"{key!r} is no key of a published VRP-SAM checkpoint: expected layer0 to layer4, "
        "downsample_query, merge_1 or transformer_decoder."
    )


def backbone_key(name: SemanticEncoderName, key: str) -> str | None:
    """Translate a key of an ImageNet or DINOv2 checkpoint to a key of our semantic encoder.

    Parameters
    ----------
    name : str
        The semantic encoder; the two deep-stem ResNets in the layout of semseg's files
        (``resnet50_v2.pth``), the others in timm's.
    key : str

    Returns
    -------
    key : str or None
        None for weights that the semantic encoder does not use: the classifier, and the token for
        hidden patches that DINOv2's own files hold.

    Examples
    --------
    >>> backbone_key("vgg16_bn", "features.10.weight")
    'layer1.3.weight'
    """
    head, _, rest = key.partition(".")
    if name == "dinov2_b14":
        return None if head in ("head", "mask_token") else f"vit.{key}"
    if name == "vgg16_bn":
        if head != "features":
            return None
        number, _, rest = rest.partition(".")
        for stage, (first, end) in enumerate(VGG16_BN_STAGES):
            if first <= int(number) < end:
                return f"layer{stage}.{int(number) - first}.{rest}"
        return None
    if head in _STEMS.get(name, {}):
        return f"layer0.{_STEMS[name][head]}.{rest}"
    return key if _STAGE.fullmatch(key) else None
