from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hub_weights.checksums import sha256_of
from vrpsam_app.config import EMBEDDED_CONFIG, SAM_TINY, paper_config
from vrpsam_app.errors import WeightsError, WeightsMismatchError
from vrpsam_app.models.build import build_model
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.load_sam import load_sam


@pytest.mark.parametrize("name", ["sam.pth", "sam.safetensors"])
def test_a_file_or_the_folder_that_holds_it(tmp_path: Path, tiny_sam: FrozenSAM, name: str):
    path = tmp_path / name
    if path.suffix == ".pth":
        torch.save(tiny_sam.state_dict(), path)
    else:
        save_file(tiny_sam.state_dict(), path)
    for given in (path, str(tmp_path)):
        sam, sha256 = load_sam(given)
        assert sam.config == SAM_TINY
        assert sha256 == sha256_of(path)
        assert not any(p.requires_grad for p in sam.parameters())
        for key, value in sam.state_dict().items():
            torch.testing.assert_close(value, tiny_sam.state_dict()[key])


def test_the_sam_of_a_model(tmp_path: Path):
    config = paper_config("small_resnet", SAM_TINY)
    encoder = dataclasses.replace(config.vrp_encoder, hidden_dim=32, num_queries=4)
    config = dataclasses.replace(config, vrp_encoder=encoder)
    model = build_model(config)
    config.save(tmp_path)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    sam, _ = load_sam(tmp_path)
    torch.testing.assert_close(
        sam.mask_decoder.iou_token.weight, model.sam.mask_decoder.iou_token.weight
    )


def test_what_is_no_sam_is_refused(tmp_path: Path, tiny_sam: FrozenSAM):
    with pytest.raises(WeightsError, match="does not exist"):
        load_sam(tmp_path / "nothing.pth")
    torch.save({"a.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(WeightsMismatchError, match="none of the SAMs"):
        load_sam(tmp_path / "other.pth")
    damaged = {k: v for k, v in tiny_sam.state_dict().items() if "iou_prediction" not in k}
    torch.save(damaged, tmp_path / "damaged.pth")
    with pytest.raises(WeightsMismatchError, match="iou_prediction_head"):
        load_sam(tmp_path / "damaged.pth")


def test_the_embedded_model_has_none(tmp_path: Path):
    EMBEDDED_CONFIG.save(tmp_path)
    with pytest.raises(WeightsMismatchError, match="answers prompts on its own"):
        load_sam(tmp_path)
