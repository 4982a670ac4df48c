"""The embedded model on real photographs; each question holds a look-alike, and guards fail it.

The guards answer without looking at the reference: everything, nothing, the brighter half by Otsu,
and one fixed mask whatever is asked.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import filters

from vrpsam_app.data.photo_episodes import PhotoEpisode, coins, look_alikes, stains
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.references import Reference

Answer = Callable[[PhotoEpisode], NDArray[np.bool_]]


@pytest.fixture(scope="module")
def model() -> Answer:
    predictor = VRPSAMPredictor.from_pretrained(device="cpu")

    def answer(episode: PhotoEpisode) -> NDArray[np.bool_]:
        shown = Reference.from_annotations(episode.reference, list(episode.marks))
        return predictor.predict(episode.target, shown).mask

    return answer


def bright(episode: PhotoEpisode) -> NDArray[np.bool_]:
    grey = episode.target if episode.target.ndim == 2 else episode.target.mean(2)
    return np.asarray(grey > filters.threshold_otsu(grey))


GUARDS: dict[str, Answer] = {
    "everything": lambda e: np.ones(e.truth.shape, bool),
    "nothing": lambda e: np.zeros(e.truth.shape, bool),
    "bright": bright,
    "dark": lambda e: ~bright(e),
}


def finds_coins(answer: Answer) -> bool:
    """One coin by box and by click finds the coins; the ground between them is not coins."""
    ground = coins("background")
    found = answer(ground)
    return (
        iou(answer(coins("box")), coins("box").truth) >= 0.70
        and iou(answer(coins("point")), coins("point").truth) >= 0.60
        and iou(found, ground.truth) >= 0.40
        and iou(found, ground.other) <= 0.05
    )


def tells_look_alikes_apart(answer: Answer) -> bool:
    """Asked for one of two kinds of equal brightness gives that one."""
    return all(
        iou(answer(e), e.truth) >= 0.5 and iou(answer(e), e.truth) - iou(answer(e), e.other) >= 0.3
        for e in (look_alikes("gravel"), look_alikes("brick"))
    )


def tells_stains_apart(answer: Answer) -> bool:
    """Asked for brown gives brown, for blue blue."""
    return all(
        iou(answer(e), e.truth) >= bar and iou(answer(e), e.truth) > iou(answer(e), e.other) + 0.2
        for e, bar in ((stains("brown"), 0.45), (stains("blue"), 0.38))
    )


QUESTIONS = (finds_coins, tells_look_alikes_apart, tells_stains_apart)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_embedded_model_answers(model: Answer, question: Callable[[Answer], bool]) -> None:
    assert question(model)


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS.keys())
@pytest.mark.parametrize("question", QUESTIONS)
def test_no_guard_answers(guard: Answer, question: Callable[[Answer], bool]) -> None:
    assert not question(guard)


@pytest.mark.parametrize("question", QUESTIONS)
def test_ignoring_the_reference_does_not_answer(
    model: Answer, question: Callable[[Answer], bool]
) -> None:
    """What the model finds when asked for the first thing, given whatever is asked."""
    firsts = {e.target.tobytes(): model(e) for e in (coins("box"), look_alikes(), stains())}
    assert not question(lambda e: firsts[e.target.tobytes()])
