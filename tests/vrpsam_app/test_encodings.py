"""Everything is encoded once, in batches that the memory holds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vrpsam_app.annotations import Box
from vrpsam_app.config import EMBEDDED_CONFIG
from vrpsam_app.corrections import Corrections
from vrpsam_app.decoding import answer, go_together, look_at, with_own_marks
from vrpsam_app.embeddings.passing_store import PassingStore
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.encodings import MOST_TOGETHER, Encodings
from vrpsam_app.errors import DeviceError
from vrpsam_app.models.build import build_model
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.reference_segmenter import Question
from vrpsam_app.references import Reference

CPU = torch.device("cpu")


def rgb(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 255, (32, 32, 3), np.uint8)


def shown(seed: int, label: str = "object") -> Reference:
    return Reference.from_annotations(rgb(seed), [Box(4, 6, 20, 22)], label=label)


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    return build_model(EMBEDDED_CONFIG).eval()


@pytest.fixture
def sizes(model: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that were encoded."""
    encode, found = model.encode_images, []

    def counted(images: torch.Tensor) -> Any:
        found.append(len(images))
        return encode(images)

    monkeypatch.setattr(model, "encode_images", counted)
    return found


@pytest.fixture
def holding(model: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """A device whose memory holds so many pictures, and what was tried on it."""

    def make(most: int) -> list[int]:
        encode, tried = model.encode_images, []

        def encode_images(images: torch.Tensor) -> Any:
            tried.append(len(images))
            if len(images) > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
            return encode(images)

        monkeypatch.setattr(model, "encode_images", encode_images)
        return tried

    return make


def encodings(model: Any, **changed: Any) -> Encodings:
    settings = {"device": CPU, "sha256": "", "store": EmbeddingStore(), "precision": "fp32"}
    return Encodings(model, **(settings | changed))


def test_batches_are_halved_until_they_fit_and_stay_so(
    model: Any, holding: Callable[[int], list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    tried = holding(2)
    kept = encodings(model)
    pictures = [rgb(seed) for seed in range(7)]
    with caplog.at_level(logging.WARNING):
        kept.pictures(pictures)
        assert tried == [7, 3, 1, 1, 1, 1, 1, 1, 1]
        kept.pictures([rgb(seed) for seed in range(10, 12)])
    assert tried[9:] == [1, 1]
    assert "does not suffice for 7 pictures together: from now on 3" in caplog.text
    alone = encodings(model)
    for picture in pictures:
        found, expected = kept.picture(picture), alone.picture(picture)
        for name, array in found.to_arrays().items():
            np.testing.assert_array_equal(array, expected.to_arrays()[name])
    assert len(tried) == 11 + 7  # all of them were found


def test_parts_are_as_large_as_fits(model: Any, holding: Callable[[int], list[int]]) -> None:
    tried = holding(4)
    encodings(model).pictures([rgb(seed) for seed in range(6)])
    assert tried == [6, 3, 3]


def test_a_picture_too_large_for_the_device_is_explained(
    model: Any, holding: Callable[[int], list[int]]
) -> None:
    tried = holding(0)
    with pytest.raises(DeviceError, match="does not suffice to encode a picture of 128 x 128"):
        encodings(model).pictures([rgb(0), rgb(1)])
    assert tried == [2, 1]


def test_a_stack_goes_on_where_the_memory_ends(
    model: Any, holding: Callable[[int], list[int]], tmp_path: Any
) -> None:
    from vrpsam_app.stack_runs.run import segment_stack

    stack = np.stack([rgb(seed)[..., 0] for seed in range(5)])
    told: list[Any] = []

    def run(name: str, **settings: Any) -> NDArray[Any]:
        import zarr

        predictor = VRPSAMPredictor(model, device=CPU)
        out = tmp_path / f"{name}.zarr"
        segment_stack(predictor, stack, shown(9), out, progress=told.append, **settings)
        return np.asarray(zarr.open_array(out, mode="r"))

    expected = run("one by one", batch_size=1)
    tried = holding(2)
    found = run("in batches", batch_size=4)
    assert 4 in tried
    assert max(tried[tried.index(4) + 1 :]) <= 2
    assert (found != expected).mean() <= 1e-4
    assert told[-1].done == 5


def test_the_batch_suits_the_memory(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Card:
        total_memory = 0

    assert encodings(model).batch_size == 1
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "card")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Card)
    on_card = encodings(model, device=torch.device("cuda"))
    for gigabytes, expected in ((0.1, 1), (1, 4), (80, MOST_TOGETHER)):
        Card.total_memory = int(gigabytes * 2**30)
        assert on_card.batch_size == expected


def test_another_store_leaves_this_one_alone(model: Any) -> None:
    kept = encodings(model)
    other = kept.kept_in(PassingStore(kept.store))
    other.picture(rgb(0))
    assert (len(kept.store), len(other.store)) == (0, 1)


def test_the_precision_is_in_the_key_and_in_the_recipe(model: Any, sizes: list[int]) -> None:
    store = EmbeddingStore()
    for precision in ("fp32", "bf16", "fp32", "bf16"):
        predictor = VRPSAMPredictor(model, device=CPU, store=store, precision=precision)
        predictor.prepare(rgb(0))
        assert predictor.describe()["precision"] == precision
        assert predictor.origin.endswith(f"/precision={precision}")
    assert sizes == [1, 1]


def test_nothing_is_encoded_twice(model: Any, sizes: list[int]) -> None:
    """One call a picture, whatever is asked: references, classes, corrections, other methods."""
    predictor = VRPSAMPredictor(model, device=CPU)
    references = [shown(1), shown(2), shown(3, "other")]
    predictor.predict(rgb(0), references[0])
    assert len(sizes) == 2  # the reference and the target
    predictor.predict(rgb(0), references[:2])
    predictor.predict_classes(rgb(0), references)
    assert len(sizes) == 4  # two more references
    again = [Reference.from_annotations(rgb(1), [Box(1, 1, 9, 9)])]  # other marks on one of them
    predictor.predict(rgb(0), again)
    marks = Corrections((Box(2, 2, 12, 12),))
    predictor.predict(rgb(0), references[0], corrections=marks)
    predictor.predict_from_prompts(rgb(0), references[0], marks)
    predictor.predict(rgb(1), references[0])  # the reference's picture as target
    assert len(sizes) == 4


def test_classes_decoded_together_are_as_decoded_alone(model: Any) -> None:
    kept = encodings(model)
    seen = look_at(kept, rgb(0), None)
    ours, theirs = shown(1, "a"), shown(2, "b")
    questions = [
        Question("a", [ours, theirs.as_not_this()]),
        Question("b", [theirs, ours.as_not_this()]),
    ]
    assert go_together(questions)
    together = answer(kept, seen, questions, 0.5, {})
    for question, found in zip(questions, together, strict=True):
        (alone,) = answer(kept, seen, [question], 0.5, {})
        np.testing.assert_allclose(found.probability, alone.probability, atol=1e-4)
        np.testing.assert_allclose(
            [found.score, found.presence], [alone.score, alone.presence], atol=1e-4
        )
        assert found.label == alone.label
    assert np.abs(together[0].probability - together[1].probability).max() > 1e-3


def test_questions_of_another_kind_are_decoded_alone() -> None:
    plain = Question("a", [shown(1)])
    assert go_together([plain, Question("b", [shown(2)])])
    assert not go_together([plain, Question("b", [shown(2), shown(3)])])
    assert not go_together([plain, Question("b", [shown(2).as_not_this()])])
    corrected = with_own_marks(Question("b", [shown(2)], Corrections((Box(1, 1, 9, 9),))), rgb(0))
    assert len(corrected.references) == 2
    assert not go_together([plain, corrected])
    assert with_own_marks(Question("b", [shown(2)], Corrections()), rgb(0)).corrections is None


def test_a_compiled_encoder_is_asked_and_recorded(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Any] = []

    def compile_it(encode: Any) -> Any:
        compiled.append(encode)
        return encode

    monkeypatch.setattr(torch, "compile", compile_it)
    predictor = VRPSAMPredictor(model, device=CPU, compiled=True)
    predictor.prepare(rgb(0))
    assert compiled == [model.encode_images]
    assert predictor.describe()["compiled"] is True
    assert predictor.origin.endswith("/compiled")
    assert "compiled" not in VRPSAMPredictor(model, device=CPU).describe()


def test_a_machine_that_cannot_compile_is_explained(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(images: torch.Tensor) -> Any:
        raise RuntimeError("No working C++ compiler found\nand much more")

    monkeypatch.setattr(torch, "compile", lambda encode: fails)
    with pytest.raises(DeviceError, match=r"\(No working C\+\+ compiler found\)"):
        encodings(model, compiled=True).picture(rgb(0))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's compiler warns of itself
def test_the_compiled_encoder_finds_the_same(model: Any) -> None:
    found = encodings(model, compiled=True).picture(rgb(0)).to_arrays()
    for name, array in encodings(model).picture(rgb(0)).to_arrays().items():
        np.testing.assert_allclose(found[name], array, atol=5e-2, rtol=5e-2)
