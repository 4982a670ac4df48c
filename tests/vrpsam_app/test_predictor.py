"""The predictor: any array in, full-size masks out, nothing computed twice."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vrpsam_app.annotations import Box, Point, Scribble
from vrpsam_app.config import EMBEDDED_CONFIG
from vrpsam_app.corrections import Corrections
from vrpsam_app.embeddings.store import DiskEmbeddingStore, EmbeddingStore
from vrpsam_app.errors import AnnotationError, EmptyReferenceError, ImageError, WeightsError
from vrpsam_app.images import IntensityRange, intensity_range_of
from vrpsam_app.models.build import build_model
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.references import Reference


class Counting:
    """Counts the calls of a model's methods."""

    def __init__(self, model: Any) -> None:
        self.counts = dict.fromkeys(("encode_images", "encode_reference", "decode"), 0)
        for name in self.counts:
            setattr(model, name, self._counted(name, getattr(model, name)))

    def _counted(self, name: str, method: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.counts[name] += 1
            return method(*args, **kwargs)

        return call


@pytest.fixture(scope="module")
def shared() -> VRPSAMPredictor:
    torch.manual_seed(0)
    return VRPSAMPredictor(build_model(EMBEDDED_CONFIG).eval(), device=torch.device("cpu"))


@pytest.fixture
def counted() -> tuple[VRPSAMPredictor, dict[str, int]]:
    torch.manual_seed(0)
    model = build_model(EMBEDDED_CONFIG).eval()
    counting = Counting(model)
    return VRPSAMPredictor(model, device=torch.device("cpu")), counting.counts


def scene(seed: int = 0, h: int = 80, w: int = 60) -> NDArray[np.uint8]:
    """Noise with a bright square at rows 20:40, columns 10:30."""
    picture = np.random.default_rng(seed).integers(40, 80, (h, w, 3)).astype(np.uint8)
    picture[20:40, 10:30] += 120
    return picture


def reference(image: NDArray[Any] | None = None, label: str = "square") -> Reference:
    box = Box(top=20, left=10, bottom=40, right=30)
    return Reference.from_annotations(scene() if image is None else image, [box], label=label)


@pytest.mark.parametrize(
    "image",
    [
        scene(),
        scene()[..., 0],
        np.dstack([scene(), np.full((80, 60), 255, np.uint8)]),
        scene()[..., 0].astype(np.uint16) * 200,
        scene().astype(np.float32) / 255,
        scene()[..., 0] > 100,
        scene()[:1],
        np.full((50, 40), 7, np.uint8),
    ],
    ids=["rgb", "grey", "rgba", "uint16", "float", "bool", "one row", "constant"],
)
def test_any_array_gives_a_mask_of_its_size(shared: VRPSAMPredictor, image: NDArray[Any]) -> None:
    found = shared.predict(image, reference())
    assert found.mask.shape == found.probability.shape == image.shape[:2]
    assert found.mask.dtype == bool
    assert found.probability.dtype == np.float32
    assert 0 <= found.score <= 1
    assert 0 <= found.presence <= 1
    assert np.isfinite(found.probability).all()


def test_printed_it_says_what_it_is(shared: VRPSAMPredictor) -> None:
    said = f"VRPSAMPredictor({shared.config.name!r}, device='cpu', sha256="
    assert repr(shared).startswith(said)


def test_a_large_image_is_seen_small_and_answered_full_size(shared: VRPSAMPredictor) -> None:
    large = np.kron(scene(), np.ones((20, 20, 1), np.uint8))
    found = shared.predict(large, reference())
    assert found.mask.shape == (1600, 1200)
    assert found.made_by["input_hw"] == (512, 384)


def test_refused_arrays_are_explained(shared: VRPSAMPredictor) -> None:
    with pytest.raises(ImageError, match="moveaxis"):
        shared.predict(np.moveaxis(scene(), 2, 0), reference())
    with pytest.raises(ImageError, match="predict_stack"):
        shared.predict(np.zeros((5, 64, 64), np.uint8), reference())


def test_prompts_are_checked_as_corrections_are(shared: VRPSAMPredictor) -> None:
    with pytest.raises(AnnotationError, match="are a list: expected Corrections"):
        shared.predict_from_prompts(scene(), reference(), [Point(5, 5)])  # type: ignore[arg-type]


def test_references_are_needed_and_must_agree(shared: VRPSAMPredictor) -> None:
    with pytest.raises(EmptyReferenceError, match="No reference"):
        shared.predict(scene(), [])
    with pytest.raises(AnnotationError, match="predict_classes"):
        shared.predict(scene(), [reference(label="a"), reference(label="b")])
    with pytest.raises(EmptyReferenceError, match="not this"):
        shared.predict(scene(), [reference().as_not_this()])


def test_the_reference_side_runs_once_per_reference(
    counted: tuple[VRPSAMPredictor, dict[str, int]],
) -> None:
    predictor, counts = counted
    for seed in range(4):
        predictor.predict(scene(seed + 1), reference())
    assert counts == {"encode_images": 5, "encode_reference": 1, "decode": 4}


def test_a_target_is_encoded_once_whatever_is_asked_of_it(
    counted: tuple[VRPSAMPredictor, dict[str, int]],
) -> None:
    predictor, counts = counted
    target = scene(9)
    predictor.prepare(target)
    assert counts["encode_images"] == 1
    predictor.predict(target, reference())
    click = Reference.from_annotations(scene(), [Point(row=30, col=20)], label="square")
    predictor.predict(target, click)
    predictor.predict(target.copy(), click)
    predictor.predict(target, click, corrections=Corrections((Point(5, 5, positive=False),)))
    assert counts["encode_images"] == 2
    assert counts["encode_reference"] == 3


def test_what_was_embedded_is_found_by_a_prediction(shared: VRPSAMPredictor) -> None:
    image = np.random.default_rng(77).integers(0, 255, (50, 60), np.uint8)
    embedding = shared.embed(image)
    computed = shared.store.computed
    shared.prepare(image)
    assert shared.embed(image) is embedding
    assert shared.store.computed == computed
    assert shared.origin.startswith("model=")
    assert shared.sam is None  # its SAM answers nothing by itself


def test_found_again_or_computed_the_answer_has_equal_bytes(shared: VRPSAMPredictor) -> None:
    first = shared.predict(scene(3), reference())
    second = shared.predict(scene(3), reference())
    fresh = VRPSAMPredictor(
        shared._model, device=torch.device("cpu"), store=EmbeddingStore(max_bytes=0)
    ).predict(scene(3), reference())
    assert first.probability.tobytes() == second.probability.tobytes()
    assert first.probability.tobytes() == fresh.probability.tobytes()


def on_disk(model: Any, folder: Path, sha256: str = "ab" * 32) -> VRPSAMPredictor:
    store = DiskEmbeddingStore(folder)
    return VRPSAMPredictor(model, device=torch.device("cpu"), sha256=sha256, store=store)


def test_read_from_disk_the_answer_has_equal_bytes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build_model(EMBEDDED_CONFIG).eval()
    counts = Counting(model).counts
    computed = on_disk(model, tmp_path).predict(scene(3), reference())
    assert counts == {"encode_images": 2, "encode_reference": 1, "decode": 1}
    read = on_disk(model, tmp_path).predict(scene(3), reference())
    assert counts == {"encode_images": 2, "encode_reference": 2, "decode": 2}
    assert read.probability.tobytes() == computed.probability.tobytes()
    assert (read.score, read.presence) == (computed.score, computed.presence)

    other = Reference.from_annotations(scene(3), [Point(row=30, col=20)])
    on_disk(model, tmp_path).predict(scene(3), other)  # another reference encodes nothing again
    assert counts["encode_images"] == 2
    for path in tmp_path.glob("*.zarr.zip"):
        path.write_bytes(path.read_bytes()[:-100])
    again = on_disk(model, tmp_path).predict(scene(3), reference())
    assert counts["encode_images"] == 4  # damaged ones are made again
    assert again.probability.tobytes() == computed.probability.tobytes()


def test_what_changes_an_embedding_is_in_its_key(tmp_path: Path) -> None:
    import dataclasses

    deep = scene()[..., 0].astype(np.uint16) * 100
    model = build_model(EMBEDDED_CONFIG).eval()
    squashed = build_model(dataclasses.replace(EMBEDDED_CONFIG, resize="squash")).eval()
    on_disk(model, tmp_path).prepare(deep, intensity_range=IntensityRange(0, 20000))
    for predictor, high in (
        (on_disk(model, tmp_path), 10000),
        (on_disk(model, tmp_path, sha256="cd" * 32), 20000),
        (on_disk(squashed, tmp_path), 20000),
    ):
        predictor.prepare(deep, intensity_range=IntensityRange(0, high))
        assert (predictor.store.read, predictor.store.computed) == (0, 1)


def test_a_model_that_nobody_can_name_keeps_nothing_on_disk(tmp_path: Path) -> None:
    predictor = on_disk(build_model(EMBEDDED_CONFIG).eval(), tmp_path, sha256="")
    predictor.prepare(scene())
    assert list(tmp_path.glob("*.zarr.zip")) == []


def test_threads_get_the_answers_they_would_get_alone(shared: VRPSAMPredictor) -> None:
    alone = [shared.predict(scene(s), reference()).probability for s in range(4)]
    fresh = VRPSAMPredictor(shared._model, device=torch.device("cpu"))
    found: dict[int, NDArray[np.float32]] = {}

    def ask(seed: int) -> None:
        found[seed] = fresh.predict(scene(seed), reference()).probability

    threads = [threading.Thread(target=ask, args=(s,)) for s in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(4):
        np.testing.assert_allclose(found[seed], alone[seed], atol=1e-5)


def test_one_intensity_range_for_the_whole_set(shared: VRPSAMPredictor) -> None:
    dim = scene()[..., 0].astype(np.uint16)
    bright = scene()[..., 0].astype(np.uint16) * 100
    ranges = {p.made_by["range"] for p in shared.predict_many([dim, bright], reference())}
    assert len(ranges) == 1
    alone = shared.predict(dim, reference()).made_by["range"]
    assert alone not in ranges


def test_classes_compete_for_each_pixel(shared: VRPSAMPredictor) -> None:
    ground = Reference.from_annotations(
        scene(), [Scribble(((60.0, 10.0), (70.0, 50.0)), width=6)], label="ground"
    )
    both = shared.predict_classes(scene(5), [reference(), ground])
    assert both.names == ("square", "ground")
    square, other = (both.predictions[n].mask for n in both.names)
    assert not (square & other).any()
    assert set(np.unique(both.labels)) <= {0, 1, 2}
    np.testing.assert_array_equal(both.labels == 1, square)


def test_corrections_change_the_answer_where_they_are(shared: VRPSAMPredictor) -> None:
    target = scene(6)
    before = shared.predict(target, reference()).probability
    against = Corrections((Scribble(((25.0, 15.0), (35.0, 25.0)), width=8, positive=False),))
    after = shared.predict(target, reference(), corrections=against).probability
    assert after[22:38, 12:28].mean() < before[22:38, 12:28].mean()
    logits = np.full(target.shape[:2], -6.0, np.float32)
    refined = shared.predict(target, reference(), corrections=Corrections(mask_logits=logits))
    assert np.abs(refined.probability - before).max() > 0


def test_inputs_are_left_alone(shared: VRPSAMPredictor) -> None:
    target, image = scene(7), scene()
    copies = target.copy(), image.copy()
    shared.predict(target, reference(image))
    np.testing.assert_array_equal(target, copies[0])
    np.testing.assert_array_equal(image, copies[1])


def test_an_absent_object_has_an_empty_mask_and_its_probability(shared: VRPSAMPredictor) -> None:
    import dataclasses

    strict = build_model(dataclasses.replace(EMBEDDED_CONFIG, presence_threshold=1.1)).eval()
    found = VRPSAMPredictor(strict, device=torch.device("cpu")).predict(scene(), reference())
    assert not found.present
    assert not found.mask.any()
    assert found.probability.max() > 0


def test_an_unknown_model_is_explained() -> None:
    with pytest.raises(WeightsError, match="known name"):
        VRPSAMPredictor.from_pretrained("no-such-model")


def test_several_images_are_encoded_in_one_batch(
    counted: tuple[VRPSAMPredictor, dict[str, int]],
) -> None:
    predictor, counts = counted
    alone = predictor.predict(scene(1), reference())
    predictor = predictor.passing()
    before = counts["encode_images"]
    predictor.prepare_many([scene(2), scene(3), scene(4)])
    predictor.prepare_many([scene(3), scene(4)])
    assert counts["encode_images"] == before + 1
    for seed in (2, 3, 4):
        predictor.predict(scene(seed), reference())
    assert counts["encode_images"] == before + 1
    batched = VRPSAMPredictor(predictor._model, device=torch.device("cpu"))
    batched.prepare_many([scene(1), scene(5)])
    found = batched.predict(scene(1), reference())
    assert np.mean(found.mask != alone.mask) <= 1e-4


def test_a_passing_predictor_finds_what_is_kept_and_keeps_little(
    counted: tuple[VRPSAMPredictor, dict[str, int]],
) -> None:
    predictor, counts = counted
    kept = predictor.predict(scene(1), reference())
    held = len(predictor.store)
    passing = predictor.passing()
    found = passing.predict(scene(1), reference())
    assert found.probability.tobytes() == kept.probability.tobytes()
    assert counts["encode_images"] == 2
    passing.predict(scene(2), reference())
    assert len(predictor.store) == held


def test_a_predictor_travels_to_another_process(shared: VRPSAMPredictor) -> None:
    arrived = pickle.loads(pickle.dumps(shared))
    assert len(arrived.store) == 0
    assert arrived.input_side == shared.input_side == 512
    here, there = (p.predict(scene(1), reference()) for p in (shared, arrived))
    assert here.probability.tobytes() == there.probability.tobytes()


def test_what_was_prepared_in_the_range_of_the_call_is_not_encoded_again(counted):
    predictor, counts = counted
    target, shown = (scene(seed).astype(np.uint16) * 200 for seed in (1, 2))
    shared = intensity_range_of([target, shown])
    predictor.prepare(target, intensity_range=shared)
    predictor.prepare_many([target], intensity_range=shared)
    assert counts["encode_images"] == 1
    predictor.predict(target, reference(shown))
    predictor.predict(shown, reference(shown))
    assert counts["encode_images"] == 2


@pytest.mark.parametrize("model", [None, 3, ["embedded"]])
def test_a_model_is_a_name_or_a_folder(model: Any):
    with pytest.raises(WeightsError, match="expected a name such as 'embedded', a folder"):
        VRPSAMPredictor.from_pretrained(model, device="cpu")


def test_what_was_pointed_at_in_a_whole_picture_is_heard_once(counted):
    predictor, counts = counted
    mask, beside = np.zeros((2, 80, 60), bool)
    mask[20:40, 10:30], beside[60:70, 40:50] = True, True
    shown = Reference.from_mask(scene(), mask, negative=beside, exhaustive=True)
    target, marks = scene(1), Corrections((Point(30, 20),))
    found = predictor.predict(target, shown)
    assert counts["encode_reference"] == 2
    (other,) = predictor.predict_many([target], shown)
    np.testing.assert_array_equal(other.probability, found.probability)
    by_prompts = [
        predictor.predict_from_prompts(target, references, marks).probability
        for references in (shown, shown.spelled_out())
    ]
    np.testing.assert_array_equal(*by_prompts)
    assert counts["encode_reference"] == 2
