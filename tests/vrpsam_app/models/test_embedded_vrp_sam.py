"""The embedded module: shapes, the reference's influence, and what depends on what."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from torch import Tensor

from vrpsam_app.config import EMBEDDED_CONFIG
from vrpsam_app.errors import EmptyReferenceError
from vrpsam_app.models.embedded_records import ImageEmbedding
from vrpsam_app.models.embedded_vrp_sam import REFINED_SHARE, EmbeddedVRPSAM
from vrpsam_app.models.embeddings import PromptTensors
from vrpsam_app.models.level_facts import FACTS
from vrpsam_app.models.mask_refiner import REACH
from vrpsam_app.models.resize import pool_mask

NOT_A_BOX = torch.zeros(1, dtype=torch.bool)


@pytest.fixture(scope="module")
def model() -> EmbeddedVRPSAM:
    torch.manual_seed(0)
    model = EmbeddedVRPSAM(EMBEDDED_CONFIG).eval()
    with torch.no_grad():
        # The decoder starts almost silent; here it must speak.
        model.decoder_scale.fill_(1.0)
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return model


def picture(seed: int, h: int = 96, w: int = 64) -> Tensor:
    return torch.rand(1, 3, h, w, generator=torch.Generator().manual_seed(seed))


def marks(rows: slice, cols: slice, h: int = 96, w: int = 64, which: int = 0) -> Tensor:
    maps = torch.zeros(1, 3, h, w)
    maps[:, which, rows, cols] = 1
    return maps


@torch.inference_mode()
def test_shapes_on_a_grid_that_is_not_square(model: EmbeddedVRPSAM) -> None:
    embedding = model.encode_images(picture(0))
    reference = model.encode_reference(embedding, marks(slice(8, 40), slice(8, 30)), NOT_A_BOX)
    output = model.decode(embedding, [reference])
    assert output.mask_logits.shape == (1, 1, *model.output_hw((96, 64))) == (1, 1, 48, 32)
    assert output.pseudo_mask.shape == (1, 1, 24, 16)
    assert output.score.shape == output.presence.shape == (1,)
    assert 0 <= float(output.pseudo_mask.min()) <= float(output.pseudo_mask.max()) <= 1


@torch.inference_mode()
def test_the_answer_follows_the_marks_and_the_reference_image(model: EmbeddedVRPSAM) -> None:
    target = model.encode_images(picture(0))
    here, there = marks(slice(8, 40), slice(8, 30)), marks(slice(50, 90), slice(30, 60))
    answers = [
        model.decode(target, [model.encode_reference(target, m, NOT_A_BOX)]).mask_logits
        for m in (here, there)
    ]
    assert float((answers[0] - answers[1]).abs().mean()) > 0.05


@torch.inference_mode()
def test_a_batch_equals_its_items_alone(model: EmbeddedVRPSAM) -> None:
    images = torch.cat([picture(1), picture(2)])
    both_marks = torch.cat([marks(slice(8, 40), slice(8, 30)), marks(slice(0, 20), slice(0, 60))])
    together = model.encode_images(images)
    flags = torch.tensor([False, True])
    joint = model.decode(together, [model.encode_reference(together, both_marks, flags)])
    for k in range(2):
        alone = model.encode_images(images[k : k + 1])
        encoded = model.encode_reference(alone, both_marks[k : k + 1], flags[k : k + 1])
        output = model.decode(alone, [encoded])
        torch.testing.assert_close(
            output.mask_logits[0], joint.mask_logits[k], atol=2e-3, rtol=1e-3
        )


@torch.inference_mode()
def test_more_references_add_tokens_and_their_order_hardly_matters(model: EmbeddedVRPSAM) -> None:
    target = model.encode_images(picture(0))
    first = model.encode_reference(target, marks(slice(8, 40), slice(8, 30)), NOT_A_BOX)
    other = model.encode_images(picture(3))
    second = model.encode_reference(other, marks(slice(0, 30), slice(20, 60)), NOT_A_BOX)
    a = model.decode(target, [first, second]).mask_logits
    b = model.decode(target, [second, first]).mask_logits
    torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)
    assert float((a - model.decode(target, [first]).mask_logits).abs().mean()) > 1e-3


@torch.inference_mode()
def test_not_this_alone_is_refused_but_helps_beside_an_object(model: EmbeddedVRPSAM) -> None:
    target = model.encode_images(picture(0))
    shown = model.encode_reference(target, marks(slice(8, 40), slice(8, 30)), NOT_A_BOX)
    against = model.encode_reference(
        target, marks(slice(50, 90), slice(30, 60), which=1), NOT_A_BOX
    )
    with pytest.raises(EmptyReferenceError, match="not this"):
        model.decode(target, [against])
    before = model.decode(target, [shown]).pseudo_mask[..., 13:22, 8:15].mean()
    after = model.decode(target, [shown, against]).pseudo_mask[..., 13:22, 8:15].mean()
    assert float(after) < float(before)


@torch.inference_mode()
def test_clicks_and_a_previous_mask_change_the_answer(model: EmbeddedVRPSAM) -> None:
    target = model.encode_images(picture(0))
    reference = [model.encode_reference(target, marks(slice(8, 40), slice(8, 30)), NOT_A_BOX)]
    plain = model.decode(target, reference).mask_logits
    clicked = PromptTensors(
        points_xy=torch.tensor([[[20.0, 70.0]]]), point_labels=torch.tensor([[0]])
    )
    previous = PromptTensors(mask_logits=torch.full((1, 1, 48, 32), -5.0))
    boxed = PromptTensors(boxes_xyxy=torch.tensor([[4.0, 4.0, 30.0, 40.0]]))
    for prompts in (clicked, previous, boxed):
        changed = model.decode(target, reference, prompts).mask_logits
        assert float((changed - plain).abs().mean()) > 1e-4


@torch.inference_mode()
def test_a_curved_fit_is_heard_only_where_everything_is_marked(model: EmbeddedVRPSAM) -> None:
    target = model.encode_images(picture(0))
    object_, ground = marks(slice(20, 70), slice(8, 50)), marks(slice(0, 96), slice(0, 64), which=1)
    ground[:, 1:] *= 1 - object_[:, :1]
    some = model.encode_reference(target, object_, NOT_A_BOX)
    all_ = model.encode_reference(target, object_ + ground, NOT_A_BOX)
    assert float(model.fit_together([some]).fixed.quality) == 0
    fits = model.fit_together([some, all_])
    assert float(fits.fixed.quality) > 0
    assert float(fits.learned.quality) > 0
    silent = model.fit_together([some])
    heard, unheard = (model.decode(target, [all_], together=f).mask_logits for f in (fits, silent))
    assert float((heard - unheard).abs().mean()) > 0.1
    torch.testing.assert_close(
        model.decode(target, [some, all_]).mask_logits,
        model.decode(target, [some, all_], together=fits).mask_logits,
    )


def test_one_head_chooses_the_level_where_an_object_is_marked_the_other_where_all_are(
    model: EmbeddedVRPSAM, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = model.encode_images(picture(0))
    object_, ground = marks(slice(20, 70), slice(8, 50)), marks(slice(0, 96), slice(0, 64), which=1)
    ground[:, 1:] *= 1 - object_[:, :1]
    with torch.no_grad():
        some = model.encode_reference(target, object_, NOT_A_BOX)
        all_ = model.encode_reference(target, object_ + ground, NOT_A_BOX)

    def answers(level: float, told_level: float) -> list[Tensor]:
        for head, here in ((model.cut_head, level), (model.told_cut_head, told_level)):
            monkeypatch.setattr(head, "forward", lambda facts, at=here: facts.new_full((1,), at))
        monkeypatch.setattr(model.refiner, "forward", lambda seen: 0 * seen[:, :1])
        asked = [some], [all_], [some, all_]
        with torch.no_grad():
            return [model.decode(target, list(each)).mask_logits for each in asked]

    plain, cut, told = answers(0.0, 0.0), answers(1.5, 0.0), answers(0.0, 0.5)
    torch.testing.assert_close(cut[0], plain[0] - 1.5)
    assert torch.equal(told[0], plain[0])
    for each in (1, 2):
        assert torch.equal(cut[each], plain[each])
        torch.testing.assert_close(told[each], plain[each] - 0.5)


@torch.inference_mode()
def test_a_reference_that_is_marked_throughout_is_asked_about_itself(model: EmbeddedVRPSAM) -> None:
    learned = copy.deepcopy(model)
    for head in (learned.cut_head, learned.told_cut_head, learned.refiner):
        for silent in head.out.parameters():
            silent.zero_()  # answers are left as they are
    target = learned.encode_images(picture(0))
    object_, ground = marks(slice(20, 70), slice(8, 50)), marks(slice(0, 96), slice(0, 64), which=1)
    ground[:, 1:] *= 1 - object_[:, :1]
    some = learned.encode_reference(target, object_, NOT_A_BOX)
    all_ = learned.encode_reference(target, object_ + ground, NOT_A_BOX)
    assert not some.own.any()
    # As a target it gets the same facts, and the IoU is that of the answer cut at each level.
    answer = learned.decode(target, [all_]).mask_logits
    facts, values = all_.own.split([FACTS, 1], 2)
    torch.testing.assert_close(facts, learned.level_facts(answer, target))
    marked = pool_mask(object_[:, :1], (48, 32)) > 0.5
    for level, value in zip(learned.cut_head.levels.tolist(), values[0, :, 0], strict=True):
        cut = answer > level
        assert float(value) == pytest.approx(float((cut & marked).sum() / (cut | marked).sum()))
    together = learned.fit_together([some, all_, all_])
    torch.testing.assert_close(together.own, all_.own)


def test_no_level_is_chosen_while_masks_are_learned() -> None:
    learning = EmbeddedVRPSAM(EMBEDDED_CONFIG)
    assert learning.learns_masks
    assert not learning.eval().learns_masks
    assert not learning.train().requires_grad_(False).learns_masks


def test_gradients_reach_every_parameter(model: EmbeddedVRPSAM) -> None:
    trained = EmbeddedVRPSAM(EMBEDDED_CONFIG)
    trained.load_state_dict(model.state_dict())
    embedding: ImageEmbedding = trained.encode_images(picture(0))
    boxed = marks(slice(8, 40), slice(8, 30)) + marks(slice(42, 50), slice(8, 30), which=2)
    reference = trained.encode_reference(embedding, boxed, torch.tensor([True]))
    clicks = PromptTensors(
        points_xy=torch.tensor([[[20.0, 70.0], [9.0, 9.0], [0.0, 0.0]]]),
        point_labels=torch.tensor([[0, 1, -1]]),
    )
    output = trained.decode(embedding, [reference], clicks)
    total = output.mask_logits.mean() + output.score.sum() + output.presence.sum()
    (total + output.pseudo_mask.mean()).backward()
    silent = {n for n, p in trained.named_parameters() if p.grad is None or not p.grad.abs().any()}
    # SAM's classes hold what is not used here: three more masks, their scores, boxes, "no mask".
    # Dense features are learned before, the level of answers afterwards.
    expected = (
        "iou_prediction_head",
        "output_hypernetworks_mlps",
        "no_mask_embed",
        "point_embeddings",
        "dense",
        "cut_head",
        "refiner",
    )
    assert not {n for n in silent if not any(word in n for word in expected)}


@torch.inference_mode()
def test_a_large_object_keeps_at_most_the_configured_cells() -> None:
    encoder = dataclasses.replace(EMBEDDED_CONFIG.vrp_encoder, max_foreground=10)
    model = EmbeddedVRPSAM(dataclasses.replace(EMBEDDED_CONFIG, vrp_encoder=encoder)).eval()
    embedding = model.encode_images(picture(0))
    everything = model.encode_reference(embedding, marks(slice(None), slice(None)), NOT_A_BOX)
    assert everything.foreground.shape[1] == 10
    # Spread over the picture: not the ten first cells, which are one row and a bit.
    rows = model.augmenter.reduce(embedding.semantic).flatten(2).transpose(1, 2)[0]
    unit = torch.nn.functional.normalize(rows, dim=1)
    at = (everything.foreground[0] @ unit.T).argmax(1)
    assert int(at.max() - at.min()) > len(unit) // 2


@torch.inference_mode()
def test_answers_are_refined_however_much_was_marked(model: EmbeddedVRPSAM) -> None:
    target = model.encode_images(picture(0))
    clicked = marks(slice(8, 40), slice(8, 30))
    told = clicked.clone()
    told[:, 1] = 1 - told[:, 0]
    encoded = [model.encode_reference(target, m, NOT_A_BOX) for m in (clicked, told)]
    before = [model.decode(target, [e]).mask_logits for e in encoded]
    eager = copy.deepcopy(model)
    eager.refiner.out.bias.add_(1.0)
    after = [eager.decode(target, [e]).mask_logits for e in encoded]
    for plain, refined in zip(before, after, strict=True):
        more = torch.full_like(plain, REFINED_SHARE * REACH)
        torch.testing.assert_close(refined - plain, more, atol=1e-3, rtol=1e-3)


@torch.inference_mode()
def test_what_the_refiner_is_taught_on_is_what_it_will_be_asked(model: EmbeddedVRPSAM) -> None:
    target = model.encode_images(picture(0))
    reference = model.encode_reference(target, marks(slice(8, 40), slice(8, 30)), NOT_A_BOX)
    logits, seen = model.unrefined(target, [reference])
    answer = logits + REFINED_SHARE * model.refiner(seen)
    torch.testing.assert_close(answer, model.decode(target, [reference]).mask_logits)
