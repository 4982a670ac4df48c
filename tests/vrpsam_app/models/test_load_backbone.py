from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vrpsam_app.errors import WeightsMismatchError
from vrpsam_app.models.load_backbone import backbone_name_of, load_backbone

# One tensor each by which the published files are known.
FILES = {
    "dinov2_b14": {"patch_embed.proj.weight": (768, 3, 14, 14), "mask_token": (1, 768)},
    "resnet50_v2": {"conv1.weight": (64, 3, 3, 3), "conv3.weight": (128, 64, 3, 3)},
    "resnet101_v2": {
        "conv3.weight": (128, 64, 3, 3),
        "layer3.22.conv1.weight": (256, 1024, 1, 1),
    },
    "resnet50": {"conv1.weight": (64, 3, 7, 7), "fc.weight": (1000, 2048)},
    "vgg16_bn": {"features.41.running_mean": (512,)},
}


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_known_by_its_tensors(name: str):
    weights = {key: torch.empty(shape, device="meta") for key, shape in FILES[name].items()}
    assert backbone_name_of(weights, Path("weights.pth")) == name


def test_others_are_refused():
    resnet101 = {"layer3.22.conv1.weight": (256, 1024, 1, 1)}
    weights = {key: torch.empty(shape, device="meta") for key, shape in resnet101.items()}
    with pytest.raises(WeightsMismatchError, match="none of the backbones dinov2_b14"):
        backbone_name_of(weights, Path("resnet101.pth"))


def test_a_file_in_the_layout_of_its_makers_is_loaded(tmp_path: Path):
    import timm

    made = timm.create_model("vgg16_bn", pretrained=False, num_classes=0, mlp_ratio=1 / 4096)
    state = {k: v for k, v in made.state_dict().items() if k.startswith("features.")}
    # As old files do, without the counters.
    state = {k: v for k, v in state.items() if "num_batches" not in k}
    torch.save({**state, "classifier.0.weight": torch.zeros(2, 2)}, tmp_path / "vgg16_bn.pth")
    encoder, name, sha256 = load_backbone(tmp_path)
    assert (name, len(sha256)) == ("vgg16_bn", 64)
    torch.testing.assert_close(encoder.layer0[0].weight, made.features[0].weight)
    with torch.inference_mode():
        _, middle = encoder.middle_features(torch.zeros(1, 3, 64, 64))
        assert encoder.high_features(middle).shape == (1, 512, 4, 4)
