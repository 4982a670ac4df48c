"""SAMs in other layouts: the same tensors under our names, and the same numbers out of them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from vrpsam_app.config import SAM_MOBILE, SAM_TINY, SAMConfig
from vrpsam_app.errors import WeightsMismatchError
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.load_sam import load_sam
from vrpsam_app.models.sam_keys import is_sam, to_segment_anything, to_transformers
from vrpsam_app.models.torchvision_ops import import_torchvision
from vrpsam_app.weights_conversion import convert_sam, transformers_config

# 7 windows of 3 cells do not fill a grid of 8: the last ones are padded.
SIZES = SAMConfig(
    name="odd",
    image_size=128,
    prompt_dim=48,
    width=48,
    depth=3,
    heads=3,
    global_attention_blocks=(1,),
    window_size=3,
    mlp_ratio=2.0,
    mask_channels=12,
    decoder_heads=4,
    decoder_mlp_dim=80,
    iou_head_depth=4,
    iou_head_hidden=24,
)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A SAM of transformers with every parameter random, and the folder it was saved in."""
    import_torchvision()  # transformers imports torchvision
    from transformers import SamConfig, SamModel

    model = SamModel(SamConfig(**transformers_config(SIZES))).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    folder = tmp_path_factory.mktemp("sam")
    model.save_pretrained(folder)
    return model, folder


def assert_same_answers(theirs: Any, ours: FrozenSAM) -> None:
    generator = torch.Generator().manual_seed(1)
    side = ours.config.image_size
    images = torch.randn(2, 3, side, side, generator=generator)
    points = side * torch.rand(2, 3, 2, generator=generator)
    labels = torch.tensor([[1, 0, 1], [0, 1, 1]])
    boxes = torch.tensor([[10.0, 20.0, 100.0, 110.0], [3.0, 2.0, 60.0, 71.0]])
    with torch.no_grad():
        expected = theirs(
            pixel_values=images,
            input_points=points[:, None],
            input_labels=labels[:, None],
            input_boxes=boxes[:, None],
            multimask_output=True,
        )
        embeddings = ours.encode(images)
        torch.testing.assert_close(
            embeddings, theirs.get_image_embeddings(images), atol=5e-5, rtol=0
        )
        # transformers counts pixels by their index, ours are continuous.
        sparse, dense = ours.prompt(points + 0.5, labels, boxes + 0.5)
        decoded = ours.decode_masks(embeddings, sparse, dense)
    torch.testing.assert_close(
        decoded.mask_logits[:, 1:], expected.pred_masks[:, 0], atol=5e-5, rtol=0
    )
    torch.testing.assert_close(decoded.scores[:, 1:], expected.iou_scores[:, 0], atol=5e-5, rtol=0)


def test_a_sam_saved_by_transformers_gives_the_same_answers(theirs: tuple[Any, Path]) -> None:
    model, folder = theirs
    ours, sha256 = load_sam(folder)
    assert len(sha256) == 64
    assert ours.config == SAMConfig(**{**_fields(SIZES), "name": "vit_48x3"})
    assert_same_answers(model, ours)


def test_and_back_to_transformers(theirs: tuple[Any, Path], tmp_path: Path) -> None:
    from transformers import SamModel

    _, folder = theirs
    ours, _ = load_sam(folder)
    save_file(ours.state_dict(), tmp_path / "ours.safetensors")
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    made = convert_sam(tmp_path / "ours.safetensors", tmp_path / "theirs", layout="transformers")
    assert_same_answers(SamModel.from_pretrained(made).eval(), ours)
    before, after = (load_file(f / "model.safetensors") for f in (folder, made))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("kept", ["both", "shared", "prompt_encoder"])
def test_either_name_of_the_tied_matrix_will_do(theirs: tuple[Any, Path], kept: str) -> None:
    weights = load_file(theirs[1] / "model.safetensors")
    names = (
        "shared_image_embedding.positional_embedding",
        "prompt_encoder.shared_embedding.positional_embedding",
    )
    matrix = next(weights[n] for n in names if n in weights)
    rest = {key: value for key, value in weights.items() if key not in names}
    tied = {n: matrix for n in names if kept == "both" or n.startswith(kept)}
    ours = to_segment_anything({**rest, **tied})
    assert ours.keys() == FrozenSAM(SIZES).state_dict().keys()
    if kept == "both":
        with pytest.raises(WeightsMismatchError, match="hold different numbers"):
            to_segment_anything({**rest, **tied, names[0]: matrix + 1})


@pytest.mark.parametrize("prefix", ["", "sam."])
def test_segment_anything_s_own_names_stay(tiny_sam: FrozenSAM, prefix: str) -> None:
    weights = tiny_sam.state_dict()
    given = {prefix + key: value for key, value in weights.items()}
    assert is_sam(given)
    assert to_segment_anything(given).keys() == weights.keys()
    assert to_segment_anything(to_transformers(weights)).keys() == weights.keys()
    assert not is_sam({"conv1.weight": torch.zeros(1)})


def test_names_that_nobody_knows_are_left_for_the_loading_to_name(
    tiny_sam: FrozenSAM, tmp_path: Path
) -> None:
    weights = to_transformers(tiny_sam.state_dict())
    del weights["vision_encoder.layers.0.layer_norm1.bias"]
    save_file({**weights, "vision_encoder.surplus": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(
        WeightsMismatchError,
        match=r"Missing: image_encoder\.blocks\.0\.norm1\.bias.*Unexpected: vision_encoder\.surplu",
    ):
        load_sam(tmp_path / "a.safetensors")


def test_mobile_sam_gives_the_published_encoder_s_output(
    golden_folder: Path, value_of: Callable[[str, tuple[int, ...]], np.ndarray], tmp_path: Path
) -> None:
    lines = (golden_folder / "mobile_sam_encoder_keys.txt").read_text().splitlines()
    shapes = {key: ast.literal_eval(rest) for key, _, rest in (x.partition(" ") for x in lines)}
    published = {
        key: torch.tensor(0)
        if key.endswith("num_batches_tracked")
        else torch.from_numpy(value_of(key, shape))
        for key, shape in shapes.items()
    }
    decoder = {
        key: value
        for key, value in FrozenSAM(SAM_MOBILE).state_dict().items()
        if not key.startswith("image_encoder.")
    }
    torch.save({**published, **decoder}, tmp_path / "mobile_sam.pt")
    sam, _ = load_sam(tmp_path / "mobile_sam.pt")
    assert sam.config == SAM_MOBILE
    draw = np.random.default_rng(9).standard_normal((1, 3, 1024, 1024))
    with torch.inference_mode():
        embedding = sam.encode(torch.from_numpy(draw.astype(np.float32))).numpy()
    golden = np.load(golden_folder / "mobile_sam_encoder.npz")
    for name, found in (
        ("mean", embedding.mean((0, 2, 3))),
        ("corner", embedding[0, :8, :8, :8]),
        ("centre", embedding[0, :8, 28:36, 28:36]),
    ):
        np.testing.assert_allclose(found, golden[name], atol=5e-5, err_msg=name)


def test_what_is_no_sam_is_refused(tmp_path: Path, tiny_sam: FrozenSAM) -> None:
    weights = tiny_sam.state_dict()
    del weights["image_encoder.pos_embed"]
    save_file(weights, tmp_path / "a.safetensors")
    with pytest.raises(WeightsMismatchError, match=r"none of the SAMs.*pos_embed"):
        load_sam(tmp_path / "a.safetensors")


def test_a_preset_is_recognised_by_its_shapes(tiny_sam: FrozenSAM, tmp_path: Path) -> None:
    save_file(to_transformers(tiny_sam.state_dict()), tmp_path / "a.safetensors")
    sam, _ = load_sam(tmp_path / "a.safetensors")
    assert sam.config is SAM_TINY


def _fields(config: SAMConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in config.__dataclass_fields__}
