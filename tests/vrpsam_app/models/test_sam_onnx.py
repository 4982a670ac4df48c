"""A SAM as ONNX graphs: ONNX Runtime gives the same masks."""

from __future__ import annotations

import importlib.util
import json
from math import prod
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from vrpsam_app.errors import MissingExtraError, OutputError
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.onnx_graphs import require_onnx
from vrpsam_app.models.paper_vrp_sam import DEVIATION, MEAN
from vrpsam_app.models.sam_onnx import OnnxFiles, export_sam

SIDE, GRID, DIM = 128, 8, 32


@pytest.fixture(scope="module")
def exported(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[FrozenSAM, OnnxFiles]:
    from vrpsam_app.config import SAM_TINY

    sam = FrozenSAM(SAM_TINY)
    request.getfixturevalue("fill_by_key")(sam)
    folder = tmp_path_factory.mktemp("onnx") / "new"
    return sam, export_sam(sam, folder, name="tiny", sha256="0" * 64)


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_embeddings_agree(exported: tuple[FrozenSAM, OnnxFiles]) -> None:
    sam, files = exported
    image = draw(1, 3, SIDE, SIDE).sigmoid()
    (found,) = session(files.encoder).run(None, {"image": image.numpy()})
    mean, deviation = (torch.tensor(v)[:, None, None] for v in (MEAN, DEVIATION))
    with torch.no_grad():
        expected = sam.encode((image - mean) / deviation)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-3)


@pytest.mark.parametrize("visual", [0, 1, 5])
@pytest.mark.parametrize("prompts", ["none", "points", "box", "points and box"])
@pytest.mark.parametrize("with_mask", [False, True])
def test_masks_agree(
    exported: tuple[FrozenSAM, OnnxFiles], visual: int, prompts: str, with_mask: bool
) -> None:
    sam, files = exported
    embedding, tokens = draw(1, DIM, GRID, GRID, seed=1), draw(1, visual, DIM, seed=2)
    points = torch.tensor([[[30.0, 40.5], [100.0, 7.0]]]) if "points" in prompts else None
    labels = None if points is None else torch.tensor([[1, 0]])
    box = torch.tensor([[12.0, 20.0, 90.5, 110.0]]) if "box" in prompts else None
    mask = 3 * draw(1, 1, 4 * GRID, 4 * GRID, seed=3)
    with torch.no_grad():
        sparse, dense = sam.prompt(points, labels, box, mask if with_mask else None)
        expected = sam.decode_masks(embedding, torch.cat((tokens, sparse), 1), dense)
    # The same prompts as a program without PyTorch writes them.
    xy = [] if points is None else points[0].tolist()
    marks = [] if labels is None else labels[0].tolist()
    if box is not None:
        xy += box.reshape(2, 2).tolist()
        marks += [2, 3]
    elif xy:
        xy, marks = [*xy, [0.0, 0.0]], [*marks, -1]
    logits, scores = session(files.decoder).run(
        None,
        {
            "image_embedding": embedding.numpy(),
            "visual_prompts": tokens.numpy(),
            "points_xy": np.array(xy, np.float32).reshape(1, -1, 2),
            "point_labels": np.array(marks, np.float32).reshape(1, -1),
            "mask_input": mask.numpy(),
            "has_mask_input": np.array([with_mask], np.float32),
        },
    )
    np.testing.assert_allclose(logits, expected.mask_logits.numpy(), atol=1e-3)
    np.testing.assert_allclose(scores, expected.scores.numpy(), atol=1e-3)
    # Not because everything is about zero.
    assert np.abs(logits).max() > 0.1


def test_the_graphs_say_what_they_are_of(exported: tuple[FrozenSAM, OnnxFiles]) -> None:
    _, files = exported
    facts = json.loads(files.description.read_text())
    assert facts["weights"] == "tiny"
    assert facts["sha256"] == "0" * 64
    assert facts["embedding"] == [1, DIM, GRID, GRID]


def test_each_graph_holds_its_own_weights_only(exported: tuple[FrozenSAM, OnnxFiles]) -> None:
    sam, files = exported
    held = {
        path: sum(prod(tensor.dims) for tensor in onnx.load(path).graph.initializer)
        for path in (files.encoder, files.decoder)
    }
    total = sum(value.numel() for value in sam.state_dict().values())
    assert all(0 < count < total for count in held.values())
    # The grid's positions and the tables of relative ones are computed beforehand.
    assert sum(held.values()) < 1.2 * total


def test_without_the_packages_it_is_said_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"vrpsam-app\[onnx\]"):
        require_onnx()


def test_a_folder_that_cannot_be_made_is_named(tiny_sam: FrozenSAM, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match="cannot be written"):
        export_sam(tiny_sam, tmp_path / "file", name="tiny", sha256="0")
