"""PerSAM and PerSAM-F give the numbers of the published code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vrpsam_app.config import SAMConfig
from vrpsam_app.methods.persam_f_paper import PaperPerSAMF
from vrpsam_app.methods.persam_paper import PaperPerSAM
from vrpsam_app.methods.sam_pictures import SAMPictures
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.references import Reference


def picture(seed: int, row: int, col: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw the picture that the rule in ``tests/golden/README.md`` gives, and its disc."""
    noise = np.random.default_rng(seed).integers(60, 120, (300, 400, 3)).astype(np.uint8)
    rows, cols = np.ogrid[:300, :400]
    disc = (rows - row) ** 2 + (cols - col) ** 2 < 60**2
    lit = noise.astype(int)
    lit[disc] += np.array([120, 40, -40])
    return np.clip(lit, 0, 255).astype(np.uint8), disc


def close(found: torch.Tensor, expected: NDArray) -> None:
    """Compare relative to the largest value."""
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found.numpy() / scale, expected / scale, rtol=0, atol=2e-5)


@pytest.fixture(scope="module")
def golden(golden_folder: Path) -> dict[str, NDArray]:
    with np.load(golden_folder / "persam_tiny_sam.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def pictures(fill_by_key: Callable[..., None]) -> SAMPictures:
    config = SAMConfig(name="golden", width=64, depth=2, heads=2, global_attention_blocks=(1,))
    sam = FrozenSAM(config)
    fill_by_key(sam)
    return SAMPictures(sam, device=torch.device("cpu"))


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference.from_mask(*picture(1, 140, 150))


@torch.inference_mode()
def test_persam_step_by_step(golden, pictures, reference):
    persam = PaperPerSAM(pictures)
    rows = persam.target_rows([reference])
    assert len(rows) == golden["foreground_tokens"]
    close(rows.mean(0)[None], golden["target_embedding"])
    steps = persam.follow(persam.pictures.encode(picture(2, 170, 260)[0]), rows)
    np.testing.assert_array_equal(steps.points_xy, golden["points_xy"])
    close(steps.similarity, golden["similarity"])
    close(steps.attention_cue, golden["attention_cue"])
    assert len(steps.passes) == 3
    for number, own in enumerate(steps.passes, start=1):
        close(own.scores, golden[f"pass{number}_scores"])
        close(own.logits[:, ::4, ::4], golden[f"pass{number}_logits"])
    assert steps.passes[-1].best == golden["final_index"]


@torch.inference_mode()
def test_persam_f_asks_the_reference_by_the_same_point(golden, pictures, reference):
    method = PaperPerSAMF(pictures)
    rows = method.target_rows([reference])
    steps = method.on_itself(method.pictures.encode(reference.image), rows)
    np.testing.assert_array_equal(steps.points_xy, golden["persam_f_self_point_xy"])
    close(steps.similarity, golden["persam_f_self_similarity"])
    close(steps.passes[0].scores, golden["persam_f_self_scores"])


def test_persam_f_fits_the_same_weights(golden, pictures, reference, monkeypatch):
    method = PaperPerSAMF(pictures)
    asked = []
    ask = method.pictures.ask
    monkeypatch.setattr(method.pictures, "ask", lambda *a: asked.append(a) or ask(*a))
    fitted = method.fit([reference])
    assert len(asked) == 1
    assert method.scales is None
    np.testing.assert_allclose(fitted.scales.weights, golden["persam_f_weights"], atol=1e-4)
    losses = fitted.scales.first_loss, fitted.scales.last_loss
    np.testing.assert_allclose(losses, golden["persam_f_first_last_loss"], atol=1e-4)


def test_an_empty_mask_ends_the_refinement(small_pictures, scene, outlined, monkeypatch):
    method = PaperPerSAM(small_pictures)
    ask = method.pictures.ask

    def nothing(*arguments):
        answers = ask(*arguments)
        return type(answers)(-answers.logits.abs() - 1, answers.scores)

    monkeypatch.setattr(method.pictures, "ask", nothing)
    found = method.predict(scene(1)[0], outlined)
    assert not found.mask.any()


def test_a_mask_that_no_cell_is_half_full_of_still_counts(small_pictures, scene):
    target, _ = scene()
    speck = np.zeros(target.shape[:2], bool)
    speck[30, 41] = True
    method = PaperPerSAM(small_pictures)
    assert len(method.target_rows([Reference.from_mask(target, speck)])) == 1


def test_fitted_weights_are_used_and_reported(small_pictures, scene, outlined):
    method = PaperPerSAMF(small_pictures, steps=20)
    fitted = method.fit([outlined])
    assert fitted.describe()["scales"] == fitted.scales.weights.tolist()
    assert "scales" not in method.describe()
    once = method.predict(scene(1)[0], outlined)
    again = fitted.predict(scene(1)[0], outlined)
    np.testing.assert_array_equal(once.probability, again.probability)
    assert once.made_by["scales"] == fitted.describe()["scales"]
