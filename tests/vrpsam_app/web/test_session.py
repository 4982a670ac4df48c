from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.segmenter import Prediction
from vrpsam_app.web.session import (
    Answers,
    ClassFinding,
    Finding,
    Question,
    opening_references,
    opening_session,
)


def prediction(probability: np.ndarray, *, present: bool = True) -> Prediction:
    return Prediction(
        mask=probability > 0.5,
        probability=probability,
        score=0.8,
        presence=0.9,
        present=present,
        pseudo_mask=probability,
        label="object",
        made_by={},
    )


@pytest.mark.parametrize("threshold", [step / 100 for step in range(1, 100)])
def test_kept_finding_is_cut_exactly_at_every_step_of_the_slider(threshold: float):
    rng = np.random.default_rng(0)
    edges = np.arange(0, 101) / 100
    values = np.concatenate(
        [edges, np.nextafter(edges, 0), np.nextafter(edges, 1), rng.random(297)]
    )
    whole = prediction(values.clip(0, 1).astype(np.float32).reshape(20, 30))
    kept = ClassFinding.from_prediction(whole, (20, 30)).at_threshold(threshold)
    np.testing.assert_array_equal(kept.mask, whole.at_threshold(threshold).mask)


def test_kept_finding_says_what_the_prediction_said():
    kept = ClassFinding.from_prediction(prediction(np.ones((8, 8), np.float32)), (8, 8))
    assert (kept.score, kept.presence, kept.present) == (0.8, 0.9, True)


def test_absent_stays_empty():
    whole = prediction(np.ones((8, 8), np.float32), present=False)
    assert not ClassFinding.from_prediction(whole, (8, 8)).at_threshold(0.01).mask.any()


def test_kept_finding_is_small():
    ramp = np.linspace(0, 1, 4000 * 3000, dtype=np.float32).reshape(3000, 4000)
    kept = ClassFinding.from_prediction(prediction(ramp), (768, 1024))
    assert kept.at_threshold(0.5).mask.shape == (768, 1024)
    assert len(kept.levels) < 100_000


def test_a_kept_mask_is_the_same_at_every_threshold():
    mask = np.zeros((40, 60), bool)
    mask[10:20, 10:30] = True
    kept = ClassFinding.from_mask("cell", mask, (20, 30), score=0.7, presence=0.9)
    for threshold in (0.01, 0.5, 0.98):
        np.testing.assert_array_equal(kept.at_threshold(threshold).mask, mask[::2, ::2])


def test_answers_to_another_question_are_dropped():
    finding = Finding((ClassFinding("object", b"", 1.0, 1.0, True),))
    answers = Answers(Question("a", "")).with_finding("target", finding)
    assert answers.to(Question("a", "")).findings == {"target": finding}
    assert answers.to(Question("b", "")).findings == {}
    assert answers.has("target", "")
    assert not answers.has("target", "marks")


def test_failures_are_asked_again():
    answers = Answers(Question("a", "")).with_finding("target", Finding(failure="gone"))
    assert not answers.has("target", "")


def test_the_page_opens_with_a_marked_coin_and_three_targets():
    session = opening_session()
    (reference,) = opening_references()
    assert [picture.hw for picture in session.marked] == [(303, 384)]
    assert reference["image"] == session.marked[0].id
    assert reference["label"] == "coin"
    assert [mark["type"] for mark in reference["marks"]] == ["box"]
    assert [target.name for target in session.targets] == [
        "coins-lighter.png",
        "coins-in-the-grass.png",
        "grass.png",
    ]
