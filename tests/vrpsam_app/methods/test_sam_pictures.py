from __future__ import annotations

import numpy as np
import pytest
import torch

from vrpsam_app.config import SAM_TINY
from vrpsam_app.embeddings.store import DiskEmbeddingStore, EmbeddingStore
from vrpsam_app.methods.sam_pictures import SAMPictures, SAMPrompt
from vrpsam_app.models.frozen_sam import FrozenSAM

CPU = torch.device("cpu")


@pytest.fixture
def pictures(small_sam: FrozenSAM) -> SAMPictures:
    return SAMPictures(small_sam, device=CPU)


def click(x: float, y: float) -> SAMPrompt:
    return SAMPrompt.at([np.array([x, y])])


def test_a_picture_is_encoded_once(pictures, scene):
    picture, _ = scene()
    first = pictures.encode(picture)
    again = pictures.encode(picture.copy())
    assert pictures.store.computed == 1
    torch.testing.assert_close(first.embedding, again.embedding, atol=0, rtol=0)
    assert first.embedding.shape == (1, 32, 8, 8)
    assert first.cells.shape == (1, 32, 6, 8)


def test_embeddings_are_read_at_the_stores_precision(pictures, scene):
    picture, _ = scene()
    half = pictures.encode(picture).embedding
    full = pictures.at_precision("fp32").encode(picture).embedding
    assert half.dtype == full.dtype == torch.float32
    torch.testing.assert_close(half, full.half().float(), atol=0, rtol=0)
    assert not torch.equal(half, full)
    assert pictures.store.computed == 2


def test_what_was_kept_on_disk_is_found(small_sam, scene, tmp_path):
    picture, _ = scene()
    for expected in (1, 0):
        store = DiskEmbeddingStore(tmp_path)
        SAMPictures(small_sam, device=CPU, sha256="ab" * 32, store=store).encode(picture)
        assert store.computed == expected
    nameless = DiskEmbeddingStore(tmp_path)
    SAMPictures(small_sam, device=CPU, store=nameless).encode(picture)
    assert nameless.computed == 1


def test_points_are_in_pixels_of_the_picture(pictures, scene):
    picture = pictures.encode(scene()[0])
    answer = pictures.ask(picture, [click(40, 30)])
    sparse, dense = pictures.sam.prompt(
        torch.tensor([[[64.0, 48.0]]]), torch.ones(1, 1), batch_size=1
    )
    expected = pictures.sam.decode_masks(picture.embedding, sparse, dense)
    torch.testing.assert_close(answer.logits, expected.mask_logits)
    torch.testing.assert_close(answer.scores, expected.scores)


def test_answers_do_not_depend_on_what_else_is_asked(pictures, scene):
    picture = pictures.encode(scene()[0])
    box = np.array([10, 10, 40, 30], np.float32)
    prompts = [
        click(40, 30),
        SAMPrompt.at([np.array([20, 20])], [np.array([70, 5])]),
        SAMPrompt.at([], box_xyxy=box),
        click(10, 50),
        SAMPrompt.at([np.array([20, 20])], box_xyxy=box),
        SAMPrompt(mask_logits=torch.randn(32, 32)),
        *[click(x, 20) for x in range(20)],
    ]
    together = pictures.ask(picture, prompts)
    assert together.logits.shape == (26, 4, 32, 32)
    for number, prompt in enumerate(prompts[:8]):
        alone = pictures.ask(picture, [prompt])
        torch.testing.assert_close(together.logits[number], alone.logits[0], atol=1e-4, rtol=1e-4)


def test_refining_keeps_the_question(pictures):
    first = SAMPrompt.at([np.array([1, 2])], box_xyxy=np.array([0, 0, 4, 4], np.float32))
    mask = torch.zeros(32, 32)
    assert first.refined(mask, None).box_xyxy is first.box_xyxy
    box = np.array([1, 1, 2, 2], np.float32)
    refined = first.refined(mask, box)
    assert refined.box_xyxy is box
    assert refined.mask_logits is mask
    np.testing.assert_array_equal(refined.points_xy, first.points_xy)


def test_from_a_file(tmp_path, tiny_sam, scene):
    torch.save(tiny_sam.state_dict(), tmp_path / "sam.pth")
    store = EmbeddingStore()
    pictures = SAMPictures.from_file(tmp_path / "sam.pth", device="cpu", store=store)
    assert pictures.config == SAM_TINY
    assert len(pictures.sha256) == 64
    pictures.encode(scene()[0])
    assert store.computed == 1
