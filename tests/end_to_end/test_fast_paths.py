"""The embedded model's masks are the same on every path: plain calls, stores, batches, stacks.

The plain path calls the module on one picture after the other and keeps nothing; its masks stand
for what each faster path has to give. Paths that round alike give equal bytes, others keep the
promise of `vrpsam_app.replay_promise`: at most 1e-4 of the pixels differ, with an IoU of 0.999.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vrpsam_app.data.photo_episodes import PhotoEpisode, coins, look_alikes, stains
from vrpsam_app.embeddings.store import DiskEmbeddingStore, EmbeddingStore
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.images import to_rgb
from vrpsam_app.model_input import InputGeometry
from vrpsam_app.precision import LEAST_AGREEMENT
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.references import Reference

MOST_CHANGED, LEAST_IOU = 1e-4, 0.999
EPISODES = {"coins": coins, "look-alikes": look_alikes, "stains": stains}


@dataclass(frozen=True, eq=False)
class Asked:
    """A question, and the probability that the plain path answers with."""

    target: NDArray[np.uint8]
    reference: Reference
    probability: NDArray[np.float32]

    def same_bytes(self, probability: NDArray[np.floating]) -> bool:
        return probability.dtype == np.float32 and np.array_equal(probability, self.probability)

    def same_mask(self, probability: NDArray[np.floating]) -> bool:
        found, expected = probability > 0.5, self.probability > 0.5
        changed = float((found != expected).mean())
        return changed <= MOST_CHANGED and iou(found, expected) >= LEAST_IOU


@pytest.fixture(scope="module")
def predictor() -> VRPSAMPredictor:
    return VRPSAMPredictor.from_pretrained(device="cpu", store=EmbeddingStore(max_bytes=0))


@pytest.fixture(scope="module", params=EPISODES.values(), ids=EPISODES)
def asked(request: pytest.FixtureRequest, predictor: VRPSAMPredictor) -> Asked:
    episode: PhotoEpisode = request.param()
    reference = Reference.from_annotations(episode.reference, list(episode.marks))
    return Asked(episode.target, reference, plain(predictor.model, episode.target, reference))


def plain(model: Any, target: NDArray[Any], reference: Reference) -> NDArray[np.float32]:
    """Encode both pictures, encode the marks, decode: one module call after the other."""

    def encoded(picture: NDArray[Any]) -> tuple[Any, InputGeometry]:
        rgb = to_rgb(picture)
        geometry = InputGeometry.of((rgb.shape[0], rgb.shape[1]), model.config)
        # At fp16, in which embeddings are always read.
        return model.encode_images(geometry.image(rgb)).stored().to("cpu", torch.float32), geometry

    with torch.no_grad():
        shown, shown_geometry = encoded(reference.image)
        is_box = torch.tensor([reference.kind == "box"])
        what = model.encode_reference(shown, shown_geometry.marks(reference), is_box)
        where, geometry = encoded(target)
        logits = model.decode(where, [what]).mask_logits
        full = geometry.to_original(logits, align_corners=model.config.align_corners)
    return torch.from_numpy(full).sigmoid().numpy()


def test_the_plain_path_finds_something(asked: Asked) -> None:
    assert 0.02 < float((asked.probability > 0.5).mean()) < 0.9


def test_without_a_store(asked: Asked, predictor: VRPSAMPredictor) -> None:
    assert asked.same_bytes(predictor.predict(asked.target, asked.reference).probability)


def test_from_memory_and_from_disk(
    asked: Asked, predictor: VRPSAMPredictor, tmp_path: Path
) -> None:
    for _ in range(2):
        store = DiskEmbeddingStore(tmp_path)
        kept = VRPSAMPredictor(
            predictor.model, device=torch.device("cpu"), sha256="ab" * 32, store=store
        )
        for _ in range(2):
            assert asked.same_bytes(kept.predict(asked.target, asked.reference).probability)
    assert (store.read, len(list(tmp_path.glob("*.zarr.zip")))) == (2, 2)


def test_encoded_in_a_batch(asked: Asked, predictor: VRPSAMPredictor) -> None:
    batched = VRPSAMPredictor(predictor.model, device=torch.device("cpu"))
    batched.prepare_many([asked.target[::-1], asked.target, asked.target[:, ::-1]])
    assert asked.same_mask(batched.predict(asked.target, asked.reference).probability)


def test_decoded_with_another_class(asked: Asked, predictor: VRPSAMPredictor) -> None:
    from vrpsam_app.decoding import answer, look_at
    from vrpsam_app.encodings import Encodings
    from vrpsam_app.reference_segmenter import Question

    kept = Encodings(
        predictor.model,
        device=torch.device("cpu"),
        sha256="",
        store=EmbeddingStore(),
        precision="fp32",
    )
    seen = look_at(kept, asked.target, None)
    other = Reference.from_mask(
        asked.target, asked.target.reshape(*asked.target.shape[:2], -1)[..., 0] > 200
    )
    questions = [Question("asked", [asked.reference]), Question("other", [other])]
    found, _ = answer(kept, seen, questions, 0.5, {})
    assert asked.same_mask(found.probability)


def test_as_a_slice_of_a_stack_on_disk(
    asked: Asked, predictor: VRPSAMPredictor, tmp_path: Path
) -> None:
    import zarr

    from vrpsam_app.stack_runs.run import segment_stack
    from vrpsam_app.stacks.stack import Stack

    stack = Stack.from_array(np.stack([asked.target, asked.target[::-1]]))
    out = tmp_path / "found.zarr"
    segment_stack(predictor, stack, asked.reference, out, output="probability", tiling="whole")
    assert asked.same_bytes(np.asarray(zarr.open_array(out, mode="r")[0]))


def test_in_another_layout_in_memory(asked: Asked, predictor: VRPSAMPredictor) -> None:
    import copy

    model = copy.deepcopy(predictor.model).to(memory_format=torch.contiguous_format)
    assert asked.same_mask(plain(model, asked.target, asked.reference))


def test_in_bfloat16_by_its_own_limit(asked: Asked, predictor: VRPSAMPredictor) -> None:
    quick = VRPSAMPredictor(predictor.model, device=torch.device("cpu"), precision="bf16")
    found = quick.predict(asked.target, asked.reference).probability
    assert iou(found > 0.5, asked.probability > 0.5) >= LEAST_AGREEMENT
    assert not asked.same_bytes(found)  # it was in use
