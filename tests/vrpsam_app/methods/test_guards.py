from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.data.photo_episodes import PhotoEpisode, look_alikes, stains
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.methods import GUARDS, METHODS, MethodSources
from vrpsam_app.methods.guards import Everything, IgnoreReference, Nothing
from vrpsam_app.references import Reference


def reference(episode: PhotoEpisode) -> Reference:
    return Reference.from_annotations(episode.reference, episode.marks)


def test_everything_and_nothing(scene, outlined):
    everything = Everything().predict(scene(1)[0], outlined)
    assert everything.mask.all()
    assert everything.present
    nothing = Nothing().predict(scene(1)[0], outlined, threshold=0.0)
    assert not nothing.mask.any()
    assert not nothing.present
    assert not nothing.at_threshold(0.0).mask.any()


def test_what_stands_out_is_the_smaller_side(scene, outlined):
    target, truth = scene(1)
    assert iou(IgnoreReference().predict(target, outlined).mask, truth) > 0.9
    negative = (255 - target).astype(np.uint8)
    assert iou(IgnoreReference().predict(negative, outlined).mask, truth) > 0.9


@pytest.mark.parametrize("name", GUARDS)
@pytest.mark.parametrize("pair", [("gravel", "brick"), ("brown", "blue")], ids="-".join)
def test_no_guard_finds_one_and_then_the_other(name: str, pair: tuple[str, str]):
    make = look_alikes if "gravel" in pair else stains
    guard = METHODS[name](MethodSources(lambda: pytest.fail("a guard needs no model")))
    right = []
    for episode in map(make, pair):
        mask = guard.predict(episode.target, reference(episode)).mask
        right.append(iou(mask, episode.truth) > iou(mask, episode.other) + 0.1)
    assert not all(right)
