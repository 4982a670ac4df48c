"""The embedded model as ONNX graphs: ONNX Runtime gives the same masks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from vrpsam_app.config import EMBEDDED_CONFIG
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.models.build import build_model
from vrpsam_app.models.embedded_onnx import (
    ANSWERS,
    EQUATIONS,
    FITS,
    MAPS,
    SAMPLES,
    SHOWN,
    EmbeddedOnnxFiles,
    export_embedded,
)
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.embeddings import PromptTensors
from vrpsam_app.models.onnx_graphs import invert

HW, SHOTS = (64, 96), 2
HALF = (HW[0] // 2, HW[1] // 2)


def scene(seed: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    image = 0.3 + 0.1 * torch.rand(1, 3, *HW, generator=draw)
    image[:, 0, 10:30, 20:50] = 0.9
    return image


def marks(throughout: bool = False) -> torch.Tensor:
    marked = torch.zeros(1, 3, *HW)
    marked[:, 0, 10:30, 20:50] = 1
    if throughout:
        marked[:, 1] = 1 - marked[:, 0]
    return marked


@pytest.fixture(scope="module")
def model(request: pytest.FixtureRequest) -> EmbeddedVRPSAM:
    """A model as narrow as it can be, no tensor of which is zero."""
    config = replace(EMBEDDED_CONFIG, sam=replace(EMBEDDED_CONFIG.sam, depth=1, decoder_depth=1))
    made = build_model(config)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if not name.startswith("prior."):
                parameter.add_(0.02 * torch.randn_like(parameter))
    assert isinstance(made, EmbeddedVRPSAM)
    return made.eval()


@pytest.fixture(scope="module")
def files(model: EmbeddedVRPSAM, tmp_path_factory: pytest.TempPathFactory) -> EmbeddedOnnxFiles:
    folder = tmp_path_factory.mktemp("onnx") / "new"
    return export_embedded(model, folder, name="narrow", sha256="0" * 64, input_hw=HW, shots=SHOTS)


def run(path: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {i.name: inputs[i.name] for i in session.get_inputs()})


def named(names: tuple[str, ...], values: list[np.ndarray]) -> dict[str, np.ndarray]:
    return dict(zip(names, values, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("prompts", ["none", "points", "box", "mask", "throughout"])
def test_masks_agree(model: EmbeddedVRPSAM, files: EmbeddedOnnxFiles, prompts: str) -> None:
    points = torch.tensor([[[30.0, 20.5], [80.0, 7.0]]]) if prompts == "points" else None
    labels = None if points is None else torch.tensor([[1, 0]])
    box = torch.tensor([[18.0, 8.0, 52.5, 31.0]]) if prompts == "box" else None
    mask = 4 * torch.randn(1, 1, *HALF) if prompts == "mask" else None
    all_ = prompts == "throughout"
    with torch.no_grad():
        target = model.encode_images(scene(9))
        encoded = [
            model.encode_reference(
                model.encode_images(scene(i)), marks(all_), torch.tensor([i == 1])
            )
            for i in range(SHOTS)
        ]
        expected = model.decode(target, encoded, PromptTensors(points, labels, box, mask))

    # The same question as a program without PyTorch asks it.
    found = []
    for i in range(SHOTS):
        maps = named(MAPS, run(files.encoder, {"image": scene(i).numpy()}))
        asked = {**maps, "marks": marks(all_).numpy(), "is_box": np.float32([i == 1])}
        found.append(named((*EQUATIONS, *SHOWN, *SAMPLES), run(files.reference, asked)))
    xy = [] if points is None else points[0].tolist()
    signs = [] if labels is None else labels[0].tolist()
    if box is not None:
        xy, signs = box.reshape(2, 2).tolist(), [2, 3]
    elif xy:
        xy, signs = [*xy, [0.0, 0.0]], [*signs, -1]
    given = np.zeros((1, 1, *HALF), np.float32) if mask is None else mask.numpy()
    shown = {name: np.concatenate([f[name] for f in found]) for name in (*SHOWN, *SAMPLES)}
    inputs = {
        **named(FITS, run(files.together, shown)),
        **named(MAPS, run(files.encoder, {"image": scene(9).numpy()})),
        **{name: sum(f[name] for f in found) for name in EQUATIONS},
        **{name: shown[name] for name in SHOWN},
        "points_xy": np.array(xy, np.float32).reshape(1, -1, 2),
        "point_labels": np.array(signs, np.float32).reshape(1, -1),
        "mask_input": given,
        "has_mask_input": np.float32([mask is not None]),
    }
    answers = named(ANSWERS, run(files.decoder, inputs))
    assert float(expected.mask_logits.std()) > 0.1
    # Systems of three hundred equations in single precision leave more to chance.
    near = 5e-3 if all_ else 1e-3
    for name in ANSWERS:
        np.testing.assert_allclose(answers[name], getattr(expected, name), atol=near)


@pytest.mark.slow
def test_the_description_says_what_they_are(files: EmbeddedOnnxFiles) -> None:
    facts = json.loads(files.description.read_text())
    assert (facts["weights"], facts["sha256"], facts["shots"]) == ("narrow", "0" * 64, SHOTS)
    assert facts["input_hw"] == list(HW)
    assert facts["shapes"]["marks"] == [1, 3, *HW]
    assert facts["shapes"]["tokens"][0] == SHOTS


@pytest.mark.parametrize(("hw", "shots"), [((60, 96), 1), ((0, 32), 1), ((64, 96), 0)])
def test_sizes_that_make_no_sense_are_said(
    model: EmbeddedVRPSAM, tmp_path: Path, hw: tuple[int, int], shots: int
) -> None:
    with pytest.raises(ConfigError, match="multiples of 32"):
        export_embedded(model, tmp_path, name="x", sha256="", input_hw=hw, shots=shots)


def test_a_folder_that_cannot_be_made_is_said(model: EmbeddedVRPSAM, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        export_embedded(model, tmp_path / "taken", name="x", sha256="", input_hw=HW)


@pytest.mark.parametrize("smallest", [1.0, 1e-2, 1e-4])
def test_matrices_are_inverted_by_products_alone(smallest: float) -> None:
    draw = torch.Generator().manual_seed(0)
    turned, _ = torch.linalg.qr(torch.randn(2, 9, 9, generator=draw, dtype=torch.float64))
    values = torch.linspace(smallest, 10, 9, dtype=torch.float64)
    matrices = turned @ torch.diag(values) @ turned.transpose(1, 2)
    product = invert(matrices) @ matrices
    torch.testing.assert_close(product, torch.eye(9, dtype=torch.float64).expand(2, 9, 9))
