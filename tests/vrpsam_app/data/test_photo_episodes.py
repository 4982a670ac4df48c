"""Episodes of photographs: marks on the object, truths that do not overlap, no easy threshold."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import filters

from vrpsam_app.data.photo_episodes import PhotoEpisode, coin_mask, coins, look_alikes, stains
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.references import Reference

EPISODES = {
    "coin box": coins("box"),
    "coin point": coins("point"),
    "ground": coins("background"),
    "gravel": look_alikes("gravel"),
    "brick": look_alikes("brick"),
    "brown": stains("brown"),
    "blue": stains("blue"),
}


@pytest.mark.parametrize("episode", EPISODES.values(), ids=EPISODES.keys())
def test_sizes_agree_and_the_two_kinds_do_not_overlap(episode: PhotoEpisode) -> None:
    assert episode.truth.shape == episode.other.shape == episode.target.shape[:2]
    assert episode.target.dtype == episode.reference.dtype == np.uint8
    assert not (episode.truth & episode.other).any()
    assert 0.05 < episode.truth.mean() < 0.75
    assert Reference.from_annotations(episode.reference, list(episode.marks)).positive.any()


def test_there_are_24_coins_and_the_marks_lie_on_one() -> None:
    from scipy import ndimage

    mask = coin_mask()
    assert ndimage.label(mask)[1] == 24
    shown = Reference.from_annotations(coins("box").reference, list(coins("box").marks)).positive
    assert mask[shown].mean() > 0.55
    clicked = Reference.from_annotations(coins("point").reference, list(coins("point").marks))
    assert mask[clicked.positive].all()
    ground = Reference.from_annotations(
        coins("background").reference, list(coins("background").marks)
    )
    assert not mask[ground.positive].any()


@pytest.mark.parametrize("kind", ["gravel", "brick"])
def test_no_threshold_tells_the_stones_apart(kind: str) -> None:
    episode = look_alikes(kind)
    found = episode.target > filters.threshold_otsu(episode.target)
    assert iou(found, episode.truth) <= 0.5
    bright = [episode.target[m].mean() for m in (episode.truth, episode.other)]
    assert abs(bright[0] - bright[1]) < 3
