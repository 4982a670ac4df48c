from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Point
from vrpsam_app.references import Reference
from vrpsam_app.tiles.grid import TileGrid
from vrpsam_app.tiles.plan import TilePlan
from vrpsam_app.video.film_scale import at_film_scale

IMAGE = np.random.default_rng(0).integers(0, 60_000, (40, 60), np.uint16)


def planned(reference: Reference, *, whole: bool) -> TilePlan:
    return TilePlan(None if whole else TileGrid.over((99, 99), 40, 8), (reference,), None)


@pytest.mark.parametrize("ratio", [0.1, 0.25, 1.5, 4.0])
def test_marks_grow_and_shrink_with_their_picture(ratio: float):
    marks = [Box(8, 12, 28, 44), Point(4, 4, positive=False)]
    reference = Reference.from_annotations(IMAGE, marks, label="cell", exhaustive=True)
    (scaled,) = at_film_scale(planned(reference, whole=False), ratio)
    assert scaled.positive.shape == (round(40 * ratio), round(60 * ratio))
    assert scaled.positive.sum() == pytest.approx(20 * 32 * ratio**2, rel=0.1)
    assert scaled.negative.any()
    assert not (scaled.positive & scaled.negative).any()
    assert scaled.image.mean() == pytest.approx(IMAGE.mean(), rel=0.05)
    assert (scaled.label, scaled.kind, scaled.exhaustive) == ("cell", "box", True)


def test_small_marks_do_not_vanish():
    reference = Reference.from_annotations(IMAGE, [Point(20, 30, radius=1)])
    (scaled,) = at_film_scale(planned(reference, whole=False), 0.1)
    assert 1 <= scaled.positive.sum() <= 4
    (against,) = at_film_scale(planned(reference.as_not_this(), whole=False), 0.1)
    assert against.is_not_this


def test_beside_whole_frames_a_reference_stays():
    reference = Reference.from_annotations(IMAGE, [Point(20, 30)])
    assert at_film_scale(planned(reference, whole=True), 0.5) == (reference,)
