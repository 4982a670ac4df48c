from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vrpsam_app.config import VRPEncoderConfig
from vrpsam_app.models.official_keys import backbone_key, official_key
from vrpsam_app.models.semantic_encoder import build_semantic_encoder
from vrpsam_app.models.torchvision_ops import import_torchvision
from vrpsam_app.models.vrp_encoder import VRPEncoder


@pytest.mark.parametrize(
    ("file", "name"), [("vrp_resnet50", "resnet50_v2"), ("vrp_vgg16", "vgg16_bn")]
)
@pytest.mark.parametrize("wrapper", ["", "module."])
def test_every_published_key_has_one_of_ours(
    golden_folder: Path, file: str, name: str, wrapper: str
) -> None:
    lines = (golden_folder / f"{file}_keys.txt").read_text().splitlines()
    published = dict(line.split(" ", 1) for line in lines)
    with torch.device("meta"):
        own = VRPEncoder(VRPEncoderConfig(semantic_encoder=name)).state_dict()
    translated = {official_key(wrapper + key): shape for key, shape in published.items()}
    assert len(translated) == len(published)
    assert translated == {key: str(tuple(tensor.shape)) for key, tensor in own.items()}


@pytest.mark.parametrize("key", ["layer5.0.weight", "classifier.weight", "layer0", "merge_1"])
def test_other_keys_are_refused(key: str) -> None:
    with pytest.raises(KeyError, match="no key of a published VRP-SAM checkpoint"):
        official_key(key)


@pytest.mark.parametrize(
    ("name", "timm_name"),
    [
        ("resnet50", "resnet50"),
        ("vgg16_bn", "vgg16_bn"),
        ("dinov2_b14", "vit_base_patch14_dinov2"),
    ],
)
def test_timm_weights_fill_the_semantic_encoder(name: str, timm_name: str) -> None:
    import_torchvision()
    import timm

    with torch.device("meta"):
        theirs = timm.create_model(timm_name, pretrained=False).state_dict()
        ours = build_semantic_encoder(VRPEncoderConfig(semantic_encoder=name)).state_dict()
    translated = {backbone_key(name, key): tensor.shape for key, tensor in theirs.items()}
    translated.pop(None, None)
    assert translated == {key: tensor.shape for key, tensor in ours.items()}


def test_deep_stem_weights_are_renumbered() -> None:
    assert backbone_key("resnet50_v2", "conv3.weight") == "layer0.6.weight"
    assert backbone_key("resnet101_v2", "bn2.running_mean") == "layer0.4.running_mean"
    assert backbone_key("resnet50_v2", "layer3.0.conv1.weight") == "layer3.0.conv1.weight"
    assert backbone_key("resnet50_v2", "fc.bias") is None
